"""`soso fit`: labelled configurations in, model out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from soso_core.app.evaluate_command import print_errors
from soso_core.app.paths import check_output
from soso_core.app.tables import number, print_table
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.gp.defaults import choose_settings
from soso_core.gp.evaluation import evaluate
from soso_core.gp.fitted import FittedModel
from soso_core.gp.regression import fit as fit_model
from soso_core.gp.settings import FitSettings
from soso_core.io import read_dataset, save_model
from soso_core.settings import parse_settings, read_yaml


@click.command(short_help="Fit a model to energies and exchange fields.")
@click.argument("train", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The model file.")
@click.option("--settings", type=click.Path(path_type=Path), help="YAML file; what it leaves out is chosen.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the inducing points.")
def fit(train: Path, output: Path, settings: Path | None, seed: int) -> None:
    """Fit a model to the energies and exchange fields of TRAIN; either may be missing.

    Prints the settings, the scales that were learnt, and the errors on TRAIN itself beside those of the
    pair-only baseline.  Errors on other data: `soso evaluate`.

    \b
    Example:
      soso fit train.extxyz -o model.soso --settings fit.yaml --seed 1
    with fit.yaml:
      descriptor: {sigma_spin: 1.0, cutoff_angstrom: 5.1}
      n_inducing: 100
    """
    check_output(output, [path for path in (train, settings) if path is not None])
    dataset = read_dataset(train)
    if not any(item.configuration.n_magnetic for item in dataset):
        raise InputError(f"{train}: no atom carries a spin")
    chosen = merged_settings(dataset, settings)
    print_settings(chosen)
    model = fit_model(dataset, chosen, np.random.default_rng(seed))
    print_scales(model)
    print_errors(f"errors on {train} (trained on)", evaluate(model, dataset))
    if n_repeats := len(dataset) - model.record.n_configurations:
        click.echo(f"note: {train} repeats {n_repeats} of its configurations exactly; each counts once")
    if not dataset.n_energies:
        click.echo(f"note: {train} has no energies; those of the model are known up to a constant only")
    save_model(output, model)
    click.echo(f"model written to {output}")


def merged_settings(dataset: Dataset, path: Path | None) -> FitSettings:
    """Return the settings chosen for the data, overruled by those of the file."""
    chosen = choose_settings(dataset)
    if path is None:
        return chosen
    return parse_settings(FitSettings, _overruled(chosen.model_dump(), read_yaml(path)), str(path))


def print_settings(settings: FitSettings) -> None:
    """Print every setting."""
    rows = [(key, f"{value:g}" if isinstance(value, float) else str(value)) for key, value in _flat(settings)]
    print_table("settings", ("key", "value"), rows)


def print_scales(model: FittedModel) -> None:
    """Print prior scales and noise, in meV."""
    rows = [(f"prior, {name}", number(1e3 * value), "meV") for name, value in model.scales.prior.items()]
    units = {"energy": "meV/√spin", "field": "meV"}
    rows += [
        (f"noise, {name}", number(1e3 * value), units.get(name, "meV")) for name, value in model.scales.noise.items()
    ]
    print_table("scales learnt", ("scale", "value", "unit"), rows)


def _overruled(chosen: Mapping[str, Any], given: Mapping[Any, Any]) -> dict[Any, Any]:
    merged = dict(chosen)
    for key, value in given.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overruled(merged[key], value) if both else value
    return merged


def _flat(settings: FitSettings) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in settings.model_dump().items():
        rows += [(f"{key}.{k}", v) for k, v in value.items()] if isinstance(value, dict) else [(key, value)]
    return rows
