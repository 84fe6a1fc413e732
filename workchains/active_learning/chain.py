"""`soso.active_learning`: the active-learning loop.

It passes nodes from one recorded process to the next; the decisions are made by `soso_core.active.stopping.policy`,
called from the calcfunction `decide_next`.
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
    """Repeat exploration, labels, blind test, fit and decision until the policy ends the campaign.

    The exit code is 0 when the target is met; the codes 401 to 403 and 407 have the same outputs.
    Exit codes: 401 budget exhausted, 402 no progress, 403 too many failed labels, 404 the fit failed,
    405 the exploration failed, 406 the preparation of the engine failed, 407 model-form error.
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
            if_(cls.needs_alternatives)(cls.run_alternatives, cls.inspect_alternatives),
            if_(cls.needs_preparation)(cls.prepare_engine, cls.inspect_preparation),
            while_(cls.should_continue)(
                if_(cls.should_explore)(cls.explore, cls.inspect_exploration),
                cls.split,
                while_(cls.has_unlabelled)(cls.submit_labels),
                cls.inspect_labels,
                if_(cls.has_labels)(cls.test_and_merge, if_(cls.should_fit)(cls.fit, cls.inspect_fit)),
                cls.decide,
                if_(cls.needs_alternatives)(cls.run_alternatives, cls.inspect_alternatives),
            ),
            cls.finish,
        )

    def prepare(self) -> None:
        """Start without data, from initial labels (they are batch 0), from a model, or from an earlier campaign."""
        resume = self.inputs.get("resume", {})
        self.ctx.history = resume.get("history")
        self.ctx.model = resume.get("model", self.inputs.get("model"))
        self.ctx.candidates = resume.get("candidates")
        self.ctx.labels = dict(resume.get("labels", {}))
        self.ctx.dataset = self.inputs.get("dataset") if self.ctx.history else None
        if "dataset" in self.inputs and not self.ctx.history:
            self.ctx.labels["label_initial"] = self.inputs.dataset
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
        """Return whether the engine needs a process before its first label."""
        self.ctx.label_inputs = dict(self.inputs.label)
        self.ctx.preparation = None
        return self.should_continue() and self._preparation() is not None

    def prepare_engine(self) -> Any:
        """Run the process that the engine needs, once per campaign."""
        wanted, metadata = self._preparation(), {"call_link_label": PREPARATION_LINK}
        assert wanted is not None
        self.ctx.prepared = wanted.outputs
        return self.to_context(preparation=self.submit(wanted.process_class, metadata=metadata, **wanted.inputs))

    def inspect_preparation(self) -> ExitCode | None:
        """Add its outputs to the inputs of labels; end the campaign when it failed."""
        process = self.ctx.preparation
        if not process.is_finished_ok:
            return self._stop("ERROR_PREPARATION_FAILED", describe_failure(process))
        found = {name: process.outputs[name] for name in self.ctx.prepared}
        self.ctx.label_inputs.update(found)
        self.report("; ".join(f"{name}: <{node.pk}> {node.get_dict()}" for name, node in found.items()))
        return None

    def should_continue(self) -> bool:
        """Return whether a batch is unfinished or the policy decided to continue."""
        return self.ctx.action == Action.CONTINUE.value or self.ctx.candidates is not None or bool(self.ctx.labels)

    def should_explore(self) -> bool:
        """Return whether there is neither an unfinished batch nor initial labels."""
        return self.ctx.candidates is None and not self.ctx.labels

    def explore(self) -> Any:
        """Generate candidates; with a model, score them and choose the batch."""
        inputs = {name: self.inputs[name] for name in ("code", "structure", "exploration")}
        optional = {
            "model": self.ctx.model,
            "known": self.ctx.dataset if self.ctx.model is not None else None,
        }
        inputs.update({name: node for name, node in optional.items() if node is not None})
        inputs["user_files"] = dict(self.inputs.get("user_files", {}))
        inputs.update(n_select=self.ctx.plan["n_select"], seed=self.ctx.plan["explore_seed"])
        return self._submit_stage("explore", SosoExploreCalculation, inputs)

    def inspect_exploration(self) -> ExitCode | None:
        """Keep the chosen batch; end the campaign when the exploration failed."""
        if not self.ctx.explore.is_finished_ok:
            return self._stop("ERROR_EXPLORATION_FAILED", describe_failure(self.ctx.explore))
        self.ctx.candidates = self.ctx.explore.outputs.candidates
        return None

    def split(self) -> None:
        """Make a node of each configuration; those that have a label need no calculation."""
        self.ctx.configurations = {}
        if self.ctx.candidates is not None:
            metadata = {"call_link_label": stage_link("split", self.ctx.batch)}
            self.ctx.configurations = dict(functions.split_batch(self.ctx.candidates, metadata=metadata))
        indices = sorted(key.removeprefix(functions.CONFIGURATION) for key in self.ctx.configurations)
        self.ctx.waiting = [index for index in indices if functions.LABEL + index not in self.ctx.labels]
        self.ctx.labelling, self.ctx.running = {}, []

    def has_unlabelled(self) -> bool:
        """Return whether label calculations of the batch are waiting or running."""
        return bool(self.ctx.waiting or self.ctx.running)

    def submit_labels(self) -> Any:
        """Submit labels until `max_parallel` run, and wait for the one that has run longest."""
        running = [index for index in self.ctx.running if not self.ctx.labelling[index].is_terminated]
        n_free = self.inputs.max_parallel.value - len(running)
        now, self.ctx.waiting = self.ctx.waiting[:n_free], self.ctx.waiting[n_free:]
        self.ctx.labelling.update({index: self._submit_label(index) for index in now})
        self.ctx.running = [*running, *now]
        return self.to_context(longest=self.ctx.labelling[self.ctx.running[0]]) if self.ctx.running else None

    def inspect_labels(self) -> None:
        """Keep the finished labels and report the failures."""
        for index, process in self.ctx.labelling.items():
            if process.is_finished_ok:
                self.ctx.labels[functions.LABEL + index] = process.outputs.label
            else:
                self.report(f"batch {self.ctx.batch}: label {index} failed: {describe_failure(process)}")

    def has_labels(self) -> bool:
        """Return whether the batch has a label of the minimum grade or better."""
        return any(functions.is_usable(label, self.inputs.min_grade.value) for label in self.ctx.labels.values())

    def test_and_merge(self) -> None:
        """Test the model on the batch before training on it, then add the batch to the dataset."""
        self.ctx.evaluation = None
        if self.ctx.model is not None:
            metadata = {"call_link_label": stage_link("blind", self.ctx.batch)}
            nodes = {**self.ctx.configurations, **self.ctx.labels}
            blind = functions.test_blind(self.ctx.model, self.inputs.min_grade, metadata=metadata, **nodes)
            self.ctx.evaluation = blind.get("evaluation")
        before = {} if self.ctx.dataset is None else {"dataset": self.ctx.dataset}
        metadata = {"call_link_label": stage_link("merge", self.ctx.batch)}
        self.ctx.dataset = functions.merge_labels(self.inputs.min_grade, metadata=metadata, **before, **self.ctx.labels)

    def should_fit(self) -> bool:
        """Return whether the model was not fitted to all labels; an initial model may have been."""
        return self.ctx.model is None or not self.ctx.dataset.digests <= self.ctx.model.digests

    def fit(self) -> Any:
        """Fit to all labels; an initial model that was fitted to other labels too is updated instead."""
        inputs = {"code": self.inputs.code, "dataset": self.ctx.dataset, "seed": self.ctx.plan["fit_seed"]}
        if "model" in self.inputs and not self.inputs.model.digests <= self.ctx.dataset.digests:
            inputs["model"] = self.inputs.model
        elif "fit" in self.inputs:
            inputs["settings"] = self.inputs.fit
        return self._submit_stage("fit", SosoFitCalculation, inputs)

    def inspect_fit(self) -> ExitCode | None:
        """Keep the new model; end the campaign when the fit failed."""
        if not self.ctx.fit.is_finished_ok:
            return self._stop("ERROR_FIT_FAILED", describe_failure(self.ctx.fit))
        self.ctx.model = self.ctx.fit.outputs.model
        return None

    def decide(self) -> None:
        """Record the batch and apply the policy."""
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
        """Return whether the decision requests the learning-curve check and there are enough labels for it."""
        decision = self._last().decision if self.ctx.history else None
        if decision is None or not decision.needs_learning_curve or self.ctx.model is None:
            return False
        is_possible = bool(self.ctx.dataset.is_fully_labelled) and self.ctx.dataset.n_configurations >= FEWEST
        if not is_possible:
            self.report(f"no learning-curve check: it needs {FEWEST} labels, each with an energy")
        return is_possible

    def run_alternatives(self) -> Any:
        """Fit the model to half of the labels and, if its accuracy is the same, alternative forms to all."""
        inputs = {name: self.ctx[name] for name in ("dataset", "model")}
        inputs.update(code=self.inputs.code, seed=self.inputs.seed)
        return self._submit_stage("alternatives", SosoAlternativesCalculation, inputs)

    def inspect_alternatives(self) -> None:
        """Decide again with the result; without one the decision stays."""
        if self.ctx.alternatives.is_finished_ok:
            self._decide("advise", self.ctx.batch - 1, alternatives=self.ctx.alternatives.outputs.alternatives)
        else:
            self.report(f"the learning-curve check failed: {describe_failure(self.ctx.alternatives)}")

    def finish(self) -> ExitCode | None:
        """Attach the outputs and return the exit code of the decision."""
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
