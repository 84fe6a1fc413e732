"""What a campaign remembers: a record for every batch, refits for comparison, decisions."""

from enum import Enum

from pydantic import Field

from soso_core.settings import Settings


class Action(str, Enum):
    """What the loop does after a batch."""

    CONTINUE = "continue"
    TARGET_MET = "target met"
    BUDGET_EXHAUSTED = "budget exhausted"
    NO_PROGRESS = "no progress"
    MODEL_FORM = "model form"
    TOO_MANY_FAILURES = "too many failed labels"


class LearningTest(Settings):
    """What twice the labels bring: errors on labels left out, of models of all others and of either half of those.

    Fields are None where no label has any.  See `soso_core.active.stopping.learning_curve`.
    """

    energy_rmse_meV_per_spin: float = Field(ge=0.0)
    half_energy_rmse_meV_per_spin: float = Field(ge=0.0)
    field_rmse_meV: float | None = Field(default=None, ge=0.0)
    half_field_rmse_meV: float | None = Field(default=None, ge=0.0)


class BatchRecord(Settings):
    """What one batch taught: counts, and the blind errors of the model that had not seen it.

    Errors are None for the first batch (no model yet), and fields where the engine gave none.
    `n_blind` counts the configurations behind the errors; `n_labels`, `n_failed`, `n_below_grade` (labels that were
    not trusted enough to train on), `core_hours` and `wall_hours` are running totals.  `energy_std_meV_per_spin` is the
    error the model expected of the batch, noise included, `energy_model_std_meV_per_spin` without it.  `learning` is
    there where the policy asked whether more labels help.
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
    pair_only_energy_rmse_meV_per_spin: float | None = None
    pair_only_field_rmse_meV: float | None = None
    learning: LearningTest | None = None
    core_hours: float | None = Field(default=None, ge=0.0)
    wall_hours: float | None = Field(default=None, ge=0.0)


class Alternative(Settings):
    """Another model form, refitted to the labels at hand: what it changes, and its error on labels left out."""

    name: str
    energy_rmse_meV_per_spin: float = Field(ge=0.0)
    present_rmse_meV_per_spin: float = Field(ge=0.0, description="the same of the present form")

    @property
    def ratio(self) -> float:
        """Its error over that of the present form."""
        return self.energy_rmse_meV_per_spin / max(self.present_rmse_meV_per_spin, 1e-12)


class Decision(Settings):
    """What to do next and why; `n_next` is the size of the next batch (0 when the loop stops).

    The errors are those of the pooled blind tests the decision rests on, the bounds what they are below with the
    stated confidence; `n_blind` is how many configurations stand behind them.  `asks_learning`: whether labels help is
    to be found out and the decision made again with it (`soso_core.active.stopping.learning_curve`).
    """

    action: Action
    reason: str
    n_next: int = Field(default=0, ge=0)
    asks_learning: bool = False
    blind_energy_rmse_meV_per_spin: float | None = None
    blind_field_rmse_meV: float | None = None
    energy_bound_meV_per_spin: float | None = None
    field_bound_meV: float | None = None
    n_blind: int = Field(default=0, ge=0)
