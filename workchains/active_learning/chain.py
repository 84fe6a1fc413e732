"""`soso.active_learning`: the one place where the loop closes.

It only carries nodes from one recorded process to the next; what to do is decided by
`soso_core.active.stopping.policy`, called from the calcfunction `decide_next`.
"""

from typing import Any

from aiida.engine import ExitCode, ProcessSpec, WorkChain, if_, while_
from aiida.orm import Data, Dict, ProcessNode

from soso_core.active.stopping.learning_curve import FEWEST
from soso_core.active.stopping.records import Action, BatchRecord
from soso_workchains.active_learning import inputs as declared
from soso_workchains.label.contract import Preparation, load_label_workchain
from soso_workflows.calculations.alternatives import SosoAlternativesCalculation
from soso_workflows.calculations.base import SosoCalculation
from soso_workflows.calculations.explore import SosoExploreCalculation
from soso_workflows.calculations.fit import SosoFitCalculation
from soso_workflows.functions import loop as functions
from soso_workflows.functions.label_warnings import label_warnings
from soso_workflows.provenance.costs import cost_record
from soso_workflows.provenance.failures import describe_failure
from soso_workflows.provenance.lineage import CampaignProcess
from soso_workflows.provenance.links import PREPARATION_LINK, label_link, stage_link


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
        declared.define_exploration(spec)
        declared.define_policy(spec)
        declared.define_labels(spec)
        declared.define_start(spec)
        declared.define_exit_codes(spec)
        spec.outline(
            cls.prepare,
            if_(cls.needs_alternatives)(cls.weigh_alternatives, cls.take_advice),
            if_(cls.needs_preparation)(cls.prepare_engine, cls.take_preparation),
            while_(cls.goes_on)(
                if_(cls.needs_batch)(cls.explore, cls.take_batch),
                cls.split,
                while_(cls.has_unlabelled)(cls.submit_labels),
                cls.take_labels,
                if_(cls.has_labels)(cls.test_and_merge, if_(cls.needs_fit)(cls.fit, cls.take_model)),
                cls.decide,
                if_(cls.needs_alternatives)(cls.weigh_alternatives, cls.take_advice),
            ),
            cls.finish,
        )

    def prepare(self) -> None:
        """Start empty, from given labels (they are batch 0), from a model, or where an earlier campaign was left."""
        resume = self.inputs.get("resume", {})
        self.ctx.history = resume.get("history")
        self.ctx.model = resume.get("model", self.inputs.get("model"))
        self.ctx.candidates = resume.get("candidates")
        self.ctx.labels = dict(resume.get("labels", {}))
        self.ctx.dataset = self.inputs.get("dataset") if self.ctx.history else None
        if "dataset" in self.inputs and not self.ctx.history:
            self.ctx.labels["label_given"] = self.inputs.dataset
        self.ctx.batch = len(self.ctx.history["batches"]) if self.ctx.history else 0
        if "extends" in resume and resume["extends"].value:
            metadata = {"call_link_label": stage_link("extend", self.ctx.batch)}
            self.ctx.history = functions.extend_history(self.ctx.history, metadata=metadata, **self.ctx.labels)
        if self.ctx.history:
            self._decide("decide", self.ctx.batch - 1)
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
        wanted, metadata = self._preparation(), {"call_link_label": PREPARATION_LINK}
        assert wanted is not None
        self.ctx.prepared = wanted.outputs
        return self.to_context(preparation=self.submit(wanted.process_class, metadata=metadata, **wanted.inputs))

    def take_preparation(self) -> ExitCode | None:
        """Give its outputs to the labels; without them the campaign cannot go on."""
        process = self.ctx.preparation
        if not process.is_finished_ok:
            return self._stop("ERROR_PREPARATION_FAILED", describe_failure(process))
        found = {name: process.outputs[name] for name in self.ctx.prepared}
        self.ctx.label_inputs.update(found)
        self.report("; ".join(f"{name}: <{node.pk}> {node.get_dict()}" for name, node in found.items()))
        return None

    def goes_on(self) -> bool:
        """Whether a batch is unfinished or the policy wants another."""
        return self.ctx.action == Action.CONTINUE.value or self.ctx.candidates is not None or bool(self.ctx.labels)

    def needs_batch(self) -> bool:
        """Whether there is neither an unfinished batch nor one that was given."""
        return self.ctx.candidates is None and not self.ctx.labels

    def explore(self) -> Any:
        """Generate candidates; with a model, score them and choose."""
        inputs = {name: self.inputs[name] for name in ("code", "structure", "exploration")}
        optional = {
            "model": self.ctx.model,
            "known": self.ctx.dataset if self.ctx.model is not None else None,
            "trusted": self.ctx.plan.get("trusted"),
        }
        inputs.update({name: node for name, node in optional.items() if node is not None})
        inputs["user_files"] = dict(self.inputs.get("user_files", {}))
        inputs.update(n_select=self.ctx.plan["n_select"], seed=self.ctx.plan["explore_seed"])
        return self._submit_stage("explore", SosoExploreCalculation, inputs)

    def take_batch(self) -> ExitCode | None:
        """Take the chosen batch; without one the campaign cannot go on."""
        if not self.ctx.explore.is_finished_ok:
            return self._stop("ERROR_EXPLORATION_FAILED", describe_failure(self.ctx.explore))
        self.ctx.candidates = self.ctx.explore.outputs.candidates
        return None

    def split(self) -> None:
        """Make one node of each configuration; those with a label already need no calculation."""
        self.ctx.configurations = {}
        if self.ctx.candidates is not None:
            metadata = {"call_link_label": stage_link("split", self.ctx.batch)}
            self.ctx.configurations = dict(functions.split_batch(self.ctx.candidates, metadata=metadata))
        indices = sorted(key.removeprefix(functions.CONFIGURATION) for key in self.ctx.configurations)
        self.ctx.waiting = [index for index in indices if functions.LABEL + index not in self.ctx.labels]
        self.ctx.labelling, self.ctx.running = {}, []

    def has_unlabelled(self) -> bool:
        """Whether label calculations of the batch are to be submitted, or were running when it was last looked."""
        return bool(self.ctx.waiting or self.ctx.running)

    def submit_labels(self) -> Any:
        """Keep `max_parallel` label calculations running; wait for the one that has run longest, if any still runs."""
        running = [index for index in self.ctx.running if not self.ctx.labelling[index].is_terminated]
        n_free = self.inputs.max_parallel.value - len(running)
        now, self.ctx.waiting = self.ctx.waiting[:n_free], self.ctx.waiting[n_free:]
        self.ctx.labelling.update({index: self._submit_label(index) for index in now})
        self.ctx.running = [*running, *now]
        return self.to_context(longest=self.ctx.labelling[self.ctx.running[0]]) if self.ctx.running else None

    def take_labels(self) -> None:
        """Take what came; keep count of what failed, and say why."""
        for index, process in self.ctx.labelling.items():
            if process.is_finished_ok:
                self.ctx.labels[functions.LABEL + index] = process.outputs.label
            else:
                self.report(f"batch {self.ctx.batch}: label {index} failed: {describe_failure(process)}")

    def has_labels(self) -> bool:
        """Whether the batch brought any label that is good enough to train on."""
        return any(functions.is_usable(label, self.inputs.min_grade.value) for label in self.ctx.labels.values())

    def test_and_merge(self) -> None:
        """Let the model that has not seen the batch predict it; then add the batch to the dataset."""
        self.ctx.evaluation = None
        if self.ctx.model is not None:
            metadata = {"call_link_label": stage_link("blind", self.ctx.batch)}
            blind = functions.test_blind(self.ctx.model, self.inputs.min_grade, metadata=metadata, **self.ctx.labels)
            self.ctx.evaluation = blind.get("evaluation")
        before = {} if self.ctx.dataset is None else {"dataset": self.ctx.dataset}
        metadata = {"call_link_label": stage_link("merge", self.ctx.batch)}
        self.ctx.dataset = functions.merge_labels(self.inputs.min_grade, metadata=metadata, **before, **self.ctx.labels)

    def needs_fit(self) -> bool:
        """Whether there are labels that the model has not seen; a model that was given may know those that were."""
        return self.ctx.model is None or not self.ctx.dataset.digests <= self.ctx.model.digests

    def fit(self) -> Any:
        """Fit to all labels; a given model that knows others too is updated instead, so that nothing is lost."""
        inputs = {"code": self.inputs.code, "dataset": self.ctx.dataset, "seed": self.ctx.plan["fit_seed"]}
        if "model" in self.inputs and not self.inputs.model.digests <= self.ctx.dataset.digests:
            inputs["model"] = self.inputs.model
        elif "fit" in self.inputs:
            inputs["settings"] = self.inputs.fit
        return self._submit_stage("fit", SosoFitCalculation, inputs)

    def take_model(self) -> ExitCode | None:
        """Take the new model; without one the campaign cannot go on."""
        if not self.ctx.fit.is_finished_ok:
            return self._stop("ERROR_FIT_FAILED", describe_failure(self.ctx.fit))
        self.ctx.model = self.ctx.fit.outputs.model
        return None

    def decide(self) -> None:
        """Record the batch and let the policy decide."""
        nodes = {**self.ctx.configurations, **self.ctx.labels}
        nodes["min_grade"] = self.inputs.min_grade
        nodes["cost"] = Dict(cost_record(CampaignProcess(self.node), self.ctx.batch))
        names = ("history", "evaluation", "dataset")
        optional = {name: self.ctx.get(name) for name in names}
        nodes.update({key: node for key, node in optional.items() if node is not None})
        metadata = {"call_link_label": stage_link("record", self.ctx.batch)}
        self.ctx.history = functions.record_batch(metadata=metadata, **nodes)
        for line in label_warnings(self._last()):
            self.report(line)
        self._decide("decide", self.ctx.batch)
        self.ctx.batch += 1
        self.ctx.candidates, self.ctx.labels, self.ctx.evaluation = None, {}, None

    def needs_alternatives(self) -> bool:
        """Whether the form of the model is suspected to be the floor, and there are labels to look into it with."""
        decision = self._last().decision if self.ctx.history else None
        if decision is None or not decision.needs_learning_curve or self.ctx.model is None:
            return False
        can_tell = bool(self.ctx.dataset.is_fully_labelled) and self.ctx.dataset.n_configurations >= FEWEST
        if not can_tell:
            self.report(f"whether more labels help is not asked: it takes {FEWEST} labels, every one with an energy")
        return can_tell

    def weigh_alternatives(self) -> Any:
        """Refit the model to half of the labels at hand and, where all do no better, other forms of it to all."""
        inputs = {name: self.ctx[name] for name in ("dataset", "model")}
        inputs.update(code=self.inputs.code, seed=self.inputs.seed)
        return self._submit_stage("alternatives", SosoAlternativesCalculation, inputs)

    def take_advice(self) -> None:
        """Decide again, with what they say; without it the decision stands."""
        if self.ctx.alternatives.is_finished_ok:
            self._decide("advise", self.ctx.batch - 1, alternatives=self.ctx.alternatives.outputs.alternatives)
        else:
            self.report(f"whether more labels help was not found out: {describe_failure(self.ctx.alternatives)}")

    def finish(self) -> ExitCode | None:
        """Attach the outputs; the exit code says why the campaign ended."""
        if self.ctx.action in declared.STOP_CODES:
            return self._stop(declared.STOP_CODES[self.ctx.action], self.ctx.reason)
        self._attach_outputs()
        return None

    def _last(self) -> BatchRecord:
        return functions.read_history(self.ctx.history).batches[-1]

    def _decide(self, stage: str, batch: int, **nodes: Data) -> None:
        metadata = {"call_link_label": stage_link(stage, batch)}
        inputs = (self.ctx.history, self.inputs.policy, self.inputs.seed)
        decided = functions.decide_next(*inputs, metadata=metadata, **nodes)
        self.ctx.history, self.ctx.plan = decided["history"], decided
        self.ctx.action, self.ctx.reason = (decided["decision"][key] for key in ("action", "reason"))
        self.report(f"batch {batch}: {self.ctx.action} ({self.ctx.reason})")

    def _submit_stage(self, stage: str, calculation: type[SosoCalculation], inputs: dict[str, Any]) -> Any:
        metadata = {"call_link_label": stage_link(stage, self.ctx.batch)}
        return self.to_context(**{stage: self.submit(calculation, metadata=metadata, **inputs)})

    def _preparation(self) -> Preparation | None:
        engine = load_label_workchain(self.inputs.engine.value)
        return engine.preparation(dict(self.inputs.label), self.inputs.structure)

    def _submit_label(self, index: str) -> ProcessNode:
        engine = load_label_workchain(self.inputs.engine.value)
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
