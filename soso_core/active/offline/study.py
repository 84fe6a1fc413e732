"""An offline study: many replays of one pool, and their summary."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from soso_core.active.offline.replay import Run, Step
from soso_core.active.selection.acquisition import VARIANCE_FRACTION, Acquisition
from soso_core.active.stopping.policy import PolicySettings
from soso_core.active.stopping.records import Action
from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.gp.model.settings import FitSettings
from soso_core.settings import Settings

LabelKind = Literal["energies", "fields"]
HELD_OUT_STREAM = 1
"""Stream that draws the held-out configurations, so that they do not depend on the acquisition function."""


class StudySettings(Settings):
    """The runs of an offline study: acquisition functions, kinds of labels, seeds.

    `group_by` names a fact of the labels (`info`) that divides the pool; the worst group is then shown, too.
    `held_out` is the share of the pool that is drawn by each seed, never chosen, and tested on; 0: the error is that on
    everything left.  `targets` are errors in meV per spin; a table gives the labels needed to reach each.
    """

    acquisitions: tuple[Acquisition, ...] = Field(
        default=("mean-variance", "random"), min_length=1, description="acquisition functions"
    )
    variance_fraction: float = Field(
        default=VARIANCE_FRACTION, ge=0.0, le=1.0, description="share of a batch chosen by them, the rest at random"
    )
    labels: tuple[LabelKind, ...] = Field(
        default=("energies", "fields"),
        min_length=1,
        description="content of the labels; `fields` means energies and fields",
    )
    n_seeds: int = Field(default=20, ge=1, description="runs of each acquisition function")
    group_by: str | None = Field(default=None, min_length=1, description="fact that divides the pool; None: no groups")
    held_out: float = Field(default=0.0, ge=0.0, le=0.8, description="share of the pool kept for tests; 0: all unused")
    targets: tuple[Annotated[float, Field(gt=0.0)], ...] = Field(
        default=(1.7, 1.5, 1.3), description="errors for which the required labels are reported, meV per spin"
    )
    counts: tuple[Annotated[int, Field(ge=2)], ...] = Field(default=(8, 12, 20), description="rows of the error table")
    policy: PolicySettings = Field(
        default=PolicySettings(n_initial=4, batch_size=2, max_labels=30),
        description="as in a campaign; unless given: four labels first, then two at a time, up to 30",
    )

    @model_validator(mode="after")
    def _check_unlike(self) -> "StudySettings":
        for key in ("acquisitions", "labels", "targets", "counts"):
            values = getattr(self, key)
            if len(set(values)) < len(values):
                raise ValueError(f"{key} contains duplicates")
        return self


class Mean(Settings):
    """A mean over seeds and its standard error."""

    mean: float
    error: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """Return mean and standard error of some values; the error of one value is zero."""
        n = len(values)
        return cls(mean=float(np.mean(values)), error=float(np.std(values, ddof=1) / n**0.5) if n > 1 else 0.0, n=n)


class Needed(Settings):
    """Labels needed to reach a target: runs that never do count with the labels they had."""

    target: float
    labels: Mean
    n_reached: int


class At(Settings):
    """Errors at one count of labels."""

    n_labels: int
    energy: Mean
    energy_largest: Mean
    worst_group: Mean | None = None
    expected: Mean
    field: Mean | None = None
    field_largest: Mean | None = None


class Stops(Settings):
    """The ends of the runs: how often for each reason, and whether they were right.

    `n_right` counts the runs that ended with "target met" at an error at or below the target, `n_missed` those that
    ended otherwise although their error was at or below the target.
    """

    reasons: Mapping[str, int]
    labels: Mean | None
    n_met: int
    n_right: int
    n_missed: int


class Summary(Settings):
    """One acquisition function on one kind of label."""

    labels: LabelKind
    acquisition: Acquisition
    needed: tuple[Needed, ...]
    at: tuple[At, ...]
    stops: Stops


class StudyFile(BaseModel):
    """The contents of study.json: settings of study and fit, summaries, and every run."""

    model_config = ConfigDict(frozen=True)

    data: str
    n_configurations: int
    settings: StudySettings
    fit: Mapping[str, FitSettings]
    summaries: tuple[Summary, ...]
    runs: Mapping[str, tuple[Run, ...]]


def pool_data(dataset: Dataset, labels: LabelKind) -> Dataset:
    """Return the labels that a study uses.  Raises InputError when a configuration has none of them."""
    for k, item in enumerate(dataset):
        if item.energy is None:
            raise InputError(f"configuration {k} has no energy; a study needs one of each")
        if labels == "fields" and item.exchange_fields_ac is None:
            raise InputError(f"configuration {k} has no exchange fields; study energies alone")
    bare = [replace(item, forces_ac=None, stress_cc=None) for item in dataset]
    if labels == "energies":
        bare = [replace(item, exchange_fields_ac=None, moment_magnitudes_a=None) for item in bare]
    return Dataset(tuple(bare))


def labels_at_hand(dataset: Dataset, wanted: Sequence[LabelKind]) -> tuple[LabelKind, ...]:
    """Return the kinds of labels that are wanted and there."""
    has_fields = all(item.exchange_fields_ac is not None for item in dataset)
    return tuple(kind for kind in wanted if kind == "energies" or has_fields)


def groups(dataset: Dataset, key: str | None) -> tuple[str, ...]:
    """Return the group of each configuration, none without a key.  Raises InputError where the fact is missing."""
    if key is None:
        return ()
    for k, item in enumerate(dataset):
        if key not in item.info:
            raise InputError(f"configuration {k} has no '{key}' to group by; it has {', '.join(sorted(item.info))}")
    return tuple(str(item.info[key]) for item in dataset)


def held_out(n: int, settings: StudySettings, seed: int) -> list[int]:
    """Return which of n configurations are held out in the runs of a seed, the same for every acquisition function."""
    order = np.random.default_rng([HELD_OUT_STREAM, seed]).permutation(n)
    return sorted(order[: round(settings.held_out * n)].tolist())


def check_budget(n: int, settings: StudySettings) -> None:
    """Raise InputError when the first batch would leave nothing to test on."""
    free = n - round(settings.held_out * n)
    if settings.policy.n_initial >= free:
        raise InputError(f"the first batch is {settings.policy.n_initial}, but there are only {free} configurations")


def summary(labels: LabelKind, runs: Sequence[Run], settings: StudySettings) -> Summary:
    """Return the summary of the runs of one acquisition function."""
    return Summary(
        labels=labels,
        acquisition=runs[0].acquisition,
        needed=tuple(_count_needed(runs, target) for target in settings.targets),
        at=tuple(_at([run.steps[i] for run in runs]) for i in range(min(len(run.steps) for run in runs))),
        stops=_stops(runs, settings.policy.target_energy_meV_per_spin),
    )


def labels_to_reach(run: Run, target: float) -> int | None:
    """Return the count of labels at which the error on the rest of the pool meets a target; None when it never does."""
    return next((step.n_labels for step in run.steps if step.energy <= target), None)


def curve(runs: Sequence[Run], key: str) -> tuple[FloatArray, FloatArray]:
    """Return the counts (n,) and the values (seed, n) of one number of the steps."""
    n_steps = min(len(run.steps) for run in runs)
    counts_n = np.array([step.n_labels for step in runs[0].steps[:n_steps]], dtype=float)
    return counts_n, np.array([[getattr(step, key) for step in run.steps[:n_steps]] for run in runs], dtype=float)


def _count_needed(runs: Sequence[Run], target: float) -> Needed:
    reached = [labels_to_reach(run, target) for run in runs]
    counts = [run.steps[-1].n_labels if n is None else n for n, run in zip(reached, runs, strict=True)]
    return Needed(target=target, labels=Mean.of(counts), n_reached=sum(n is not None for n in reached))


def _at(steps: Sequence[Step]) -> At:
    def mean(key: str) -> Mean:
        return Mean.of([getattr(step, key) for step in steps])

    own = {key: mean(key) for key in ("energy", "energy_largest", "expected")}
    optional = ("field", "field_largest", "worst_group")
    known = {key: mean(key) for key in optional if all(getattr(step, key) is not None for step in steps)}
    return At(n_labels=steps[0].n_labels, **own, **known)


def _stops(runs: Sequence[Run], target: float) -> Stops:
    stopped = [run.steps[run.stop] for run in runs if run.stop is not None]
    met = [step for step in stopped if step.action is Action.TARGET_MET]
    reasons = [step.action.value for step in stopped]
    return Stops(
        reasons={reason: reasons.count(reason) for reason in sorted(set(reasons))},
        labels=Mean.of([step.n_labels for step in stopped]) if stopped else None,
        n_met=len(met),
        n_right=sum(step.energy <= target for step in met),
        n_missed=sum(step.energy <= target for step in stopped if step.action is not Action.TARGET_MET),
    )
