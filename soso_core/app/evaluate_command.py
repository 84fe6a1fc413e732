"""`soso evaluate`: how far a model is from labels."""

from pathlib import Path

import click

from soso_core.app.paths import check_output
from soso_core.app.tables import number, print_table
from soso_core.dataset import Dataset
from soso_core.descriptors.spin_pairs import species_indices
from soso_core.errors import InputError
from soso_core.gp.evaluation import Evaluation
from soso_core.gp.evaluation import evaluate as evaluate_model
from soso_core.gp.fitted import FittedModel
from soso_core.io import atomic_write, load_model, read_dataset


@click.command(short_help="Compare predictions with labels.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the numbers to this file too.")
def evaluate(model: Path, data: Path, output: Path | None) -> None:
    """Compare the predictions of MODEL with the labels of DATA.

    Root mean square errors of the energy (meV per magnetic atom) and of -∂E/∂e (meV per component), the
    energy error that the model itself expects, and the same for the pair-only baseline.  In the JSON file a
    number is null where DATA carry no such label.

    \b
    Example:
      soso evaluate model.soso test.extxyz --json errors.json
    """
    if output is not None:
        check_output(output, [model, data])
    fitted, dataset = load_model(model), read_dataset(data)
    _check_species(fitted, dataset, data)
    if not dataset.n_energies and not dataset.n_field_configurations:
        raise InputError(f"{data}: nothing to compare with: no configuration has an energy or exchange fields")
    evaluation = evaluate_model(fitted, dataset)
    if output is not None:
        with atomic_write(output) as temporary:
            temporary.write_text(evaluation.model_dump_json(indent=2) + "\n", encoding="utf8")
    print_errors(f"errors of {model} on {data}", evaluation)


def _check_species(model: FittedModel, dataset: Dataset, path: Path) -> None:
    for i, item in enumerate(dataset):
        try:
            species_indices(item.configuration, model.basis.species)
        except InputError as error:
            raise InputError(f"{path}, configuration {i}: {error}") from None


def print_errors(title: str, evaluation: Evaluation) -> None:
    """Print the errors of the model beside those of its baseline."""
    pair = evaluation.pair_only
    quantities = [
        ("energy, rms error", "energy_rmse_meV_per_spin", "meV/spin", evaluation.n_energies),
        ("energy, expected", "energy_std_meV_per_spin", "meV/spin", evaluation.n_energies),
        ("-∂E/∂e, rms error", "field_rmse_meV", "meV", evaluation.n_field_configurations),
    ]
    rows = [
        (name, number(getattr(evaluation, key)), number(getattr(pair, key, None)), unit, str(count))
        for name, key, unit, count in quantities
    ]
    print_table(title, ("quantity", "model", "pair-only", "unit", "configurations"), rows)
