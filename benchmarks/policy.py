"""Selection and stopping on the two pools that no constant was set with: the table of docs/topics/active_learning.md.

`python benchmarks/study_pools.py tetragonal alloy` makes the pools; `python benchmarks/policy.py` makes the runs, keeps
them in benchmarks/results/study, and prints the table.  A third of each pool is never chosen and measures the error.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from study_pools import DATA

from soso_core.active.offline.replay import Run
from soso_core.active.offline.runs import StudyData, make_runs
from soso_core.active.offline.study import LabelKind, StudySettings, labels_to_reach, pool_data
from soso_core.active.stopping.policy import PolicySettings
from soso_core.active.stopping.records import Action
from soso_core.formats import read_dataset
from soso_core.gp.inference.defaults import choose_settings
from soso_core.symmetry.equivalence import equivalence_classes

RESULTS = Path(__file__).parent / "results" / "study"
POOLS = ("tetragonal", "alloy")
TARGET = 6.0
"""meV per spin."""
MAX_LABELS = {"energies": 36, "fields": 24}
COUNTS = (8, 12, 20)
VARIANTS = {
    "random": ("random", 0.5),
    "mean-variance, half of each batch": ("mean-variance", 0.5),
    "energy-variance, half of each batch": ("energy-variance", 0.5),
    "mean-variance, whole batches": ("mean-variance", 1.0),
}
"""Acquisition function and variance fraction of each row of the table."""
HEADINGS = (
    "selection",
    *(f"error at {n}" for n in COUNTS),
    f"labels to {TARGET:g} meV/spin",
    '"target met", true / all',
    "met unnoticed",
    "labels at the end",
)


def settings_of(labels: LabelKind, variant: str, n_seeds: int) -> StudySettings:
    """Return the settings of the runs of one row."""
    acquisition, fraction = VARIANTS[variant]
    policy = PolicySettings(n_initial=4, batch_size=4, max_labels=MAX_LABELS[labels], target_energy_meV_per_spin=TARGET)
    return StudySettings.model_validate(
        {
            "acquisitions": (acquisition,),
            "variance_fraction": fraction,
            "labels": (labels,),
            "n_seeds": n_seeds,
            "held_out": 0.33,
            "policy": policy,
        }
    )


def make_row(variant: str, runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the cells of one row: errors at some counts, labels to reach the target, and the ends of the runs."""
    errors = [_mean([step.energy for run in runs for step in run.steps if step.n_labels == n], 1) for n in COUNTS]
    reached = [labels_to_reach(run, TARGET) for run in runs]
    needed = _mean([run.steps[-1].n_labels if n is None else n for n, run in zip(reached, runs, strict=True)], 1)
    ends = [run.steps[-1 if run.stop is None else run.stop] for run in runs]
    met = [step for step in ends if step.action is Action.TARGET_MET]
    n_right = sum(step.energy <= TARGET for step in met)
    n_missed = sum(step.energy <= TARGET for step in ends) - n_right
    n_reached = sum(n is not None for n in reached)
    at_end = _mean([step.n_labels for step in ends], 1)
    return (
        variant,
        *errors,
        f"{needed} ({n_reached} of {len(runs)})",
        f"{n_right} / {len(met)}",
        str(n_missed),
        at_end,
    )


def _mean(values: Sequence[float], digits: int) -> str:
    error = np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.{digits}f} ± {error:.{digits}f}"


def _ignore(_: int) -> Callable[[], None]:
    return lambda: None


def print_table(pool: str, labels: LabelKind, n_seeds: int = 8) -> None:
    """Make the runs of one pool and one kind of label, and print their table in Markdown."""
    part = pool_data(read_dataset(DATA / f"{pool}_pool.extxyz"), labels)
    classes_k = equivalence_classes([item.configuration for item in part])
    data, folder = StudyData(part, labels, choose_settings(part), classes_k, ()), RESULTS / pool
    folder.mkdir(parents=True, exist_ok=True)
    print(f"\n{pool}, {labels}\n\n| {' | '.join(HEADINGS)} |\n|{' --- |' * len(HEADINGS)}")
    for variant in VARIANTS:
        settings = settings_of(labels, variant, n_seeds)
        (runs,) = make_runs(data, settings, folder, _ignore).values()
        print(f"| {' | '.join(make_row(variant, runs))} |", flush=True)


if __name__ == "__main__":
    for pool_name in POOLS:
        for kind in get_args(LabelKind):
            print_table(pool_name, kind)
