"""`soso.active_learning`: the one place where the loop closes.

It only carries nodes from one recorded process to the next; what to do is decided by
`soso_core.active.policy`, called from the calcfunction `decide_next`.
"""

from collections.abc import Callable
from typing import Any

from aiida.engine import ExitCode, ProcessSpec, WorkChain, if_, while_
from aiida.orm import AbstractCode, Dict, Int, ProcessNode, Str, StructureData
from aiida.plugins import CalculationFactory, WorkflowFactory

from soso_core.active.policy import Action, PolicySettings
from soso_core.active.settings import ExplorationSettings
from soso_core.errors import InputError
from soso_core.gp.settings import FitSettings
from soso_core.quality import GRADES
from soso_core.settings import Settings, parse_settings
from soso_workflows import functions
from soso_workflows.campaign import DEFAULT_MIN_GRADE
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel
from soso_workflows.links import PREPARATION_LINK, label_link, stage_link
from soso_workflows.table import below_grade_lines, field_warning

STOP_CODES = {
    Action.BUDGET_EXHAUSTED.value: "ERROR_BUDGET_EXHAUSTED",
    Action.NO_PROGRESS.value: "ERROR_NO_PROGRESS",
    Action.MODEL_FORM.value: "ERROR_MODEL_FORM",
    Action.TOO_MANY_FAILURES.value: "ERROR_TOO_MANY_FAILED_LABELS",
}


class ActiveLearningWorkChain(WorkChain):
    """Label, fit, test blind, decide, explore, and again.

    Ends with 0 when the target is met; the outputs are there for the codes 401 to 403 and 407 as well.
    Exit codes: 401 budget exhausted, 402 no progress, 403 too many failed labels, 404 the fit failed,
    405 the exploration failed, 406 what the engine needs before its first label failed, 407 more labels
    will not help.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Declare inputs, outline, outputs, exit codes."""
        super().define(spec)
        spec.input("code", valid_type=AbstractCode, help="the `soso` command, for fits and exploration")
        spec.input("structure", valid_type=StructureData, help="the cell that is repeated and disordered")
        spec.input(
            "exploration",
            valid_type=Dict,
            validator=_holds(ExplorationSettings),
            help="keys of soso_core.active.settings.ExplorationSettings",
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
            help="keys of soso_core.gp.settings.FitSettings",
        )
        spec.input(
            "policy",
            valid_type=Dict,
            validator=_holds(PolicySettings),
            help="keys of soso_core.active.policy.PolicySettings",
        )
        spec.input("seed", valid_type=Int, help="the seed from which all others are derived")
        spec.input("max_parallel", valid_type=Int, validator=_is_positive, help="label calculations at the same time")
        spec.input(
            "min_grade",
            valid_type=Str,
            default=lambda: Str(DEFAULT_MIN_GRADE),
            validator=_is_grade,
            help="labels of a worse grade are kept and counted, not trained on",
        )
        spec.input("engine", valid_type=Str, help="entry point of the label workchain, e.g. soso.label.tight_binding")
        spec.input_namespace("label", dynamic=True, help="what that workchain wants besides the configuration")
        spec.input("dataset", valid_type=SosoDataset, required=False, help="labels there are before the first batch")
        spec.input_namespace("resume", required=False, help="where an earlier campaign was left")
        spec.input("resume.history", valid_type=Dict, required=False, help="its history")
        spec.input("resume.model", valid_type=SosoModel, required=False, help="its last model, trained on `dataset`")
        spec.input("resume.candidates", valid_type=SosoDataset, required=False, help="its unfinished batch")
        spec.input_namespace("resume.labels", valid_type=SosoDataset, required=False, help="`label_*` of that batch")
        spec.inputs["resume"]["labels"].dynamic = True
        spec.outline(
            cls.prepare,
            if_(cls.needs_preparation)(cls.prepare_engine, cls.take_preparation),
            while_(cls.goes_on)(
                if_(cls.needs_batch)(cls.explore, cls.take_batch),
                cls.split,
                while_(cls.has_waiting)(cls.submit_labels),
                cls.take_labels,
                if_(cls.has_labels)(cls.test_and_merge, cls.fit, cls.take_model),
                cls.decide,
            ),
            cls.finish,
        )
        spec.output("model", valid_type=SosoModel, required=False, help="fitted to all labels")
        spec.output("dataset", valid_type=SosoDataset, required=False, help="all labels")
        spec.output("history", valid_type=Dict, required=False, help="batches: counts, blind errors, decisions")
        spec.exit_code(401, "ERROR_BUDGET_EXHAUSTED", message="{detail}")
        spec.exit_code(402, "ERROR_NO_PROGRESS", message="{detail}")
        spec.exit_code(403, "ERROR_TOO_MANY_FAILED_LABELS", message="{detail}")
        spec.exit_code(404, "ERROR_FIT_FAILED", message="{detail}")
        spec.exit_code(405, "ERROR_EXPLORATION_FAILED", message="{detail}")
        spec.exit_code(406, "ERROR_PREPARATION_FAILED", message="{detail}")
        spec.exit_code(407, "ERROR_MODEL_FORM", message="{detail}")

    def prepare(self) -> None:
        """Start empty, from given labels (they are batch 0), or where an earlier campaign was left."""
        resume = self.inputs.get("resume", {})
        self.ctx.history = resume.get("history")
        self.ctx.model = resume.get("model")
        self.ctx.candidates = resume.get("candidates")
        self.ctx.labels = dict(resume.get("labels", {}))
        self.ctx.dataset = self.inputs.get("dataset") if self.ctx.history else None
        if "dataset" in self.inputs and not self.ctx.history:
            self.ctx.labels["label_given"] = self.inputs.dataset
        self.ctx.batch = len(self.ctx.history["batches"]) if self.ctx.history else 0
        if self.ctx.history:
            self._decide(self.ctx.batch - 1)
        else:
            self.ctx.action = Action.CONTINUE.value
            self.ctx.plan = functions.plan_first_batch(
                self.inputs.policy, self.inputs.seed, metadata={"call_link_label": stage_link("plan", 0)}
            )

    def needs_preparation(self) -> bool:
        """Whether the engine wants something measured before labels are made."""
        self.ctx.label_inputs = dict(self.inputs.label)
        self.ctx.preparation = None
        return self.goes_on() and self._preparation() is not None

    def prepare_engine(self) -> Any:
        """Run what the engine wants, once a campaign."""
        wanted = self._preparation()
        metadata = {"call_link_label": PREPARATION_LINK}
        return self.to_context(preparation=self.submit(wanted.process_class, metadata=metadata, **wanted.inputs))

    def take_preparation(self) -> ExitCode | None:
        """Give its outputs to the labels; without them the campaign cannot go on."""
        process = self.ctx.preparation
        if not process.is_finished_ok:
            return self._stop("ERROR_PREPARATION_FAILED", _why(process))
        found = {name: process.outputs[name] for name in self._preparation().outputs}
        self.ctx.label_inputs.update(found)
        self.report("; ".join(f"{name}: <{node.pk}> {node.get_dict()}" for name, node in found.items()))
        return None

    def goes_on(self) -> bool:
        """Whether a batch is unfinished or the policy wants another."""
        return self.ctx.action == Action.CONTINUE.value or self.ctx.candidates is not None

    def needs_batch(self) -> bool:
        """Whether there is neither an unfinished batch nor one that was given."""
        return self.ctx.candidates is None and not self.ctx.labels

    def explore(self) -> Any:
        """Generate candidates; with a model, score them and choose."""
        inputs = {name: self.inputs[name] for name in ("code", "structure", "exploration")}
        if self.ctx.model is not None:
            inputs["model"] = self.ctx.model
        inputs["user_files"] = dict(self.inputs.get("user_files", {}))
        inputs.update(n_select=self.ctx.plan["n_select"], seed=self.ctx.plan["explore_seed"])
        return self._submit_stage("explore", "soso.explore", inputs)

    def take_batch(self) -> ExitCode | None:
        """Take the chosen batch; without one the campaign cannot go on."""
        if not self.ctx.explore.is_finished_ok:
            return self._stop("ERROR_EXPLORATION_FAILED", _why(self.ctx.explore))
        self.ctx.candidates = self.ctx.explore.outputs.candidates
        return None

    def split(self) -> None:
        """Make one node of each configuration; those with a label already need no calculation."""
        self.ctx.configurations = {}
        if self.ctx.candidates is not None:
            metadata = {"call_link_label": stage_link("split", self.ctx.batch)}
            self.ctx.configurations = dict(functions.split_batch(self.ctx.candidates, metadata=metadata))
        indices = sorted(key.removeprefix(functions.CONFIGURATION) for key in self.ctx.configurations)
        self.ctx.submitted = [index for index in indices if functions.LABEL + index not in self.ctx.labels]
        self.ctx.waiting = list(self.ctx.submitted)

    def has_waiting(self) -> bool:
        """Whether configurations of the batch wait for their label calculation."""
        return bool(self.ctx.waiting)

    def submit_labels(self) -> Any:
        """Submit at most `max_parallel` label calculations and wait for them."""
        now = self.ctx.waiting[: self.inputs.max_parallel.value]
        self.ctx.waiting = self.ctx.waiting[len(now) :]
        return self.to_context(**{f"process_{index}": self._submit_label(index) for index in now})

    def take_labels(self) -> None:
        """Take what came; keep count of what failed, and say why."""
        for index in self.ctx.submitted:
            process = self.ctx[f"process_{index}"]
            if process.is_finished_ok:
                self.ctx.labels[functions.LABEL + index] = process.outputs.label
            else:
                self.report(f"batch {self.ctx.batch}: label {index} failed: {_why(process)}")

    def has_labels(self) -> bool:
        """Whether the batch brought any label that is good enough to train on."""
        return any(functions.is_usable(label, self.inputs.min_grade.value) for label in self.ctx.labels.values())

    def test_and_merge(self) -> None:
        """Let the model that has not seen the batch predict it; then add the batch to the dataset."""
        self.ctx.evaluation = None
        if self.ctx.model is not None:
            metadata = {"call_link_label": stage_link("blind", self.ctx.batch)}
            blind = functions.test_blind(self.ctx.model, self.inputs.min_grade, metadata=metadata, **self.ctx.labels)
            self.ctx.evaluation = blind["evaluation"]
        before = {} if self.ctx.dataset is None else {"dataset": self.ctx.dataset}
        metadata = {"call_link_label": stage_link("merge", self.ctx.batch)}
        self.ctx.dataset = functions.merge_labels(self.inputs.min_grade, metadata=metadata, **before, **self.ctx.labels)

    def fit(self) -> Any:
        """Fit to all labels."""
        inputs = {"code": self.inputs.code, "dataset": self.ctx.dataset, "seed": self.ctx.plan["fit_seed"]}
        if "fit" in self.inputs:
            inputs["settings"] = self.inputs.fit
        return self._submit_stage("fit", "soso.fit", inputs)

    def take_model(self) -> ExitCode | None:
        """Take the new model; without one the campaign cannot go on."""
        if not self.ctx.fit.is_finished_ok:
            return self._stop("ERROR_FIT_FAILED", _why(self.ctx.fit))
        self.ctx.model = self.ctx.fit.outputs.model
        return None

    def decide(self) -> None:
        """Record the batch and let the policy decide."""
        nodes = {**self.ctx.configurations, **self.ctx.labels}
        nodes["min_grade"] = self.inputs.min_grade
        names = ("history", "evaluation", "dataset")
        optional = {name: self.ctx.get(name) for name in names}
        nodes.update({key: node for key, node in optional.items() if node is not None})
        metadata = {"call_link_label": stage_link("record", self.ctx.batch)}
        self.ctx.history = functions.record_batch(metadata=metadata, **nodes)
        last = self.ctx.history["batches"][-1]
        for line in (*below_grade_lines(last), field_warning(last)):
            if line is not None:
                self.report(line)
        self._decide(self.ctx.batch)
        self.ctx.batch += 1
        self.ctx.candidates, self.ctx.labels, self.ctx.evaluation = None, {}, None

    def finish(self) -> ExitCode | None:
        """Attach the outputs; the exit code says why the campaign ended."""
        if self.ctx.action in STOP_CODES:
            return self._stop(STOP_CODES[self.ctx.action], self.ctx.reason)
        self._attach_outputs()
        return None

    def _decide(self, batch: int) -> None:
        metadata = {"call_link_label": stage_link("decide", batch)}
        nodes = {name: self.ctx[name] for name in ("dataset", "model") if self.ctx[name] is not None}
        inputs = (self.ctx.history, self.inputs.policy, self.inputs.seed)
        decided = functions.decide_next(*inputs, metadata=metadata, **nodes)
        self.ctx.history, self.ctx.plan = decided["history"], decided
        decision = decided["decision"].get_dict()
        self.ctx.action, self.ctx.reason = decision["action"], decision["reason"]
        self.report(f"batch {batch}: {decision['action']} ({decision['reason']})")

    def _submit_stage(self, stage: str, entry_point: str, inputs: dict[str, Any]) -> Any:
        metadata = {"call_link_label": stage_link(stage, self.ctx.batch)}
        return self.to_context(**{stage: self.submit(CalculationFactory(entry_point), metadata=metadata, **inputs)})

    def _preparation(self) -> Any:
        engine = WorkflowFactory(self.inputs.engine.value)
        return engine.preparation(dict(self.inputs.label), self.inputs.structure)

    def _submit_label(self, index: str) -> ProcessNode:
        engine = WorkflowFactory(self.inputs.engine.value)
        configuration = self.ctx.configurations[functions.CONFIGURATION + index]
        metadata = {"call_link_label": label_link(self.ctx.batch, index)}
        return self.submit(engine, configuration=configuration, metadata=metadata, **self.ctx.label_inputs)

    def _attach_outputs(self) -> None:
        for name in ("model", "dataset", "history"):
            if self.ctx[name] is not None:
                self.out(name, self.ctx[name])

    def _stop(self, code: str, detail: str) -> ExitCode:
        self._attach_outputs()
        exit_code: ExitCode = self.exit_codes[code].format(detail=detail)
        return exit_code


def _why(process: ProcessNode) -> str:
    """Return one line on a process that did not end well."""
    return f"{process.process_label}<{process.pk}> {process.exit_message or process.process_state.value}"


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
