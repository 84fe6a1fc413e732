"""The decision after each batch: continue, or end the campaign.  A pure function of the history."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pydantic import Field, model_validator

from soso_core.active.stopping.blind_test import BlindTest, lower_bound, pool_blind_tests
from soso_core.active.stopping.records import Action, Alternative, BatchRecord, Decision, History, LearningCurve
from soso_core.settings import Settings

IMPROVEMENT = 0.9
"""An error counts as lower when it is below this share of the other: of a later batch, of the model with twice the
labels, of another model form."""
MINOR = 0.5
"""Model-form error is suspected where the predicted variance is less than this share of the blind mean square error."""


class PolicySettings(Settings):
    """Target and budgets of a campaign.

    The blind error is the root mean square error of the population of candidates, estimated from the newest batches
    that hold `min_blind` configurations or more (`stopping.blind_test`).  A target is met when the upper bound of the
    blind error, with the stated `confidence`, is at or below it.
    """

    target_energy_meV_per_spin: float = Field(default=1.5, gt=0.0, description="for the bound on the blind-test error")
    target_field_meV: float | None = Field(default=None, gt=0.0, description="of -∂E/∂e per component; None: no target")
    confidence: float = Field(default=0.8, gt=0.0, lt=1.0, description="that the true error is below the bound")
    max_labels: int = Field(default=40, ge=1, description="budget of labels, at least `n_initial`")
    max_core_hours: float | None = Field(default=None, gt=0.0, description="of all label calculations; None: no limit")
    max_wall_hours: float | None = Field(default=None, gt=0.0, description="since the campaign began; None: no limit")
    n_initial: int = Field(default=5, ge=2, description="size of the first batch")
    batch_size: int = Field(default=5, ge=1, description="size of the other batches")
    min_blind: int = Field(default=10, ge=1, description="blind-tested labels that an estimate needs")
    patience: int = Field(default=5, ge=1, description="batches without a 10 % lower blind error before the end")
    max_failed_fraction: float = Field(default=0.5, gt=0.0, le=1.0, description="of failed or rejected labels")
    diagnose_model_form: bool = Field(
        default=True, description="end with 'model form' where more labels do not reduce the error"
    )

    @model_validator(mode="after")
    def _check_budget(self) -> "PolicySettings":
        if self.max_labels < self.n_initial:
            raise ValueError(f"max_labels ({self.max_labels}) is smaller than n_initial ({self.n_initial})")
        return self


class Situation(NamedTuple):
    """All that the rules look at: history, settings, pooled blind test, and other model forms fitted to the labels."""

    history: History
    settings: PolicySettings
    blind: BlindTest
    alternatives: Sequence[Alternative]


class Rule(NamedTuple):
    """One way to end: the action, the condition in words, and a function that returns the reason where it holds."""

    action: Action
    condition: str
    reason: Callable[[Situation], str | None]


def decide(history: History, settings: PolicySettings, alternatives: Sequence[Alternative] = ()) -> Decision:
    """Return the decision after the last batch of `history`: that of the first of `RULES` that holds, or to continue.

    Parameters
    ----------
    history : one batch or more; those before the last extension count for the budgets only
    settings : target and budgets
    alternatives : other model forms, fitted to the same labels; the reason of "model form" names the best of them

    The same history gives the same decision.
    """
    blind = pool_blind_tests(history.present, settings.min_blind, settings.confidence)
    situation = Situation(history, settings, blind, alternatives)
    found = ((rule.action, rule.reason(situation)) for rule in RULES)
    action, reason = next(
        ((action, reason) for action, reason in found if reason is not None),
        (Action.CONTINUE, _why_continue(situation)),
    )
    is_open = action is not Action.TOO_MANY_FAILURES and suspects_model_form(situation)
    return Decision(
        action=action,
        reason=reason,
        n_next=next_size(history.batches[-1], settings) if action is Action.CONTINUE else 0,
        needs_learning_curve=is_open and history.batches[-1].learning_curve is None,
        blind_energy_rmse_meV_per_spin=blind.energy,
        blind_field_rmse_meV=blind.field,
        energy_bound_meV_per_spin=blind.energy_bound,
        field_bound_meV=blind.field_bound,
        n_blind=blind.n if blind.energy is not None else 0,
    )


def next_size(last: BatchRecord, settings: PolicySettings) -> int:
    """Return the size of the next batch: `batch_size`, or the rest of the budget of labels or core-hours.

    A label is expected to cost the average of those before it, failed ones included; the size is one or more.
    """
    room = min(settings.batch_size, settings.max_labels - last.n_labels)
    n_made = last.n_labels + last.n_failed + last.n_below_grade
    if settings.max_core_hours is None or not last.core_hours or not n_made:
        return room
    left = settings.max_core_hours - last.core_hours
    return max(1, min(room, int(left * n_made / last.core_hours)))


def suspects_model_form(situation: Situation) -> bool:
    """Return whether model-form error is suspected, so that the learning-curve check is needed.

    The last batch has a blind test, the lower bound of the blind error is above the target, and the predicted variance
    is a minor part of the blind mean square error.
    """
    _, settings, blind, _ = situation
    present = situation.history.present
    if not settings.diagnose_model_form or not present or not present[-1].n_blind:
        return False
    if blind.energy is None or blind.model_share is None:
        return False
    is_missed = lower_bound(blind.energy, blind.n, settings.confidence) > settings.target_energy_meV_per_spin
    return is_missed and blind.model_share < MINOR


def labels_help(test: LearningCurve) -> bool:
    """Return whether models of twice the labels have lower errors on labels left out: of fields where there are any.

    A configuration has tens of field components and one energy, so that errors of fields scatter less.
    """
    if test.field_rmse_meV is not None and test.half_field_rmse_meV is not None:
        return test.field_rmse_meV < IMPROVEMENT * test.half_field_rmse_meV
    return test.energy_rmse_meV_per_spin < IMPROVEMENT * test.half_energy_rmse_meV_per_spin


def spent_budgets(last: BatchRecord, settings: PolicySettings) -> dict[str, str]:
    """Return the budgets that are used up after a batch, by their keys: the amount used, and the limit."""
    budgets = (
        ("max_labels", "labels", last.n_labels),
        ("max_core_hours", "core-hours", last.core_hours),
        ("max_wall_hours", "hours", last.wall_hours),
    )
    limits = {key: getattr(settings, key) for key, *_ in budgets}
    return {
        key: f"{used if isinstance(used, int) else f'{used:.3g}'} {unit} used of {limits[key]:g}"
        for key, unit, used in budgets
        if used is not None and limits[key] is not None and used >= limits[key]
    }


def _failures(situation: Situation) -> str | None:
    """Return the count of failed labels of this exploration when it exceeds `max_failed_fraction`."""
    history, since = situation.history, situation.history.since
    if not history.present:
        return None
    last = history.batches[-1]
    before = history.batches[since - 1] if since else BatchRecord(batch=0, n_labels=0, n_failed=0)
    n_labels, n_failed = last.n_labels - before.n_labels, last.n_failed - before.n_failed
    n_below = last.n_below_grade - before.n_below_grade
    lost = n_failed + n_below  # both cost a calculation and are not trained on
    attempted = n_labels + lost
    if n_labels > 0 and lost <= situation.settings.max_failed_fraction * attempted:
        return None
    below = f", {n_below} came below the minimum grade" if n_below else ""
    return f"{n_failed} of {attempted} labels failed{below}"


def _meets_target(situation: Situation) -> str | None:
    settings, blind = situation.settings, situation.blind
    if blind.energy_bound is None or blind.energy_bound > settings.target_energy_meV_per_spin:
        return None
    target, field = settings.target_field_meV, blind.field_bound
    if target is not None and (field is None or field > target):
        return None
    bound = f"below {blind.energy_bound:.2f} with {settings.confidence:.0%} confidence"
    return f"blind error {blind.energy:.2f} meV/spin, {bound}, target {settings.target_energy_meV_per_spin:g}"


def _is_model_form(situation: Situation) -> str | None:
    test = situation.history.batches[-1].learning_curve
    if test is None or labels_help(test) or not suspects_model_form(situation):
        return None
    error = f"blind error {situation.blind.energy:.2f} meV/spin"
    return f"more labels will not help: {error}; {_advice(situation.alternatives)}"


def _is_spent(situation: Situation) -> str | None:
    return next(iter(spent_budgets(situation.history.batches[-1], situation.settings).values()), None)


def _is_stuck(situation: Situation) -> str | None:
    """Return the reason when no blind error of the last `patience` batches is lower than the best one before them."""
    present, settings = situation.history.present, situation.settings
    tests = [pool_blind_tests(present[: n + 1], settings.min_blind, settings.confidence) for n in range(len(present))]
    known = [test.energy for test in tests if test.energy is not None]
    if len(known) <= settings.patience:
        return None
    if min(known[-settings.patience :]) < IMPROVEMENT * min(known[: -settings.patience]):
        return None
    return f"no better blind error in {settings.patience} batches"


RULES = (
    Rule(Action.TOO_MANY_FAILURES, "failed labels > max_failed_fraction", _failures),
    Rule(Action.TARGET_MET, "upper bound of the blind error ≤ target", _meets_target),
    Rule(Action.MODEL_FORM, "more labels do not reduce the error", _is_model_form),
    Rule(Action.BUDGET_EXHAUSTED, "labels, core-hours or hours are used up", _is_spent),
    Rule(Action.NO_PROGRESS, "no lower blind error in `patience` batches", _is_stuck),
)
"""The ways to end, in the order in which `decide` tries them."""


def _why_continue(situation: Situation) -> str:
    present = situation.history.present
    if not present:
        return "another exploration"
    if (test := present[-1].learning_curve) is not None:
        return f"labels {'help' if labels_help(test) else 'may not help'}: {_errors_left_out(test)}"
    return "target not met yet" if situation.blind.energy is not None else "too few blind tests yet"


def _advice(alternatives: Sequence[Alternative]) -> str:
    """Return the alternative model form with the lowest error, in words."""
    if not alternatives:
        return "another model form might: try three-body channels, a longer range, other radial widths"
    best = min(alternatives, key=lambda item: item.ratio)
    if best.ratio > IMPROVEMENT:
        return f"none of the alternatives tried improves it: {', '.join(item.name for item in alternatives)}"
    errors = f"{best.energy_rmse_meV_per_spin:.2f} instead of {best.present_rmse_meV_per_spin:.2f} meV/spin left out"
    return f"try {best.name} ({errors})"


def _errors_left_out(test: LearningCurve) -> str:
    """Return in words the errors on labels left out, with all others and with half of them."""
    errors = [f"{test.energy_rmse_meV_per_spin:.2f} instead of {test.half_energy_rmse_meV_per_spin:.2f} meV/spin"]
    if test.field_rmse_meV is not None and test.half_field_rmse_meV is not None:
        errors.append(f"{test.field_rmse_meV:.2f} instead of {test.half_field_rmse_meV:.2f} meV of fields")
    return f"error on those left out {', '.join(errors)} with half of them"
