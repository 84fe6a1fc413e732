"""When to stop and what to do next: a pure function of the history of blind tests."""

from collections.abc import Sequence
from enum import Enum

from pydantic import Field, model_validator

from soso_core.settings import Settings


class Action(str, Enum):
    """What the loop does after a batch."""

    CONTINUE = "continue"
    TARGET_MET = "target met"
    BUDGET_EXHAUSTED = "budget exhausted"
    NO_PROGRESS = "no progress"
    TOO_MANY_FAILURES = "too many failed labels"


class PolicySettings(Settings):
    """Targets and limits of a campaign.

    The reported error is the root mean square over the blind tests of the last batches, at least
    `min_blind` configurations of them: one batch of five is too noisy to stop on.
    """

    target_energy_meV_per_spin: float = Field(default=1.5, gt=0.0)
    target_field_meV: float | None = Field(default=None, gt=0.0, description="of -∂E/∂e per component; None: no target")
    max_labels: int = Field(default=40, ge=1)
    n_initial: int = Field(default=5, ge=2)
    batch_size: int = Field(default=5, ge=1)
    min_blind: int = Field(default=8, ge=1)
    patience: int = Field(default=5, ge=1, description="batches without a 5 % better blind error before giving up")
    max_failed_fraction: float = Field(default=0.5, gt=0.0, le=1.0)

    @model_validator(mode="after")
    def _check_budget(self) -> "PolicySettings":
        if self.max_labels < self.n_initial:
            raise ValueError(f"max_labels ({self.max_labels}) is smaller than n_initial ({self.n_initial})")
        return self


class BatchRecord(Settings):
    """What one batch taught: counts, and the blind errors of the model that had not seen it.

    Errors are None for the first batch (no model yet), and fields where the engine gave none.
    `n_blind` counts the configurations behind the errors; `n_labels`, `n_failed` and `n_below_grade` (labels that were
    not trusted enough to train on) are running totals.
    """

    batch: int = Field(ge=0)
    n_labels: int = Field(ge=0)
    n_failed: int = Field(ge=0)
    n_below_grade: int = Field(default=0, ge=0)
    n_blind: int = Field(default=0, ge=0)
    energy_rmse_meV_per_spin: float | None = None
    field_rmse_meV: float | None = None
    energy_std_meV_per_spin: float | None = None
    pair_only_energy_rmse_meV_per_spin: float | None = None
    pair_only_field_rmse_meV: float | None = None


class Decision(Settings):
    """What to do next and why; `n_next` is the size of the next batch (0 when the loop stops).

    The two errors are those of the pooled blind tests the decision rests on.
    """

    action: Action
    reason: str
    n_next: int = Field(default=0, ge=0)
    blind_energy_rmse_meV_per_spin: float | None = None
    blind_field_rmse_meV: float | None = None


def decide(history: Sequence[BatchRecord], settings: PolicySettings) -> Decision:
    """Return the decision after the last record of `history` (oldest first, at least one record).

    Order of the rules: too many failures, target, budget, progress.  Pure: same history, same answer.
    """
    last = history[-1]
    energy, field = pooled_blind_error(history, settings.min_blind)
    action, reason = _judge(history, settings, energy, field)
    n_next = min(settings.batch_size, settings.max_labels - last.n_labels) if action is Action.CONTINUE else 0
    return Decision(
        action=action,
        reason=reason,
        n_next=n_next,
        blind_energy_rmse_meV_per_spin=energy,
        blind_field_rmse_meV=field,
    )


def pooled_blind_error(history: Sequence[BatchRecord], min_blind: int) -> tuple[float | None, float | None]:
    """Return the energy and field RMSE over the newest blind tests, going back until `min_blind` are pooled.

    Both None while fewer than `min_blind` configurations were tested blind; the field one also when
    a pooled batch has no fields.
    """
    tested: list[BatchRecord] = []
    for record in reversed(history):
        if record.n_blind and record.energy_rmse_meV_per_spin is not None:
            tested.append(record)
        if sum(item.n_blind for item in tested) >= min_blind:
            break
    else:
        return None, None
    weights = [item.n_blind for item in tested]
    energy = _pooled(weights, [item.energy_rmse_meV_per_spin for item in tested])
    return energy, _pooled(weights, [item.field_rmse_meV for item in tested])


def _pooled(weights: Sequence[int], errors: Sequence[float | None]) -> float | None:
    known = [error for error in errors if error is not None]
    if len(known) < len(errors):
        return None
    total = sum(weight * error**2 for weight, error in zip(weights, known, strict=True))
    return float((total / sum(weights)) ** 0.5)


def _judge(
    history: Sequence[BatchRecord], settings: PolicySettings, energy: float | None, field: float | None
) -> tuple[Action, str]:
    last = history[-1]
    lost = last.n_failed + last.n_below_grade  # both cost a run and taught nothing
    attempted = last.n_labels + lost
    if last.n_labels == 0 or lost > settings.max_failed_fraction * attempted:
        below = f", {last.n_below_grade} came below the minimum grade" if last.n_below_grade else ""
        return Action.TOO_MANY_FAILURES, f"{last.n_failed} of {attempted} labels failed{below}"
    if _meets_target(settings, energy, field):
        return Action.TARGET_MET, f"blind error {energy:.2f} meV/spin, target {settings.target_energy_meV_per_spin:g}"
    if last.n_labels >= settings.max_labels:
        return Action.BUDGET_EXHAUSTED, f"{last.n_labels} labels used of {settings.max_labels}"
    if _is_stuck(history, settings):
        return Action.NO_PROGRESS, f"no better blind error in {settings.patience} batches"
    return Action.CONTINUE, "target not met yet" if energy is not None else "too few blind tests yet"


def _meets_target(settings: PolicySettings, energy: float | None, field: float | None) -> bool:
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
