"""Read the state of a campaign from its nodes: its batches, failures and unfinished labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aiida.common.exceptions import NotExistent
from aiida.orm import ArrayData, Dict, ProcessNode, WorkChainNode, load_node

from soso_core.active.stopping.records import BatchRecord, Decision
from soso_core.errors import InputError
from soso_workchains.active_learning.chain import ActiveLearningWorkChain
from soso_workchains.label.contract import load_label_workchain
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel
from soso_workflows.functions.loop import LABEL, read_history
from soso_workflows.provenance.failures import failure_reason
from soso_workflows.provenance.lineage import CampaignProcess

PROCESS_TYPE = ActiveLearningWorkChain.build_process_type()


@dataclass(frozen=True)
class FailedLabel:
    """A label calculation that failed."""

    batch: int
    index: str
    pk: int | None
    reason: str


@dataclass(frozen=True)
class CampaignState(CampaignProcess):
    """The state of one campaign process.

    `dataset`, `model` and `history` are those after the last decided batch (None before the first);
    `batch` is the number of the next batch, `candidates` and `labels` are its configurations and labels so far.
    """

    @property
    def prepared(self) -> dict[str, Any]:
        """Outputs of the preparation, as inputs of labels; empty without a preparation."""
        process = self.preparation
        if process is None or not process.is_finished_ok:
            return {}
        engine = load_label_workchain(self.inputs["engine"].value)
        wanted = engine.preparation(dict(self.inputs["label"]), self.inputs["structure"])
        return {name: process.outputs[name] for name in (wanted.outputs if wanted else ())}

    @cached_property
    def history(self) -> Dict | None:
        """The history after the last decision; a decision with alternatives replaces the one without."""
        decided: list[Dict | None] = [self._last_output(stage, "history", None) for stage in ("advise", "decide")]
        made = [item for item in decided if item is not None]
        return max(made, key=lambda item: len(item["batches"])) if made else self.get_resumed("history")

    @cached_property
    def batches(self) -> tuple[BatchRecord, ...]:
        """The decided batches, oldest first."""
        return read_history(self.history).batches

    @property
    def last_decision(self) -> Decision | None:
        """The decision after the last batch; None before the first."""
        return self.batches[-1].decision if self.batches else None

    @property
    def batch(self) -> int:
        """Number of the first batch without a decision."""
        return len(self.batches)

    @cached_property
    def dataset(self) -> SosoDataset | None:
        """All labels of the decided batches."""
        merged: SosoDataset | None = self._last_output("merge", "result", self.batch)
        if merged is None and self.get_resumed("history") is not None:
            return self.inputs.get("dataset")
        return merged

    @cached_property
    def model(self) -> SosoModel | None:
        """The model fitted to them."""
        fitted: SosoModel | None = self._last_output("fit", "model", self.batch)
        known = (fitted, self.get_resumed("model"), self.inputs.get("model"))
        return next((model for model in known if model is not None), None)

    @cached_property
    def candidates(self) -> SosoDataset | None:
        """The chosen configurations of the batch without a decision."""
        explored = self.calls.get(("explore", self.batch, ""))
        if explored is not None and explored.is_finished_ok:
            chosen: SosoDataset = explored.outputs.candidates
            return chosen
        return self.get_resumed("candidates") if self._is_first_batch else None

    @cached_property
    def labels(self) -> dict[str, SosoDataset]:
        """Labels of that batch, by `label_*`; also those whose workchain was killed before it returned them."""
        found = dict(self.get_resumed("labels") or {}) if self._is_first_batch else {}
        for (stage, batch, index), process in self.calls.items():
            if stage == "label" and batch == self.batch and (label := find_finished_label(process)) is not None:
                found[LABEL + index] = label
        return found

    @property
    def n_labels(self) -> int:
        """Number of labels so far, the unfinished batch included."""
        decided = self.batches[-1].n_labels if self.batches else 0
        return decided + len(self.labels)

    @property
    def failures(self) -> list[FailedLabel]:
        """Failed label calculations of this process, in order; not those killed with the campaign."""
        failed = [
            FailedLabel(batch, index, process.pk, failure_reason(process))
            for (stage, batch, index), process in self.calls.items()
            if stage == "label"
            and process.is_terminated
            and not process.is_finished_ok
            and not (process.is_killed and self.node.is_killed)
            and not (batch == self.batch and LABEL + index in self.labels)
        ]
        return sorted(failed, key=lambda item: (item.batch, item.index))

    @property
    def predictions(self) -> dict[int, ArrayData]:
        """Blind predictions, by batch."""
        blind = {batch: process for (stage, batch, _), process in self.calls.items() if stage == "blind"}
        made = {batch: process.outputs for batch, process in blind.items() if process.is_finished_ok}
        return {batch: outputs.predictions for batch, outputs in made.items() if "predictions" in outputs}

    @property
    def _is_first_batch(self) -> bool:
        return self.batch == self.first_batch

    def _last_output(self, stage: str, output: str, before: int | None) -> Any:
        batches = [
            batch
            for (called, batch, _), process in self.calls.items()
            if called == stage and process.is_finished_ok and (before is None or batch < before)
        ]
        return self.calls[stage, max(batches), ""].outputs[output] if batches else None


def load_campaign(pk: int | str) -> CampaignState:
    """Return the state of the campaign with this PK or UUID.  Raises InputError when it is none."""
    try:
        node = load_node(pk)
    except (NotExistent, ValueError):
        raise InputError(f"there is no node {pk} in this profile") from None
    if not isinstance(node, WorkChainNode) or node.process_type != PROCESS_TYPE:
        kind = getattr(node, "process_label", None) or type(node).__name__
        raise InputError(f"node {pk} is not a campaign ({kind}); see `verdi process list -a`")
    return CampaignState(node)


def find_finished_label(process: ProcessNode) -> SosoDataset | None:
    """Return the label that a label workchain or the engine below it made; None when there is none."""
    for candidate in _find_finished(process):
        label = candidate.base.links.get_outgoing(link_label_filter="label").all()
        if label and isinstance(label[0].node, SosoDataset):
            return label[0].node
    return None


def _find_finished(process: ProcessNode) -> Iterator[ProcessNode]:
    if process.is_finished_ok:
        yield process
    yield from (item for item in process.called_descendants if item.is_finished_ok)
