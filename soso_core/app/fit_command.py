"""The command `soso fit` fits a model to labelled configurations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from soso_core.app.evaluate_command import print_errors
from soso_core.app.paths import check_output
from soso_core.app.progress import track
from soso_core.app.tables import number, print_table
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.formats import read_dataset
from soso_core.settings import merge_keys, parse_settings, read_yaml

if TYPE_CHECKING:
    from soso_core.gp.model.fitted import FittedModel
    from soso_core.gp.model.settings import FitSettings


@click.command()
@click.argument("train", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The model file.")
@click.option(
    "--settings", type=click.Path(path_type=Path), help="YAML file; keys that it leaves out are chosen from the data."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the inducing points.")
@click.option("--update", "old", type=click.Path(path_type=Path), help="Add TRAIN to this model; old rows are kept.")
def fit(train: Path, output: Path, settings: Path | None, seed: int, old: Path | None) -> None:
    """Fit a model to the energies, exchange fields, forces, stresses and moment magnitudes of TRAIN; each optional.

    Settings that are left out are chosen from the data: cutoffs from the distances of the atoms, and between a short
    and a long one by the evidence.  Prints the settings, the hyperparameters, and the errors on TRAIN itself beside
    those of the pair-only baseline.  Errors on other data: `soso evaluate`.

    With --update the inducing points and hyperparameters of the old model are kept, and only the rows of TRAIN are
    computed; labels of its training data are left out.

    \b
    Example:
      soso fit train.extxyz -o model.soso --settings fit.yaml --seed 1
      soso fit new.extxyz -o better.soso --update model.soso
    with fit.yaml:
      three_body: {cutoff_angstrom: 4.6, n_max: 3}
      n_inducing: 60
    """
    from soso_core.gp.assessment.evaluation import evaluate
    from soso_core.gp.model.model_file import load_model, save_model

    check_output(output, [path for path in (train, settings, old) if path is not None])
    if settings is not None and old is not None:
        raise InputError("--update keeps the settings of the old model; leave --settings out")
    dataset = read_dataset(train)
    if not any(item.configuration.n_magnetic for item in dataset):
        raise InputError(f"{train}: no atom carries a spin")
    model = _choose(dataset, settings, seed) if old is None else _update(load_model(old), dataset)
    print_hyperparameters(model)
    with track("predicting") as tracked:
        evaluation = evaluate(model, dataset, tracked)
    print_errors(f"errors on {train} (trained on)", evaluation)
    if old is None and (n_repeats := len(dataset) - model.record.n_configurations):
        click.echo(f"note: {train} repeats {n_repeats} of its configurations exactly; each counts once")
    if (error := evaluation.energy_rmse_meV_per_spin) is not None and error > (
        evaluation.energy_spread_meV_per_spin or 0
    ):
        click.echo(
            "note: the energy RMSE is no better than predicting the mean; are the labels from one consistent data set?"
        )
    if (error := evaluation.field_rmse_meV) is not None and error > (evaluation.field_rms_meV or 0.0):
        click.echo("note: the field RMSE is no better than predicting zero; run `soso data check` on the labels")
    if not model.record.n_energies:
        click.echo("note: the data contain no energies; those of the model are known up to a constant only")
    save_model(output, model)
    click.echo(f"model of {model.record.n_configurations} configurations written to {output}")


def _choose(dataset: Dataset, path: Path | None, seed: int) -> FittedModel:
    """Return the fit of highest evidence among the settings to choose from, and print its settings."""
    from soso_core.gp.inference.regression import choose

    offered = merge_settings(dataset, path)
    with track("fitting") as tracked:
        model, evidences = choose(dataset, offered, np.random.default_rng(seed), tracked)
    if len(offered) > 1:
        print_choices(offered, evidences, model.basis.settings)
    print_settings(model.basis.settings)
    return model


def _update(model: FittedModel, dataset: Dataset) -> FittedModel:
    from soso_core.gp.inference.regression import update as update_model

    updated = update_model(model, dataset)
    n_new = updated.record.n_configurations - model.record.n_configurations
    click.echo(f"{n_new} of {len(dataset)} configurations are new to the model")
    return updated


def merge_settings(dataset: Dataset, path: Path | None) -> tuple[FitSettings, ...]:
    """Return the settings to choose from: those for the data, overridden by the file, without repeats."""
    from soso_core.gp.inference.defaults import choices
    from soso_core.gp.model.settings import FitSettings

    offered = choices(dataset)
    if path is None:
        return offered
    given = read_yaml(path)
    merged = [parse_settings(FitSettings, merge_keys(each.model_dump(), given), str(path)) for each in offered]
    return tuple(dict.fromkeys(merged))


def print_choices(offered: Sequence[FitSettings], evidences: Sequence[float], chosen: FitSettings) -> None:
    """Print the keys in which the offered settings differ, and their log evidence relative to the best."""
    from soso_core.gp.inference.defaults import differences

    varied = differences(offered)
    rows = [
        (*map(_as_in_yaml, each.values()), number(evidence - max(evidences), 1), "chosen" if settings == chosen else "")
        for each, evidence, settings in zip(varied, evidences, offered, strict=True)
    ]
    print_table("settings compared by log evidence", (*varied[0], "log evidence", ""), rows)


def print_settings(settings: FitSettings) -> None:
    """Print every setting."""
    from soso_core.gp.inference.defaults import flatten

    values = flatten(settings.model_dump())
    print_table("settings", ("key", "value"), [(key, _as_in_yaml(value)) for key, value in values.items()])


def _as_in_yaml(value: object) -> str:
    """Return the value of a setting as text: a missing one is `null`, a pair of channels `1-P1`."""
    if isinstance(value, tuple):
        return ", ".join("-".join(each) if isinstance(each, tuple) else str(each) for each in value)
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def print_hyperparameters(model: FittedModel) -> None:
    """Print the hyperparameters: prior widths and noise levels in meV, in the order of the blocks and targets."""
    from soso_core.gp.model.hyperparameters import MOMENT, TARGETS

    prior, noise = model.hyperparameters.prior, model.hyperparameters.noise
    rows = [(f"prior, {name}", number(1e3 * prior[name]), "meV") for name in model.basis.blocks]
    units = {"energy": "meV/√spin", "field": "meV", "force": "meV/Å", "stress": "meV/√atom"}
    rows += [(f"noise, {name}", number(1e3 * noise[name]), units[name]) for name in TARGETS if name in noise]
    if model.moment_model is not None:
        rows.append(("noise, moment", number(model.moment_model.hyperparameters.noise[MOMENT]), "μB"))
    if "field" in noise:
        rows.append(("field scale", number(model.hyperparameters.field_scale), ""))
    factors = model.calibration
    rows += [
        (f"calibration factor, {name}", number(factors[name]), "") for name in (*TARGETS, MOMENT) if name in factors
    ]
    print_table("hyperparameters", ("name", "value", "unit"), rows)
