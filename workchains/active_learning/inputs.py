"""Inputs, outputs and exit codes of `soso.active_learning`, in groups."""

from collections.abc import Callable
from typing import Any, Final

from aiida.engine import ProcessSpec
from aiida.orm import AbstractCode, Bool, Dict, Int, Str, StructureData

from soso_core.active.candidates.settings import ExplorationSettings
from soso_core.active.stopping.policy import PolicySettings
from soso_core.active.stopping.records import Action
from soso_core.errors import InputError
from soso_core.gp.model.settings import FitSettings
from soso_core.quality import GRADES
from soso_core.settings import Settings, parse_settings
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel

DEFAULT_MIN_GRADE: Final = "C"
"""A D label counts a 64th of an A label and may belong to another electronic state."""
STOP_CODES = {
    Action.BUDGET_EXHAUSTED.value: "ERROR_BUDGET_EXHAUSTED",
    Action.NO_PROGRESS.value: "ERROR_NO_PROGRESS",
    Action.MODEL_FORM.value: "ERROR_MODEL_FORM",
    Action.TOO_MANY_FAILURES.value: "ERROR_TOO_MANY_FAILED_LABELS",
}
EXIT_CODES = {
    401: "ERROR_BUDGET_EXHAUSTED",
    402: "ERROR_NO_PROGRESS",
    403: "ERROR_TOO_MANY_FAILED_LABELS",
    404: "ERROR_FIT_FAILED",
    405: "ERROR_EXPLORATION_FAILED",
    406: "ERROR_PREPARATION_FAILED",
    407: "ERROR_MODEL_FORM",
}


def define_exploration(spec: ProcessSpec) -> None:
    """Declare the inputs of exploration and fit."""
    spec.input("code", valid_type=AbstractCode, help="the `soso` command, for fits and exploration")
    spec.input("structure", valid_type=StructureData, help="the cell that is repeated and disordered")
    spec.input(
        "exploration",
        valid_type=Dict,
        validator=_holds(ExplorationSettings),
        help="keys of soso_core.active.candidates.settings.ExplorationSettings",
    )
    spec.input_namespace(
        "user_files",
        valid_type=SosoDataset,
        dynamic=True,
        required=False,
        help="configurations of the user, `file_2` those of the third generator",
    )
    spec.input(
        "fit",
        valid_type=Dict,
        required=False,
        validator=_holds(FitSettings),
        help="keys of soso_core.gp.model.settings.FitSettings",
    )


def define_policy(spec: ProcessSpec) -> None:
    """Declare targets, limits and seeds."""
    spec.input(
        "policy",
        valid_type=Dict,
        validator=_holds(PolicySettings),
        help="keys of soso_core.active.stopping.policy.PolicySettings",
    )
    spec.input("seed", valid_type=Int, help="seed from which all other seeds are derived")


def define_labels(spec: ProcessSpec) -> None:
    """Declare the engine and the inputs of its labels."""
    spec.input("max_parallel", valid_type=Int, validator=_is_positive, help="label calculations that run at once")
    spec.input(
        "min_grade",
        valid_type=Str,
        default=lambda: Str(DEFAULT_MIN_GRADE),
        validator=_is_grade,
        help="labels below this grade are counted and excluded from training",
    )
    spec.input("engine", valid_type=Str, help="entry point of the label workchain, e.g. soso.label.tight_binding")
    spec.input_namespace("label", dynamic=True, help="inputs of that workchain except the configuration")


def define_start(spec: ProcessSpec) -> None:
    """Declare initial labels, an initial model and the inputs from an earlier campaign."""
    spec.input("dataset", valid_type=SosoDataset, required=False, help="initial labels")
    spec.input("model", valid_type=SosoModel, required=False, help="chooses the first batch and is tested on it")
    spec.input_namespace("resume", required=False, help="continues from an earlier campaign")
    spec.input("resume.campaign", valid_type=Str, required=False, help="UUID of that campaign")
    spec.input("resume.extends", valid_type=Bool, required=False, help="whether a new exploration begins")
    spec.input("resume.history", valid_type=Dict, required=False, help="its history")
    spec.input("resume.model", valid_type=SosoModel, required=False, help="its last model, trained on `dataset`")
    spec.input("resume.candidates", valid_type=SosoDataset, required=False, help="its unfinished batch")
    spec.input_namespace("resume.labels", valid_type=SosoDataset, required=False, help="`label_*` of that batch")
    spec.inputs["resume"]["labels"].dynamic = True


def define_exit_codes(spec: ProcessSpec) -> None:
    """Declare outputs and exit codes."""
    spec.output("model", valid_type=SosoModel, required=False, help="fitted to all labels")
    spec.output("dataset", valid_type=SosoDataset, required=False, help="all labels")
    spec.output("history", valid_type=Dict, required=False, help="batches: counts, blind errors, decisions")
    for status, name in EXIT_CODES.items():
        spec.exit_code(status, name, message="{detail}")


def _holds(kind: type[Settings]) -> Callable[[Dict | None, Any], str | None]:
    """Return a validator of Dict inputs that hold settings of this kind."""

    def validate(node: Dict | None, _: Any) -> str | None:
        try:
            parse_settings(kind, node.get_dict() if node is not None else {}, kind.__name__)
        except InputError as error:
            return str(error)
        return None

    return validate


def _is_grade(node: Str, _: Any) -> str | None:
    return None if node.value in GRADES else f"must be one of {', '.join(GRADES)}, not {node.value}"


def _is_positive(node: Int, _: Any) -> str | None:
    return None if node.value > 0 else f"must be at least 1, not {node.value}"
