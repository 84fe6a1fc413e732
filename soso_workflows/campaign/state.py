"""Read a campaign back from its nodes: where it stands, what failed, what an unfinished batch has already."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from aiida.common.exceptions import NotExistent
from aiida.common.links import LinkType
from aiida.orm import ArrayData, Dict, ProcessNode, WorkChainNode, load_node
from aiida.plugins import WorkflowFactory

from soso_core.errors import InputError
from soso_workflows.campaign.links import PREPARATION_LINK, parse_link
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel
from soso_workflows.functions.loop import LABEL

PROCESS_TYPE = "aiida.workflows:soso.active_learning"
LAST_SIGN_EXTRA = "soso_last_sign"
"""Extra of a campaign whose process died: when the database last heard of it."""


@dataclass(frozen=True)
class FailedLabel:
    """A label calculation that gave no label."""

    batch: int
    index: str
    pk: int
    reason: str


@dataclass(frozen=True)
class CampaignState:
    """Where one campaign process stands.

    `dataset`, `model` and `history` are those after the last decided batch (None before the first);
    `batch` is the number of the next batch, `candidates` and `labels` what it has so far.
    """

    node: WorkChainNode

    @cached_property
    def calls(self) -> dict[tuple[str, int, str], ProcessNode]:
        """Processes the campaign called, by (stage, batch, index)."""
        links = self.node.base.links.get_outgoing(link_type=(LinkType.CALL_CALC, LinkType.CALL_WORK)).all()
        keyed = ((parse_link(link.link_label), link.node) for link in links)
        return {key: called for key, called in keyed if key is not None}

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Input nodes, nested as the process declares them."""
        return dict(self.node.base.links.get_incoming(link_type=LinkType.INPUT_WORK).nested())

    @property
    def preparation(self) -> ProcessNode | None:
        """The process that the engine wanted before its first label; None when it wanted none."""
        link = self.node.base.links.get_outgoing(link_label_filter=PREPARATION_LINK).all()
        return link[0].node if link else None

    @property
    def prepared(self) -> dict[str, Any]:
        """What that process gave, as inputs of labels; empty when nothing was wanted."""
        process = self.preparation
        if process is None or not process.is_finished_ok:
            return {}
        engine = WorkflowFactory(self.inputs["engine"].value)
        wanted = engine.preparation(dict(self.inputs["label"]), self.inputs["structure"])
        return {name: process.outputs[name] for name in (wanted.outputs if wanted else ())}

    @cached_property
    def history(self) -> Dict | None:
        """The history after the last decision; that with advice comes after the one without."""
        decided: list[Dict | None] = [self._last_output(stage, "history", None) for stage in ("advise", "decide")]
        made = [item for item in decided if item is not None]
        return max(made, key=lambda item: len(item["batches"])) if made else self._resumed("history")

    @property
    def batches(self) -> list[dict[str, Any]]:
        """The decided batches, oldest first."""
        return [] if self.history is None else list(self.history["batches"])

    @property
    def batch(self) -> int:
        """Number of the batch that is not decided yet."""
        return len(self.batches)

    @cached_property
    def dataset(self) -> SosoDataset | None:
        """All labels of the decided batches."""
        merged: SosoDataset | None = self._last_output("merge", "result", self.batch)
        if merged is None and self._resumed("history") is not None:
            return self.inputs.get("dataset")
        return merged

    @cached_property
    def model(self) -> SosoModel | None:
        """The model fitted to them."""
        fitted: SosoModel | None = self._last_output("fit", "model", self.batch)
        known = (fitted, self._resumed("model"), self.inputs.get("model"))
        return next((model for model in known if model is not None), None)

    @cached_property
    def candidates(self) -> SosoDataset | None:
        """The batch that was chosen and is not decided yet."""
        explored = self.calls.get(("explore", self.batch, ""))
        if explored is not None and explored.is_finished_ok:
            chosen: SosoDataset = explored.outputs.candidates
            return chosen
        return self._resumed("candidates") if self._is_first_batch else None

    @cached_property
    def labels(self) -> dict[str, SosoDataset]:
        """Labels of that batch, by `label_*`; also those whose workchain died before it could pass them on."""
        found = dict(self._resumed("labels") or {}) if self._is_first_batch else {}
        for (stage, batch, index), process in self.calls.items():
            if stage == "label" and batch == self.batch and (label := finished_label(process)) is not None:
                found[LABEL + index] = label
        return found

    @property
    def n_labels(self) -> int:
        """Labels so far, those of the unfinished batch among them."""
        decided = self.batches[-1]["n_labels"] if self.batches else 0
        return int(decided) + len(self.labels)

    @property
    def failures(self) -> list[FailedLabel]:
        """Label calculations of this process that gave no label, in order; not those killed with the campaign."""
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
    def previous(self) -> "CampaignState | None":
        """The campaign this one goes on from."""
        named = self._resumed("campaign")
        if named is not None:
            return _campaign_of(named.value)
        for name in ("history", "candidates"):
            node = self._resumed(name)
            if node is not None and node.creator is not None and node.creator.caller is not None:
                return CampaignState(node.creator.caller)
        return None

    @property
    def lineage(self) -> list["CampaignState"]:
        """Return this campaign and those that it continues, oldest first."""
        previous = self.previous
        return [*(previous.lineage if previous else []), self]

    @property
    def first_batch(self) -> int:
        """Number of the first batch that this process decides."""
        resumed = self._resumed("history")
        return 0 if resumed is None else len(resumed["batches"])

    @property
    def is_extension(self) -> bool:
        """Whether it explores something else than the campaign it goes on from."""
        extends = self._resumed("extends")
        return extends is not None and bool(extends.value)

    @property
    def ended(self) -> datetime:
        """When the process ended, or the last sign of life of one that was cut short."""
        noted = self.node.base.extras.get(LAST_SIGN_EXTRA, None)
        return self.last_sign if noted is None else datetime.fromisoformat(noted)

    @property
    def last_sign(self) -> datetime:
        """When the database last heard of the process or of anything below it."""
        last: datetime = max([self.node.mtime, *(item.mtime for item in self.node.called_descendants)])
        return last

    @property
    def _is_first_batch(self) -> bool:
        return self.batch == self.first_batch

    def _resumed(self, name: str) -> Any:
        return self.inputs.get("resume", {}).get(name)

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


def _campaign_of(uuid: str) -> CampaignState | None:
    try:
        node = load_node(uuid)
    except NotExistent:  # it was deleted
        return None
    return CampaignState(node) if isinstance(node, WorkChainNode) else None


def finished_label(process: ProcessNode) -> SosoDataset | None:
    """Return the label that a label workchain, or the engine below it, has made; None when there is none."""
    for candidate in _finished_within(process):
        label = candidate.base.links.get_outgoing(link_label_filter="label").all()
        if label and isinstance(label[0].node, SosoDataset):
            return label[0].node
    return None


def failure_reason(process: ProcessNode) -> str:
    """Return one line on a process that did not end well."""
    if process.exit_message:
        return str(process.exit_message)
    return str(process.process_state.value if process.process_state else "never started")


def _finished_within(process: ProcessNode) -> Iterator[ProcessNode]:
    if process.is_finished_ok:
        yield process
    yield from (item for item in process.called_descendants if item.is_finished_ok)
