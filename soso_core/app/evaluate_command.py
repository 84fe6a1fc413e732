"""The command `soso evaluate` compares a model with labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soso_core.app.paths import check_outputs
from soso_core.app.progress import track
from soso_core.app.tables import number, print_table
from soso_core.dataset import Dataset
from soso_core.errors import InputError, locate_errors
from soso_core.formats import read_dataset, write_file
from soso_core.labels import LabelledConfiguration
from soso_core.species import species_indices

if TYPE_CHECKING:
    from soso_core.gp.assessment.comparison import Comparison
    from soso_core.gp.assessment.evaluation import Errors, Evaluation
    from soso_core.gp.model.fitted import FittedModel

TARGETS = {
    "energy": ("energy", "meV/spin", "energy_{}_meV_per_spin", "spread"),
    "field": ("-∂E/∂e", "meV", "field_{}_meV", "rms"),
    "force": ("force", "meV/Å", "force_{}_meV_per_angstrom", "rms"),
    "stress": ("stress", "meV/Å³", "stress_{}_meV_per_angstrom3", "rms"),
    "moment": ("moment", "μB", "moment_{}_muB", "spread"),
}
"""Name and unit of each target, its keys in an evaluation, and the name of the size of the labels there."""
HEADINGS = ("rms error", "model", "expected", "labels", "rel. %", "pair-only", "in 90 %")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the numbers to this file as well.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw parity and reliability: .png, .svg or .pdf.")
@click.option(
    "--calibrate", type=click.Path(path_type=Path), help="Write the model with error bars calibrated on DATA."
)
def evaluate(model: Path, data: Path, output: Path | None, plot: Path | None, calibrate: Path | None) -> None:
    """Compare the predictions of MODEL with the labels of DATA: energies, fields, forces, stresses, moment magnitudes.

    Root mean square errors: of the energy per magnetic atom, of all else per component.  Beside each: the error
    that the model expects, the size of the labels (energies and moments relative to the mean of their composition), the
    error relative to it, the error of the pair-only baseline, and the share of labels inside the predicted 90 %
    interval.  In the JSON file a number is null where DATA carry no such label.

    Labels that the model was fitted to are counted: errors on those are not blind.  --calibrate scales the error
    bars so that 90 % of DATA are inside the 90 % interval, and refuses such labels.

    \b
    Example:
      soso evaluate model.soso test.extxyz --json errors.json --plot errors.png
      soso evaluate model.soso blind.extxyz --calibrate calibrated.soso
    """
    from soso_core.gp.assessment.evaluation import assess
    from soso_core.gp.model.model_file import load_model

    if plot is not None:
        from soso_core.app.plots import check_format  # matplotlib is slow to import and not always needed

        check_format(plot)
    check_outputs({"--json": output, "--plot": plot, "--calibrate": calibrate}, [model, data])
    fitted, dataset = load_model(model), read_dataset(data)
    _check_comparable(fitted, dataset, data)
    if calibrate is not None:
        _check_blind(fitted, dataset, data)
    with track("predicting") as tracked:
        evaluation, found = assess(fitted, dataset, tracked)
    print_errors(f"errors of {model} on {data}", evaluation)
    for note in notes(evaluation, fitted, data):
        click.echo(f"note: {note}")
    if output is not None:
        write_file(output, evaluation.model_dump_json(indent=2) + "\n")
    if plot is not None:
        from soso_core.app.plots import evaluation_figure, save_figure

        save_figure(plot, evaluation_figure(found, evaluation.reliability, f"{model} on {data}"))
        click.echo(f"parity and reliability drawn in {plot}")
    if calibrate is not None:
        _write_calibrated(calibrate, fitted, found)


def print_errors(title: str, evaluation: Evaluation) -> None:
    """Print the errors of the model on every target that there is, beside those of its baseline."""
    rows = [_row(target, evaluation) for target in TARGETS if evaluation.n_labels.get(target)]
    print_table(title, HEADINGS, rows)


def notes(evaluation: Errors, model: FittedModel, data: Path) -> list[str]:
    """Return the notes that a reader of the numbers needs, one line each."""
    found = []
    if seen := evaluation.n_trained_on:
        share = f"{seen} of {evaluation.n_configurations} configurations of {data}"
        found.append(f"the model was fitted to {share}; errors on those are not blind")
    if evaluation.n_energies and not model.record.n_energies:
        found.append("the model was fitted to no energies; its energies are known up to a constant only")
    return found


def _row(target: str, evaluation: Evaluation) -> tuple[str, ...]:
    name, unit, key, size_name = TARGETS[target]
    error, expected, size = (_value(evaluation, key.format(what)) for what in ("rmse", "std", size_name))
    relative = 100.0 * error / size if error is not None and size else None
    curve = evaluation.reliability.get(target)
    return (
        f"{name}, {unit}",
        number(error),
        number(expected),
        number(size),
        number(relative, 1),
        number(_value(evaluation.pair_only, key.format("rmse"))),
        "-" if curve is None else f"{100.0 * curve.coverage_90:.0f} %",
    )


def _value(errors: Errors | None, key: str) -> float | None:
    value = getattr(errors, key, None)
    return None if value is None else float(value)


def _check_comparable(model: FittedModel, dataset: Dataset, path: Path) -> None:
    if not any(_is_comparable(model, item) for item in dataset):
        raise InputError(f"{path}: nothing to compare with: no configuration has labels that this model predicts")
    for i, item in enumerate(dataset):
        with locate_errors(f"{path}, configuration {i}"):
            species_indices(item.configuration, model.basis.species)


def _is_comparable(model: FittedModel, item: LabelledConfiguration) -> bool:
    has_moments = model.moment_model is not None and item.moment_magnitudes_a is not None
    of_spins = item.effective_fields_ac is not None or has_moments
    anywhere = (item.energy, item.forces_ac, item.stress_cc)
    return any(label is not None for label in anywhere) or (of_spins and item.configuration.n_magnetic > 0)


def _check_blind(model: FittedModel, dataset: Dataset, path: Path) -> None:
    from soso_core.gp.assessment.evaluation import find_training_labels

    seen = find_training_labels(model, dataset)
    if seen:
        raise InputError(
            f"{path}, configuration {seen[0]}: the model was fitted to it ({len(seen)} of {len(dataset)}); "
            "calibrate with labels outside its training data"
        )


def _write_calibrated(path: Path, model: FittedModel, found: Mapping[str, Comparison]) -> None:
    from soso_core.gp.assessment.evaluation import calibrate
    from soso_core.gp.inference.calibration import MAX_FACTOR
    from soso_core.gp.model.model_file import save_model

    calibrated = replace(model, calibration=calibrate(model, found))
    fresh = [target for target, each in found.items() if len(each.z)]
    rows = [
        (target, number(model.calibration_factor(target)), number(calibrated.calibration_factor(target)))
        for target in fresh
    ]
    print_table("calibration factors", ("target", "before", "now"), rows)
    for target in fresh:
        if calibrated.calibration_factor(target) >= MAX_FACTOR:
            click.echo(f"note: {target}: at the limit of {MAX_FACTOR:g}: the model, not its error bars, is wrong")
    save_model(path, calibrated)
    click.echo(f"calibrated model written to {path}")
