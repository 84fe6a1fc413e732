"""`soso generate` and `soso explore`: choose configurations to label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ase import Atoms

from soso_core.app.paths import check_output
from soso_core.app.tables import number, print_table
from soso_core.formats import read_configurations, read_structure
from soso_core.formats.atoms import atoms_from_configuration
from soso_core.formats.extxyz import write_atoms
from soso_core.settings import read_settings

if TYPE_CHECKING:
    from soso_core.active.candidates.generators import Candidate
    from soso_core.active.candidates.settings import ExploreSettings
    from soso_core.active.selection.batch import ScoredCandidate


@click.command()
@click.argument("settings", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The chosen configurations.")
def generate(settings: Path, output: Path) -> None:
    """Choose a first batch of configurations without a model, from all generators of SETTINGS.

    `known`, `acquisition` and `variance_fraction` have an effect in `soso explore` only; the same file serves both.

    \b
    Example:
      soso generate explore.yaml -o batch.extxyz
    with explore.yaml (the structure is any file ASE reads, relative to this one):
      structure: bcc_fe.cif
      supercell: [2, 2, 2]
      generators:
        - {kind: cone, weight: 2, magnetisations: [0.9, 0.6, 0.3]}   # von Mises-Fisher, mean cosine
        - {kind: random, displacement_angstrom: 0.05, strain: 0.01}  # uniform directions
      n_candidates: 200
      n_select: 6
      seed: 1
    """
    from soso_core.active.selection.batch import first_batch

    check_output(output, [settings])
    values = _read_explore_settings(settings)
    batch = first_batch(read_structure(values.structure), values)
    write_atoms(output, [_frame(candidate) for candidate in batch])
    rows = [(item.kind, number(item.magnetisation, 2), str(item.index)) for item in batch]
    print_table("first batch", ("generator", "magnetisation", "candidate"), rows)
    click.echo(f"{len(batch)} of {values.n_candidates} candidates written to {output}")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("settings", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The chosen configurations.")
def explore(model: Path, settings: Path, output: Path) -> None:
    """Generate candidates, score them with MODEL, choose the next batch to label.

    A share of the batch, `variance_fraction`, is chosen by the acquisition function: each pick is ranked as if the
    labels of those before it were known.  The rest is drawn at random.  SETTINGS are those of
    `soso generate`.  Candidates that are symmetry-equivalent to a configuration of `known` are not chosen; when few
    others are left, the batch is smaller.

    \b
    Example:
      soso explore model.soso explore.yaml -o next.extxyz
    with, in explore.yaml:
      known: train.extxyz
      acquisition: mean-variance
      variance_fraction: 0.5
    """
    from soso_core.active.selection.batch import next_batch
    from soso_core.gp.model.model_file import load_model

    values = _read_explore_settings(settings)
    check_output(output, [model, settings, *([] if values.known is None else [values.known])])
    known = [] if values.known is None else read_configurations(values.known)
    notes: list[str] = []
    batch = next_batch(load_model(model), read_structure(values.structure), values, known, notes.append)
    write_atoms(output, [_scored_frame(item) for item in batch])
    rows = [
        (
            str(item.rank),
            item.chosen_by,
            item.candidate.kind,
            number(item.candidate.magnetisation, 2),
            number(item.energy_model_std_meV_per_spin),
            str(item.candidate.index),
        )
        for item in batch
    ]
    print_table("next batch", ("rank", "chosen by", "generator", "magnetisation", "σ (meV/spin)", "candidate"), rows)
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"{len(batch)} of {values.n_candidates} candidates written to {output}")


def _read_explore_settings(path: Path) -> ExploreSettings:
    """Return the settings of a file; paths in it are relative to that file."""
    from soso_core.active.candidates.settings import ExploreSettings

    settings = read_settings(ExploreSettings, path)
    settings = settings.with_files(lambda _, file: path.parent / file)
    known = None if settings.known is None else path.parent / settings.known
    return settings.model_copy(update={"structure": path.parent / settings.structure, "known": known})


def _frame(candidate: Candidate) -> Atoms:
    atoms = atoms_from_configuration(candidate.configuration)
    atoms.info.update(generator=candidate.kind, magnetisation=candidate.magnetisation, index=candidate.index)
    if candidate.detail:
        atoms.info["detail"] = candidate.detail
    return atoms


def _scored_frame(item: ScoredCandidate) -> Atoms:
    atoms = _frame(item.candidate)
    atoms.info.update(
        rank=item.rank,
        chosen_by=item.chosen_by,
        energy_model_std_meV_per_spin=item.energy_model_std_meV_per_spin,
        energy_std_meV_per_spin=item.energy_std_meV_per_spin,
        population_std_meV_per_spin=item.population_std_meV_per_spin,
    )
    if item.moment_magnitudes_a is not None:
        atoms.set_array("moments", item.moment_magnitudes_a)
    return atoms
