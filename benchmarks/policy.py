"""Selection and stopping on two pools: the tables of docs/topics/active_learning.md.

`python benchmarks/study_pools.py tetragonal alloy` makes the pools; `python benchmarks/policy.py [POOL ...]` makes
the runs, keeps them in benchmarks/results/study, and prints two tables for each pool and kind of label: errors by
selection, and the ends of the same runs by other settings of the policy.  A third of each pool is never chosen and
measures the error.
"""

import sys
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
DEFAULT = "mean-variance, half of each batch"
VARIANTS = {
    "random": ("random", 0.5),
    DEFAULT: ("mean-variance", 0.5),
    "energy-variance, half of each batch": ("energy-variance", 0.5),
    "mean-variance, whole batches": ("mean-variance", 1.0),
}
"""Acquisition function and variance fraction of each row of the table."""
STOPPING = {
    f"confidence {confidence:g}, min_blind {n}": {"confidence": confidence, "min_blind": n}
    for confidence in (0.8, 0.9, 0.95)
    for n in (8, 10)
}
"""Settings of the policy in each row of the second table."""
HEADINGS = ("selection", *(f"error at {n}" for n in COUNTS), f"labels to {TARGET:g} meV/spin", "reached")
STOP_HEADINGS = ("policy", '"target met", true / all', "met unnoticed", "labels at the end")


def settings_of(labels: LabelKind, variant: str, n_seeds: int) -> StudySettings:
    """Return the settings of the runs of one row."""
    acquisition, fraction = VARIANTS[variant]
    policy = policy_of(labels)
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


def policy_of(labels: LabelKind, **changes: float) -> PolicySettings:
    """Return the policy of the runs, with changes."""
    return PolicySettings.model_validate(
        {
            "n_initial": 4,
            "batch_size": 4,
            "max_labels": MAX_LABELS[labels],
            "target_energy_meV_per_spin": TARGET,
            "diagnose_model_form": False,
            **changes,
        }
    )


def make_row(variant: str, runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the cells of one row: errors at some counts, and labels to reach the target."""
    errors = [_mean([step.energy for run in runs for step in run.steps if step.n_labels == n], 1) for n in COUNTS]
    reached = [labels_to_reach(run, TARGET) for run in runs]
    needed = _mean([run.steps[-1].n_labels if n is None else n for n, run in zip(reached, runs, strict=True)], 1)
    return variant, *errors, needed, f"{sum(n is not None for n in reached)} of {len(runs)}"


def make_stop_row(name: str, runs: Sequence[Run], policy: PolicySettings) -> tuple[str, ...]:
    """Return the cells of one row: how the runs end by another policy."""
    ends = [run.end_by(policy) for run in runs]
    met = [step for step, action in ends if action is Action.TARGET_MET]
    n_right = sum(step.energy <= TARGET for step in met)
    n_missed = sum(step.energy <= TARGET for step, _ in ends) - n_right
    return name, f"{n_right} / {len(met)}", str(n_missed), _mean([step.n_labels for step, _ in ends], 1)


def _mean(values: Sequence[float], digits: int) -> str:
    error = np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.{digits}f} ± {error:.{digits}f}"


def _ignore(_: int) -> Callable[[], None]:
    return lambda: None


def print_tables(pool: str, labels: LabelKind, n_seeds: int = 6) -> None:
    """Make the runs of one pool and one kind of label, and print their tables in Markdown."""
    part = pool_data(read_dataset(DATA / f"{pool}_pool.extxyz"), labels)
    classes_k = equivalence_classes([item.configuration for item in part])
    data, folder = StudyData(part, labels, choose_settings(part), classes_k, ()), RESULTS / pool
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    _print_row(f"{pool}, {labels}", *HEADINGS[1:])
    for variant in VARIANTS:
        (found[variant],) = make_runs(data, settings_of(labels, variant, n_seeds), folder, _ignore).values()
        _print_row(*make_row(variant, found[variant]))
    _print_row(f"{pool}, {labels}", *STOP_HEADINGS[1:])
    for name, changes in STOPPING.items():
        _print_row(*make_stop_row(name, found[DEFAULT], policy_of(labels, **changes)))


def _print_row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    for pool_name in sys.argv[1:] or POOLS:
        for kind in get_args(LabelKind):
            print_tables(pool_name, kind)
