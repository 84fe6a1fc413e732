"""The command `soso label` labels configurations with an electronic-structure engine."""

from dataclasses import replace
from pathlib import Path

import click

from soso_core.app.paths import check_output
from soso_core.app.progress import progress_bar
from soso_core.configuration import Configuration
from soso_core.engines import Engine, load_engine
from soso_core.errors import ConvergenceError, locate_errors
from soso_core.formats import write_dataset
from soso_core.formats.atoms import configuration_from_atoms
from soso_core.formats.extxyz import read_atoms
from soso_core.labels import LabelledConfiguration
from soso_core.quality import without_quality
from soso_core.settings import Settings, parse_settings, read_settings


@click.command()
@click.argument("engine")
@click.argument("configurations", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Labelled configurations.")
@click.option("--settings", type=click.Path(path_type=Path), help="YAML file with settings of the engine.")
@click.pass_context
def label(ctx: click.Context, engine: str, configurations: Path, output: Path, settings: Path | None) -> None:
    """Label CONFIGURATIONS with ENGINE (tight-binding, gpaw, abinit): energy, exchange fields, moments, forces.

    All configurations are checked before the first is computed.
    OUTPUT is rewritten after every label, so that an interruption loses no finished label.
    A configuration that does not converge is left out and reported on stderr; the exit status is then 3.

    \b
    Example:
      soso label tight-binding batch.extxyz -o labelled.extxyz --settings engine.yaml
    with engine.yaml:
      k_mesh: [3, 3, 3]
      smearing_ev: 0.08
    tight-binding is the embedded engine.  gpaw and abinit must be installed (`make gpaw`, `make abinit`).
    """
    chosen = load_engine(engine)
    values = read_engine_settings(chosen, settings)
    frames = read_atoms(configurations)
    check_output(output, [path for path in (configurations, settings) if path is not None])
    jobs: list[Configuration] = []
    for i, atoms in enumerate(frames):
        with locate_errors(f"{configurations}, configuration {i}"):
            jobs.append(configuration_from_atoms(atoms))
            chosen.check(jobs[i], values)
    done: list[LabelledConfiguration] = []
    with progress_bar() as progress:
        for i in progress.track(range(len(jobs)), description="labelling"):
            try:
                with locate_errors(f"{configurations}, configuration {i}"):
                    labelled = chosen.label(jobs[i], values)
            except ConvergenceError as error:
                progress.console.print(f"soso: {error}", soft_wrap=True, markup=False, highlight=False)
                continue
            # The data of the input frame are kept; the engine overrides equal keys.
            done.append(replace(labelled, info={**without_quality(frames[i].info), **labelled.info}))
            write_dataset(output, done)
    kept = f"written to {output}" if done else f"{output} was not written"
    click.echo(f"{len(done)} of {len(jobs)} configurations labelled, {kept}")
    if len(done) < len(jobs):
        ctx.exit(ConvergenceError.exit_code)


def read_engine_settings(engine: Engine, path: Path | None) -> Settings:
    """Return the settings of an engine, its defaults without a file.  Raises InputError for an invalid file."""
    if path is None:
        return parse_settings(engine.settings_class, {}, "engine settings")
    return read_settings(engine.settings_class, path)
