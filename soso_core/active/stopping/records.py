"""The history of a campaign: one record for each batch, with its blind test and the decision after it.

The history is stored as JSON; `History.model_validate(...)` reads it and `model_dump(mode="json")` writes it.
"""

from enum import Enum
from typing import Any

from pydantic import Field

from soso_core.settings import Settings


class Action(str, Enum):
    """The actions after a batch: continue, or end for one of these reasons."""

    CONTINUE = "continue"
    TARGET_MET = "target met"
    BUDGET_EXHAUSTED = "budget exhausted"
    NO_PROGRESS = "no progress"
    MODEL_FORM = "model form"
    TOO_MANY_FAILURES = "too many failed labels"


class LearningCurve(Settings):
    """Errors on labels left out, of models of all other labels and of models of half of those.

    Field errors are None where no label has fields.  See `soso_core.active.stopping.learning_curve`.
    """

    energy_rmse_meV_per_spin: float = Field(ge=0.0)
    half_energy_rmse_meV_per_spin: float = Field(ge=0.0)
    field_rmse_meV: float | None = Field(default=None, ge=0.0)
    half_field_rmse_meV: float | None = Field(default=None, ge=0.0)


class Alternative(Settings):
    """Another model form, fitted to the same labels: its name and its error on labels left out."""

    name: str
    energy_rmse_meV_per_spin: float = Field(ge=0.0)
    present_rmse_meV_per_spin: float = Field(ge=0.0, description="the same of the present form")

    @property
    def ratio(self) -> float:
        """Its error over that of the present form."""
        return self.energy_rmse_meV_per_spin / max(self.present_rmse_meV_per_spin, 1e-12)


class Decision(Settings):
    """The action after a batch, its reason, and the size of the next batch (0 when the campaign ends).

    Errors are those of the pooled blind tests, `n_blind` their number, bounds the upper ends of the stated confidence.
    `needs_learning_curve`: the learning-curve check is to be made, and the decision made again with its result.
    """

    action: Action
    reason: str
    n_next: int = Field(default=0, ge=0)
    needs_learning_curve: bool = False
    blind_energy_rmse_meV_per_spin: float | None = None
    blind_field_rmse_meV: float | None = None
    energy_bound_meV_per_spin: float | None = None
    field_bound_meV: float | None = None
    n_blind: int = Field(default=0, ge=0)


class BelowGrade(Settings):
    """A label that was not trained on: its number in the batch, its grade, and the quantity that limits the grade."""

    label: str
    grade: str
    limited_by: str | None = None
    value: float | None = None


class FieldConsistency(Settings):
    """Ratio of -∂E/∂e from the energies to the effective fields of the labels, with its standard error."""

    value: float
    error: float
    n_configurations: int
    disagrees: bool


class BatchRecord(Settings):
    """The record of one batch: counts, blind test, diagnosis and decision.

    Errors are None for the first batch (there was no model), and fields where the engine gave none.  `n_blind` counts
    the configurations of the blind test.  `n_labels`, `n_failed`, `n_below_grade`, `core_hours` and `wall_hours` are
    running totals.  `energy_std_meV_per_spin` is the root mean square of the predicted standard deviations of the blind
    test, noise included; `energy_model_std_meV_per_spin` the same without noise.  `energy_standardised_rmse` is the
    root mean square of the errors over their standard deviations.  `population_std_meV_per_spin` is that of
    the standard deviations of all candidates, noise included.  `failed` and `below_grade` list
    labels of this batch.
    """

    batch: int = Field(ge=0)
    n_labels: int = Field(ge=0)
    n_failed: int = Field(ge=0)
    n_below_grade: int = Field(default=0, ge=0)
    n_blind: int = Field(default=0, ge=0)
    energy_rmse_meV_per_spin: float | None = None
    field_rmse_meV: float | None = None
    energy_std_meV_per_spin: float | None = None
    energy_model_std_meV_per_spin: float | None = None
    energy_standardised_rmse: float | None = None
    population_std_meV_per_spin: float | None = None
    pair_only_energy_rmse_meV_per_spin: float | None = None
    pair_only_field_rmse_meV: float | None = None
    learning_curve: LearningCurve | None = None
    core_hours: float | None = Field(default=None, ge=0.0)
    wall_hours: float | None = Field(default=None, ge=0.0)
    failed: tuple[int, ...] = ()
    below_grade: tuple[BelowGrade, ...] = ()
    field_scale: FieldConsistency | None = None
    decision: Decision | None = None


class History(Settings):
    """All batches of a campaign, oldest first.

    `extensions` holds, for each extension of the campaign, the number of the first batch of its exploration.
    """

    batches: tuple[BatchRecord, ...] = ()
    extensions: tuple[int, ...] = ()

    @property
    def since(self) -> int:
        """Number of the first batch of the present exploration."""
        return self.extensions[-1] if self.extensions else 0

    @property
    def present(self) -> tuple[BatchRecord, ...]:
        """Batches of the present exploration."""
        return self.batches[self.since :]

    def with_batch(self, record: BatchRecord) -> "History":
        """Return the history with one more batch."""
        return self.model_copy(update={"batches": (*self.batches, record)})

    def with_last(self, **changes: Any) -> "History":
        """Return the history with some fields of its last batch replaced."""
        *before, last = self.batches
        return self.model_copy(update={"batches": (*before, last.model_copy(update=changes))})
