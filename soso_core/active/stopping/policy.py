"""When to stop and what to do next: a pure function of the history of blind tests."""

from collections.abc import Sequence

from pydantic import Field, model_validator
from scipy.special import chdtri  # scipy.stats takes half a second to import, in every job

from soso_core.active.stopping.blind_test import known_share, newest_pool, pooled_blind_error, two_pools
from soso_core.active.stopping.records import Action, Alternative, BatchRecord, Decision, History, LearningCurve
from soso_core.settings import Settings

REDUCIBLE = 0.5
"""The form is the floor when less than this share of the blind mean square is what the model does not know yet."""
IMPROVEMENT = 0.9
"""A blind error not below this share of the one before it does not fall; pools of eight scatter by a quarter."""
LEARNING_ENERGY = 0.7
"""Labels help when twice as many bring the error of energies below this share; averaging over noise brings 0.71."""
LEARNING_FIELD = 0.95
"""The same for fields: tens of components in each configuration scatter by a few percent."""


class PolicySettings(Settings):
    """Targets and limits of a campaign.

    The reported error is the root mean square over the blind tests of the last batches, at least
    `min_blind` configurations of them: one batch of five is too noisy to stop on.  A target is met when the upper bound
    of that error with the stated `confidence` meets it.
    """

    target_energy_meV_per_spin: float = Field(default=1.5, gt=0.0, description="for the bound on the blind-test error")
    target_field_meV: float | None = Field(default=None, gt=0.0, description="of -∂E/∂e per component; None: no target")
    confidence: float = Field(default=0.8, gt=0.0, lt=1.0, description="that the true error is below the bound")
    max_labels: int = Field(default=40, ge=1, description="budget of labels, at least `n_initial`")
    max_core_hours: float | None = Field(default=None, gt=0.0, description="of all label calculations; None: no limit")
    max_wall_hours: float | None = Field(default=None, gt=0.0, description="since the campaign began; None: no limit")
    n_initial: int = Field(default=5, ge=2, description="size of the first batch")
    batch_size: int = Field(default=5, ge=1, description="size of the other batches")
    min_blind: int = Field(default=8, ge=1, description="blind-test labels on which an error must rest")
    patience: int = Field(default=5, ge=1, description="batches without a 5 % better blind error before giving up")
    max_failed_fraction: float = Field(default=0.5, gt=0.0, le=1.0, description="of failed or rejected labels")
    stop_at_model_form: bool = Field(default=True, description="end with 'model form'; false: go on to the budget")

    @model_validator(mode="after")
    def _check_budget(self) -> "PolicySettings":
        if self.max_labels < self.n_initial:
            raise ValueError(f"max_labels ({self.max_labels}) is smaller than n_initial ({self.n_initial})")
        return self


def decide(
    history: History,
    settings: PolicySettings,
    alternatives: Sequence[Alternative] = (),
) -> Decision:
    """Return the decision after the last batch of `history`, which has one batch or more.

    Order of the rules: too many failures, target, model form, budget, progress.  `alternatives` are other model forms,
    fitted to the same labels.  Batches of an earlier exploration count for the budgets only.
    """
    present, since = history.present, history.since
    pool = newest_pool(present, settings.min_blind)
    energy, field = pooled_blind_error(present, settings.min_blind)
    n_blind = sum(item.n_blind for item in pool)
    bounds = [None if error is None else upper_bound(error, n_blind, settings.confidence) for error in (energy, field)]
    action, reason = _judge(history.batches, since, settings, energy, bounds, alternatives)
    n_next = next_size(history.batches[-1], settings) if action is Action.CONTINUE else 0
    may_be_floor = settings.stop_at_model_form and action is not Action.TOO_MANY_FAILURES
    needs_learning_curve = may_be_floor and suspects_floor(present, settings) and present[-1].learning_curve is None
    return Decision(
        action=action,
        reason=reason,
        n_next=n_next,
        needs_learning_curve=needs_learning_curve,
        blind_energy_rmse_meV_per_spin=energy,
        blind_field_rmse_meV=field,
        energy_bound_meV_per_spin=bounds[0],
        field_bound_meV=bounds[1],
        n_blind=n_blind if energy is not None else 0,
    )


def next_size(last: BatchRecord, settings: PolicySettings) -> int:
    """Return the size of the next batch: no more than the budgets of labels and core-hours have room for.

    A label is expected to cost what those before it did on average, failed ones included; one is always asked for.
    """
    room = min(settings.batch_size, settings.max_labels - last.n_labels)
    n_made = last.n_labels + last.n_failed + last.n_below_grade
    if settings.max_core_hours is None or not last.core_hours or not n_made:
        return room
    left = settings.max_core_hours - last.core_hours
    return max(1, min(room, int(left * n_made / last.core_hours)))


def upper_bound(rmse: float, n: int, confidence: float) -> float:
    """Return what the true error is below, with this confidence, given the root mean square of n normal errors.

    n rmse²/σ² follows the chi-square distribution with n degrees of freedom.  Field components of one configuration are
    not independent and count as one error, which makes their bound wide rather than narrow.
    """
    return float(rmse * (n / chdtri(n, confidence)) ** 0.5)


def lower_bound(rmse: float, n: int, confidence: float) -> float:
    """Return what the true error is above, with this confidence."""
    return float(rmse * (n / chdtri(n, 1.0 - confidence)) ** 0.5)


def suspects_floor(history: Sequence[BatchRecord], settings: PolicySettings) -> bool:
    """Return whether more labels may not help.

    The last batch was tested blind, the target is missed with the stated confidence, and the variance that labels could
    still take away is a minor part of the blind mean square.
    """
    if not history or not history[-1].n_blind:
        return False
    pool = newest_pool(history, settings.min_blind)
    now = known_share(pool)
    if now is None or not now[1] < REDUCIBLE**0.5 * now[0]:
        return False
    lowest = lower_bound(now[0], sum(item.n_blind for item in pool), settings.confidence)
    return lowest > settings.target_energy_meV_per_spin


def is_at_floor(history: Sequence[BatchRecord], settings: PolicySettings) -> bool:
    """Return whether more labels will not help: it is suspected, and two things bear it out.

    Doubling the labels was seen not to help (`learning` of the last record); and so it was after the batch before, or
    else the blind error stands still while what the model does not know falls.
    """
    before, last = (history[-2].learning_curve if len(history) > 1 else None), history[-1].learning_curve
    if last is None or labels_help(last) or not suspects_floor(history, settings):
        return False
    return (before is not None and not labels_help(before)) or _stands_still(history, settings)


def labels_help(test: LearningCurve) -> bool:
    """Return whether models with twice the labels do better on labels left out, by energies or by fields."""
    whole, half = test.field_rmse_meV, test.half_field_rmse_meV
    if whole is not None and half is not None and whole < LEARNING_FIELD * half:
        return True
    return test.energy_rmse_meV_per_spin < LEARNING_ENERGY * test.half_energy_rmse_meV_per_spin


def trust(history: Sequence[BatchRecord]) -> float | None:
    """Return the share of the next batch that is worth choosing by variance; the rest is better drawn at random.

    It is the share of the blind mean square that the model's own variance accounts for.  What is left is no lack of
    labels but of form; configurations that are extreme to the model would then bend it away from the usual ones.  None
    as long as nothing is known.
    """
    known = known_share(newest_pool(history, 1))
    return None if known is None else min(1.0, (known[1] / max(known[0], 1e-12)) ** 2)


def _stands_still(history: Sequence[BatchRecord], settings: PolicySettings) -> bool:
    """Return whether the newest pool of blind tests is no better than the one before, of which half as many will do.

    In between, the variance of the model fell.  Where it was a minor part before already, only a fall beyond doubt
    counts as better.
    """
    newest, before = two_pools(history, settings.min_blind)
    now, earlier = known_share(newest), known_share(before)
    if now is None or earlier is None or not now[1] < earlier[1]:
        return False
    if earlier[1] >= REDUCIBLE**0.5 * earlier[0]:
        return now[0] >= IMPROVEMENT * earlier[0]
    n_now, n_earlier = (sum(item.n_blind for item in pool) for pool in (newest, before))
    upper = upper_bound(now[0], n_now, settings.confidence)
    return upper >= lower_bound(earlier[0], n_earlier, settings.confidence)


def _judge(
    history: Sequence[BatchRecord],
    since: int,
    settings: PolicySettings,
    energy: float | None,
    bounds: Sequence[float | None],
    alternatives: Sequence[Alternative],
) -> tuple[Action, str]:
    present = history[since:]
    if (failures := _failures(history, since, settings)) is not None:
        return Action.TOO_MANY_FAILURES, failures
    if _meets_target(settings, bounds):
        said = f"blind error {energy:.2f} meV/spin, below {bounds[0]:.2f} with {settings.confidence:.0%} confidence"
        return Action.TARGET_MET, f"{said}, target {settings.target_energy_meV_per_spin:g}"
    if settings.stop_at_model_form and present and is_at_floor(present, settings):
        return Action.MODEL_FORM, f"more labels will not help: blind error {energy:.2f} meV/spin; {_help(alternatives)}"
    if spent := spent_budgets(history[-1], settings):
        return Action.BUDGET_EXHAUSTED, next(iter(spent.values()))
    if _is_stuck(present, settings):
        return Action.NO_PROGRESS, f"no better blind error in {settings.patience} batches"
    if not present:
        return Action.CONTINUE, "another exploration"
    if (learning := present[-1].learning_curve) is not None:
        return Action.CONTINUE, f"labels {'help' if labels_help(learning) else 'may not help'}: {_learnt(learning)}"
    return Action.CONTINUE, "target not met yet" if energy is not None else "too few blind tests yet"


def _failures(history: Sequence[BatchRecord], since: int, settings: PolicySettings) -> str | None:
    """Return what failed of the labels from batch `since` on, when that is too much."""
    if since >= len(history):
        return None
    last, before = history[-1], history[since - 1] if since else BatchRecord(batch=0, n_labels=0, n_failed=0)
    n_labels, n_failed = last.n_labels - before.n_labels, last.n_failed - before.n_failed
    n_below = last.n_below_grade - before.n_below_grade
    lost = n_failed + n_below  # both cost a run and taught nothing
    attempted = n_labels + lost
    if n_labels > 0 and lost <= settings.max_failed_fraction * attempted:
        return None
    below = f", {n_below} came below the minimum grade" if n_below else ""
    return f"{n_failed} of {attempted} labels failed{below}"


def spent_budgets(last: BatchRecord, settings: PolicySettings) -> dict[str, str]:
    """Return the budgets that are used up after a batch, by their keys: what was used, of how much."""
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


def _help(alternatives: Sequence[Alternative]) -> str:
    """Return in words what the refits say."""
    if not alternatives:
        return "another model form might: three-body channels, a longer range, other lengths"
    best = min(alternatives, key=lambda item: item.ratio)
    if best.ratio > IMPROVEMENT:
        return f"nor would what was tried: {', '.join(item.name for item in alternatives)}"
    errors = f"{best.energy_rmse_meV_per_spin:.2f} instead of {best.present_rmse_meV_per_spin:.2f} meV/spin left out"
    return f"what would help: {best.name} ({errors})"


def _learnt(test: LearningCurve) -> str:
    """Return in words the errors on labels left out, with all others and with half of them."""
    said = [_two_errors(test.energy_rmse_meV_per_spin, test.half_energy_rmse_meV_per_spin, "meV/spin")]
    if test.field_rmse_meV is not None and test.half_field_rmse_meV is not None:
        said.append(_two_errors(test.field_rmse_meV, test.half_field_rmse_meV, "meV of fields"))
    return f"error on those left out {', '.join(said)} with half of them"


def _two_errors(whole: float, half: float, unit: str) -> str:
    return f"{whole:.2f} instead of {half:.2f} {unit}"


def _meets_target(settings: PolicySettings, bounds: Sequence[float | None]) -> bool:
    energy, field = bounds
    if energy is None or energy > settings.target_energy_meV_per_spin:
        return False
    return settings.target_field_meV is None or (field is not None and field <= settings.target_field_meV)


def _is_stuck(history: Sequence[BatchRecord], settings: PolicySettings) -> bool:
    """No pooled error of the last `patience` batches is 5 % below the best one before them."""
    errors = [pooled_blind_error(history[: n + 1], settings.min_blind)[0] for n in range(len(history))]
    known = [error for error in errors if error is not None]
    if len(known) <= settings.patience:
        return False
    best_before = min(known[: -settings.patience])
    return min(known[-settings.patience :]) > 0.95 * best_before
