"""`soso compare-models`: test whether more labels or another model form would reduce the error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from soso_core.app.paths import check_output
from soso_core.app.progress import track
from soso_core.app.tables import number, print_table
from soso_core.errors import InputError
from soso_core.formats import read_dataset, write_file

if TYPE_CHECKING:
    from soso_core.active.stopping.alternatives import ModelComparison


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The numbers, as JSON.")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Draws inducing points, folds and halves."
)
@click.option("--even-if-labels-help", is_flag=True, help="Try other forms even where more labels help.")
def compare_models(model: Path, data: Path, output: Path, seed: int, even_if_labels_help: bool) -> None:
    """Test whether more labels or another model form would reduce the error of MODEL.

    The learning-curve check fits the form of MODEL to DATA again, a fifth left out at a time, with all other labels and
    with half of them.  More labels help where the error on those left out is at least 10 % lower with all others.  If
    it is not, other forms are fitted: three-body channels where there are none, a longer range, shorter lengths and
    higher products.  The table gives the error of each on the labels left out.

    \b
    Example:
      soso compare-models model.soso train.extxyz -o alternatives.json
    """
    from soso_core.active.stopping.alternatives import weigh_alternatives
    from soso_core.active.stopping.learning_curve import FEWEST
    from soso_core.gp.model.model_file import load_model

    check_output(output, [model, data])
    present, dataset = load_model(model).basis.settings, read_dataset(data)
    if dataset.n_energies < len(dataset):
        raise InputError(f"{data}: {len(dataset) - dataset.n_energies} configurations have no energy to compare")
    if len(dataset) < FEWEST:
        raise InputError(f"{data}: {len(dataset)} labels are too few to leave a fifth of them out")
    with track("refitting") as tracked:
        found = weigh_alternatives(dataset, present, np.random.default_rng(seed), tracked, even_if_labels_help)
    values = {
        "learning_curve": found.learning_curve.model_dump(mode="json"),
        "alternatives": [item.model_dump(mode="json") for item in found.alternatives],
    }
    write_file(output, json.dumps(values, indent=1))
    print_alternatives(found)
    click.echo(f"written to {output}")


def print_alternatives(found: ModelComparison) -> None:
    """Print the learning-curve check of the present form, and the error of every form tried, best first."""
    from soso_core.active.stopping.policy import labels_help

    test = found.learning_curve
    rows = [("energy (meV/spin)", test.energy_rmse_meV_per_spin, test.half_energy_rmse_meV_per_spin)]
    if test.field_rmse_meV is not None and test.half_field_rmse_meV is not None:
        rows.append(("field (meV)", test.field_rmse_meV, test.half_field_rmse_meV))
    cells = [(name, number(half), number(whole), _percent(whole, half)) for name, whole, half in rows]
    print_table("error on labels left out, hyperparameters kept", ("", "half of the others", "all", "of half"), cells)
    helps = labels_help(test)
    untried = "" if found.alternatives else "; other forms were not tried (--even-if-labels-help)"
    click.echo(f"more labels {'help' if helps else 'may not help'}{untried}")
    if not found.alternatives:
        return
    now = found.alternatives[0].present_rmse_meV_per_spin
    errors = {item.name: item.energy_rmse_meV_per_spin for item in sorted(found.alternatives, key=lambda i: i.ratio)}
    forms = [(name, number(error), _percent(error, now)) for name, error in {**errors, "the present form": now}.items()]
    print_table("error on labels left out (meV/spin)", ("form", "error", "of the present"), forms)


def _percent(error: float, reference: float) -> str:
    return f"{100.0 * error / max(reference, 1e-12):.0f} %"
