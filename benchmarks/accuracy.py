"""Accuracy on published data: `make bench-accuracy` prints the table and writes results/accuracy.json.

Every error is on configurations the model was not fitted to; scales come from the evidence of the
training rows alone.  Rows: which data, which descriptor, how many labels, errors, pair-only baseline.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from soso_core.dataset import Dataset
from soso_core.gp.evaluation import Errors, Evaluation, evaluate
from soso_core.gp.regression import fit
from soso_core.gp.settings import FitSettings
from soso_core.io import atomic_write, read_dataset

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results" / "accuracy.json"
PUBLISHED = FitSettings()
SHORT = FitSettings(descriptor={"cutoff_angstrom": 5.1, "sigma_spin": 1.0})
N_SPLITS = 4


class Case(NamedTuple):
    """One row of the table; `n_train` None leaves one configuration out at a time."""

    data: str
    name: str
    settings: FitSettings
    n_train: int | None
    limits: tuple[float, float | None]


CASES = (
    Case("bcc_fe_1000K_29", "sigma_spin 1.0, cutoff 5.1", SHORT, None, (1.0, None)),
    Case("bcc_fe_1000K_29", "published settings", PUBLISHED, None, (1.1, None)),
    Case("bcc_fe_paramagnetic_60", "sigma_spin 1.0, cutoff 5.1", SHORT, 5, (np.inf, None)),
    Case("bcc_fe_paramagnetic_60", "published settings", PUBLISHED, 5, (np.inf, None)),
    Case("bcc_fe_paramagnetic_60", "sigma_spin 1.0, cutoff 5.1", SHORT, 10, (np.inf, None)),
    Case("bcc_fe_paramagnetic_60", "published settings", PUBLISHED, 10, (1.65, 9.2)),
    Case("bcc_fe_paramagnetic_60", "published settings", PUBLISHED, 25, (np.inf, None)),
)


def folds(dataset: Dataset, n_train: int | None) -> Iterator[tuple[Dataset, Dataset, int]]:
    """Yield (train, test, seed): leave-one-out, or `N_SPLITS` random splits, the same on every run."""
    if n_train is None:
        for left_out in range(len(dataset)):
            yield dataset.subset(i for i in range(len(dataset)) if i != left_out), dataset.subset([left_out]), 0
        return
    for seed in range(N_SPLITS):
        order = np.random.default_rng(seed).permutation(len(dataset))
        yield dataset.subset(order[:n_train]), dataset.subset(order[n_train:]), seed


def run_case(case: Case) -> dict[str, object]:
    """Return one row: leave-one-out errors are pooled, split errors averaged."""
    dataset = read_dataset(DATA / f"{case.data}.extxyz")
    evaluations = [
        evaluate(fit(train, case.settings, np.random.default_rng(seed)), test)
        for train, test, seed in track(
            list(folds(dataset, case.n_train)), f"{case.data} {case.n_train or 'LOO'}", transient=True
        )
    ]
    power = 2 if case.n_train is None else 1
    labels = "leave-one-out" if case.n_train is None else f"{case.n_train} labels, {N_SPLITS} splits"
    return {
        "data": case.data,
        "settings": case.name,
        "labels": labels,
        "soso": averaged(evaluations, power),
        "pair_only": averaged([e.pair_only for e in evaluations if e.pair_only], power),
        "limit_energy_meV_per_spin": None if np.isinf(case.limits[0]) else case.limits[0],
        "limit_field_meV": case.limits[1],
    }


def averaged(errors: list[Errors] | list[Evaluation], power: int) -> dict[str, float | None]:
    """Return the power mean of each error over the folds."""
    means = {}
    for key in ("energy_rmse_meV_per_spin", "field_rmse_meV", "energy_std_meV_per_spin"):
        values = [value for item in errors if (value := getattr(item, key)) is not None]
        means[key] = float(np.mean(np.power(values, power)) ** (1 / power)) if values else None
    return means


def show(rows: list[dict[str, object]]) -> None:
    """Print the rows as a table."""
    table = Table(title="Errors on configurations not fitted to (energy meV/spin, field -∂E/∂e meV per component)")
    for column in ("data", "settings", "labels"):
        table.add_column(column)
    for column in ("energy", "field", "sigma", "pair-only energy", "pair-only field", "limit"):
        table.add_column(column, justify="right")
    for row in rows:
        own, pair = row["soso"], row["pair_only"]
        numbers = [own["energy_rmse_meV_per_spin"], own["field_rmse_meV"], own["energy_std_meV_per_spin"]]
        numbers += [pair["energy_rmse_meV_per_spin"], pair["field_rmse_meV"]]
        limits = [row["limit_energy_meV_per_spin"], row["limit_field_meV"]]
        limit = " / ".join(f"{value:g}" for value in limits if value is not None) or "-"
        cells = ["-" if value is None else f"{value:.3f}" for value in numbers]
        table.add_row(row["data"], row["settings"], row["labels"], *cells, limit)
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def exceeded(row: dict[str, object]) -> bool:
    """Tell whether a row is above its limit."""
    pairs = (("energy_rmse_meV_per_spin", "limit_energy_meV_per_spin"), ("field_rmse_meV", "limit_field_meV"))
    return any(row[limit] is not None and row["soso"][error] > row[limit] for error, limit in pairs)


def main() -> int:
    """Run every case; exit code 1 when an error is above its limit, 2 without the data."""
    if not DATA.is_dir():
        print(f"the published data are not in {DATA}", file=sys.stderr)
        return 2
    rows = [run_case(case) for case in CASES]
    show(rows)
    with atomic_write(RESULTS) as temporary:
        temporary.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf8")
    over = [row for row in rows if exceeded(row)]
    for row in over:
        print(f"above its limit: {row['data']}, {row['settings']}, {row['labels']}", file=sys.stderr)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
