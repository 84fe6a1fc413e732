"""`soso alternatives`: which other form of a model would do better on the labels at hand."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import numpy as np

from soso_core.active.alternatives import weigh_alternatives
from soso_core.active.records import Alternative
from soso_core.app.paths import check_output
from soso_core.app.progress import progress_bar
from soso_core.app.tables import number, print_table
from soso_core.errors import InputError
from soso_core.gp.settings import FitSettings
from soso_core.io import atomic_write, load_model, read_dataset

FEWEST = 5
"""Labels are left out a fifth at a time."""


@click.command(short_help="Weigh other forms of a model on the labels at hand.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The numbers, as JSON.")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Draws inducing points and folds."
)
def alternatives(model: Path, data: Path, output: Path, seed: int) -> None:
    """Say what would help MODEL when more labels do not: fit other forms to DATA, a fifth left out at a time.

    Tried are three-body channels where there are none, a longer range, shorter lengths and higher products.  The table
    has the error of each form on the labels left out, and that of the form of MODEL.

    \b
    Example:
      soso alternatives model.soso train.extxyz -o alternatives.json
    """
    check_output(output, [model, data])
    present, dataset = load_model(model).basis.settings, read_dataset(data)
    if dataset.n_energies < len(dataset):
        raise InputError(f"{data}: {len(dataset) - dataset.n_energies} configurations have no energy to compare")
    if len(dataset) < FEWEST:
        raise InputError(f"{data}: {len(dataset)} labels are too few to leave a fifth of them out")
    found = weigh_alternatives(dataset, present, np.random.default_rng(seed), _tracked)
    with atomic_write(output) as temporary:
        values = {"alternatives": [item.model_dump(mode="json") for item in found]}
        temporary.write_text(json.dumps(values, indent=1), encoding="utf8")
    print_alternatives(found)
    click.echo(f"{len(found)} other forms written to {output}")


def print_alternatives(found: Sequence[Alternative]) -> None:
    """Print the error of every form, best first."""
    rows = [
        (item.name, number(item.energy_rmse_meV_per_spin), f"{100.0 * item.ratio:.0f} %")
        for item in sorted(found, key=lambda item: item.ratio)
    ]
    rows.append(("the present form", number(found[0].present_rmse_meV_per_spin), "100 %"))
    print_table("error on labels left out (meV/spin)", ("form", "error", "of the present"), rows)


def _tracked(forms: Sequence[tuple[str, FitSettings]]) -> Iterable[tuple[str, FitSettings]]:
    with progress_bar() as progress:
        yield from progress.track(forms, description="refitting")
