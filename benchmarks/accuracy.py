"""Accuracy on published data: `make bench-accuracy` prints the table and writes results/accuracy.json.

Every error is on configurations the model was not fitted to.  Settings and hyperparameters come from the evidence of
the training rows alone; the published settings (arXiv:2403.10769) and the pair-only baseline stand beside them.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rattled import rattled_set
from rich.console import Console
from rich.progress import track
from rich.table import Table

from soso_core.dataset import Dataset
from soso_core.formats import atomic_write, read_dataset
from soso_core.gp.assessment.comparison import Comparison, compare
from soso_core.gp.assessment.evaluation import predict_dataset
from soso_core.gp.assessment.penalty import estimate_penalty, subtract_penalty
from soso_core.gp.inference.defaults import choices, differences
from soso_core.gp.inference.regression import choose, select_by_evidence
from soso_core.gp.model.settings import FitSettings
from soso_core.threads import available_cores, one_blas_thread

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results" / "accuracy.json"
N_SPLITS = 8
N_RATTLED = 90
SLACK = 0.05
"""A mean over 8 splits of 60 configurations scatters by 2 to 3 %; a smaller excess over a limit is only reported."""
TARGETS = ("energy", "field", "force", "moment")
UNIT = {"energy": 1e3, "field": 1e3, "force": 1e3, "moment": 1.0}
"""meV/spin, meV, meV/Å, μB."""


class Case(NamedTuple):
    """One row: data, how to split them, and limits by target (relative ones in units of the labels' rms)."""

    data: str
    split: str
    n_train: int
    limits: dict[str, float]
    relative: dict[str, float] = {}


CASES = (
    Case("bcc_fe_paramagnetic_60", "random", 5, {"energy": 1.70, "field": 9.4}),
    Case("bcc_fe_paramagnetic_60", "random", 10, {"energy": 1.40, "field": 8.5}),
    Case("bcc_fe_paramagnetic_60", "random", 25, {"energy": 1.12, "field": 7.0}),
    Case("bcc_fe_paramagnetic_60", "random", 45, {"energy": 1.08, "field": 6.6}),
    Case("bcc_fe_1000K_29", "folds", 28, {"energy": 0.85}),
    Case("bcc_fe_gpaw_lda_28", "folds", 8, {}),
    Case("bcc_fe_gpaw_lda_28", "folds", 16, {}),
    Case("bcc_fe_gpaw_lda_28", "folds", 24, {}, {"field": 0.25, "force": 0.25}),
    Case("rattled", "random", 60, {"energy": 3.0}, {"force": 0.08, "field": 0.12}),
)


class Fold(NamedTuple):
    """One fit: training data, test data and the seed of the inducing points."""

    train: Dataset
    test: Dataset
    seed: int


Errors = dict[str, Comparison]


def folds(dataset: Dataset, case: Case) -> Iterator[Fold]:
    """Yield random splits, or folds in which every configuration is tested once: the same on every run."""
    n, n_test = len(dataset), len(dataset) - case.n_train
    if case.split == "random":
        for seed in range(N_SPLITS):
            order = np.random.default_rng(seed).permutation(n)
            yield Fold(dataset.subset(order[: case.n_train]), dataset.subset(order[case.n_train :]), seed)
        return
    order, n_test = np.random.default_rng(0).permutation(n), max(1, min(n_test, 4))
    for start in range(0, n, n_test):
        tested = order[start : start + n_test]
        rest = np.roll(order, -start)[len(tested) :]
        yield Fold(dataset.subset(rest[: case.n_train]), dataset.subset(tested), 0)


def run_fold(fold: Fold, published: bool) -> tuple[Errors, Errors, dict[str, Any]]:
    """Return errors of the model and of its pair-only baseline, and the chosen settings.

    The penalty that the training labels are estimated to contain is subtracted from the energies of all labels.
    """
    offered = (FitSettings(),) if published else choices(fold.train)
    with one_blas_thread():
        kappa = estimate_penalty(fold.train, np.random.default_rng(fold.seed)).kappa
        train, test = subtract_penalty(fold.train, kappa), subtract_penalty(fold.test, kappa)
        model, evidences = choose(train, offered, np.random.default_rng(fold.seed))
        own = compare(predict_dataset(model, test), test, model.hyperparameters)
        assert model.baseline is not None
        small = model.baseline
        pair = compare(predict_dataset(small, test), test, small.hyperparameters)
    varied = differences(offered)[select_by_evidence(evidences)]
    return own, pair, {**varied, "field_scale": model.hyperparameters.field_scale, "penalty": kappa}


def run_case(case: Case, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """Return one row of the table."""
    dataset = load(case.data)
    todo = list(folds(dataset, case))
    published = [pool.submit(run_fold, fold, True) for fold in todo]
    own = [pool.submit(run_fold, fold, False) for fold in todo]
    name = f"{case.data} {case.n_train}"
    results = [future.result() for future in track(own, name, transient=True)]
    pooled = case.split == "folds"
    return {
        "data": case.data,
        "n_train": case.n_train,
        "splits": "every configuration tested once" if pooled else f"{len(todo)} random splits",
        "soso": summary([errors for errors, _, _ in results], pooled),
        "pair_only": summary([errors for _, errors, _ in results], pooled),
        "published": summary([future.result()[0] for future in published], pooled),
        "chosen": [settings for _, _, settings in results],
        "limits": case.limits,
        "relative_limits": case.relative,
    }


def load(name: str) -> Dataset:
    """Return a data set by name."""
    return rattled_set(N_RATTLED, available_cores()) if name == "rattled" else read_dataset(DATA / f"{name}.extxyz")


def summary(errors: Sequence[Errors], pooled: bool) -> dict[str, Any]:
    """Return rms errors (pooled over folds, or averaged over splits), the labels' rms and coverages."""
    row: dict[str, Any] = {}
    for target in TARGETS:
        parts = [each[target] for each in errors if target in each]
        if not parts:
            continue
        rms = [float(np.sqrt(np.mean(part.errors**2))) for part in parts]
        z_k = np.concatenate([part.z for part in parts])
        row[target] = {
            "rmse": UNIT[target] * float(np.sqrt(np.mean(np.square(rms))) if pooled else np.mean(rms)),
            "labels_rms": UNIT[target] * float(np.sqrt(np.mean(np.concatenate([part.labels for part in parts]) ** 2))),
            "coverage_90": float(np.mean(np.abs(z_k) <= 1.6449)) if len(z_k) else None,
        }
    return row


def find_exceeded(row: dict[str, Any]) -> dict[str, float]:
    """Return the ratio of error to limit of every target above its limit."""
    own = row["soso"]
    limits = row["limits"] | {t: limit * own[t]["labels_rms"] for t, limit in row["relative_limits"].items()}
    return {t: own[t]["rmse"] / limit for t, limit in limits.items() if own[t]["rmse"] > limit}


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the rows: errors of the model, of the published settings and of the pair part alone."""
    table = Table(
        title="Errors on configurations not fitted to: energy meV/spin, field -∂E/∂e meV, force meV/Å, moment μB"
    )
    for column in ("data", "labels", "target"):
        table.add_column(column)
    for column in ("error", "limit", "of rms", "in 90 %", "published", "pair-only"):
        table.add_column(column, justify="right")
    for row in rows:
        for target, own in row["soso"].items():
            table.add_row(row["data"], str(row["n_train"]), target, *_cells(row, target, own))
        table.add_section()
    Console(width=None if sys.stdout.isatty() else 130).print(table)


def _cells(row: dict[str, Any], target: str, own: dict[str, float]) -> list[str]:
    absolute, relative = row["limits"].get(target), row["relative_limits"].get(target)
    limit = f"{absolute:g}" if absolute else f"{100 * relative:g} %" if relative else "-"
    share = "-" if target == "energy" else f"{100 * own['rmse'] / own['labels_rms']:.1f} %"
    others = [row[kind].get(target, {}).get("rmse") for kind in ("published", "pair_only")]
    inside = "-" if own["coverage_90"] is None else f"{100 * own['coverage_90']:.0f} %"
    return [f"{own['rmse']:.3f}", limit, share, inside, *("-" if v is None else f"{v:.3f}" for v in others)]


def main() -> int:
    """Run the cases; exit code 1 when an error is above its limit by more than SLACK, 2 without the data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="run the cases whose data have this in their name; results are not written")
    only = parser.parse_args().only
    if not DATA.is_dir():
        print(f"the published data are not in {DATA}", file=sys.stderr)
        return 2
    os.environ["SOSO_NUM_THREADS"] = "1"  # a process for each core instead
    with ProcessPoolExecutor(available_cores()) as pool:
        rows = [run_case(case, pool) for case in CASES if only is None or only in case.data]
    show(rows)
    if only is None:
        with atomic_write(RESULTS) as temporary:
            temporary.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf8")
    over = [(row, target, ratio) for row in rows for target, ratio in find_exceeded(row).items()]
    for row, target, ratio in over:
        where = f"{row['data']}, {row['n_train']} labels, {target}"
        print(f"above its limit by {100 * (ratio - 1):.2g} %: {where}", file=sys.stderr)
    return 1 if any(ratio > 1.0 + SLACK for _, _, ratio in over) else 0


if __name__ == "__main__":
    sys.exit(main())
