"""The command `soso check-fields` compares the fields of an engine with slopes of its energies."""

from math import radians
from pathlib import Path

import click

from soso_core.app.label_command import read_engine_settings
from soso_core.app.paths import check_output
from soso_core.app.tables import number, print_table
from soso_core.configuration import Configuration
from soso_core.engines import load_engine
from soso_core.errors import InputError
from soso_core.formats import write_dataset
from soso_core.formats.atoms import configuration_from_atoms
from soso_core.formats.extxyz import read_atoms
from soso_core.labels import LabelledConfiguration

FAILED = 1
"""Exit status when a ratio is outside the tolerance."""


@click.command()
@click.argument("engine")
@click.argument("configurations", type=click.Path(path_type=Path))
@click.option("--settings", type=click.Path(path_type=Path), help="YAML file with settings of the engine.")
@click.option("--index", type=click.IntRange(min=0), default=0, show_default=True, help="Which configuration.")
@click.option("--atom", type=click.IntRange(min=0), help="Which atom; default: the one with the largest field.")
@click.option(
    "--angle", type=click.FloatRange(0.1, 20.0), default=4.0, show_default=True, help="Tilt to either side, degrees."
)
@click.option("--forces", is_flag=True, help="Compare a force as well: two more labels.")
@click.option(
    "--shift", type=click.FloatRange(0.001, 0.2), default=0.02, show_default=True, help="Shift of the atom, Å."
)
@click.option(
    "--tolerance", type=click.FloatRange(min=0.0), default=2.0, show_default=True, help="Largest deviation, percent."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The labels that were computed.")
@click.pass_context
def check_fields(
    ctx: click.Context,
    engine: str,
    configurations: Path,
    settings: Path | None,
    index: int,
    atom: int | None,
    angle: float,
    forces: bool,
    shift: float,
    tolerance: float,
    output: Path | None,
) -> None:
    """Label one of CONFIGURATIONS with ENGINE, and again with a spin tilted to either side along its field.

    The field of the three labels, taken along the directions that were achieved, has to give the difference of
    the two energies: the ratio is 1 for an engine whose fields belong to its energies.  The exit status is 1 when it
    is off by more than the tolerance.

    \b
    Example:
      soso check-fields gpaw batch.extxyz --settings engine.yaml --forces
    """
    from soso_core.engines.field_consistency import check_field, check_force

    chosen = load_engine(engine)
    values = read_engine_settings(chosen, settings)
    if output is not None:
        check_output(output, [path for path in (configurations, settings) if path is not None])
    configuration = _read_one(configurations, index)

    def label(item: Configuration) -> LabelledConfiguration:
        labelled = chosen.label(item, values)
        click.echo(f"energy {labelled.energy:.6f} eV, grade {labelled.info.get('label_grade', 'unknown')}")
        return labelled

    chosen.check(configuration, values)
    middle = label(configuration)
    checks = {"field": check_field(label, middle, configuration, radians(angle), atom)}
    if forces:
        checks["force"] = check_force(label, middle, configuration, shift, atom)
    rows = [
        (name, str(item.atom), number(1e3 * item.predicted, 4), number(1e3 * item.computed, 4), number(item.ratio, 5))
        for name, item in checks.items()
    ]
    print_table("against finite differences", ("", "atom", "predicted meV", "computed meV", "ratio"), rows)
    if output is not None:
        write_dataset(output, [middle, *(item.labels[end] for item in checks.values() for end in (0, 2))])
    if any(abs(item.ratio - 1.0) > 0.01 * tolerance for item in checks.values()):
        click.echo(f"not within {tolerance:g} % of 1")
        ctx.exit(FAILED)
    click.echo(f"within {tolerance:g} % of 1")


def _read_one(path: Path, index: int) -> Configuration:
    frames = read_atoms(path)
    if index >= len(frames):
        raise InputError(f"{path}: there is no configuration {index}; the last is {len(frames) - 1}")
    return configuration_from_atoms(frames[index])
