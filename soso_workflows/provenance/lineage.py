"""A campaign process as the database records it: its inputs, the processes it called, the campaigns it continues."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from aiida.common.exceptions import NotExistent
from aiida.common.links import LinkType
from aiida.orm import ProcessNode, WorkChainNode, load_node

from soso_workflows.provenance.links import PREPARATION_LINK, parse_link

LAST_SIGN_EXTRA = "soso_last_sign"
"""Extra of a campaign whose process died: the time of the last change in the database."""
SomeCampaign = TypeVar("SomeCampaign", bound="CampaignProcess")


@dataclass(frozen=True)
class CampaignProcess:
    """The links and times of one campaign process; `campaign.state.CampaignState` adds its results."""

    node: WorkChainNode

    @cached_property
    def calls(self) -> dict[tuple[str, int, str], ProcessNode]:
        """Processes the campaign called, by (stage, batch, index)."""
        links = self.node.base.links.get_outgoing(link_type=(LinkType.CALL_CALC, LinkType.CALL_WORK)).all()
        keyed = ((parse_link(link.link_label), link.node) for link in links)
        return {key: node for key, node in keyed if key is not None and isinstance(node, ProcessNode)}

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Input nodes, nested as the process declares them."""
        return dict(self.node.base.links.get_incoming(link_type=LinkType.INPUT_WORK).nested())

    @property
    def preparation(self) -> ProcessNode | None:
        """The process that the engine needed before its first label; None when it needed none."""
        nodes = self.node.base.links.get_outgoing(link_label_filter=PREPARATION_LINK).all_nodes()
        return next((node for node in nodes if isinstance(node, ProcessNode)), None)

    @property
    def previous(self: SomeCampaign) -> SomeCampaign | None:
        """The campaign that this one continues; None when there is none or it was deleted."""
        uuid = self.get_resumed("campaign")
        try:
            node = None if uuid is None else load_node(uuid.value)
        except NotExistent:
            return None
        return type(self)(node) if isinstance(node, WorkChainNode) else None

    @property
    def lineage(self: SomeCampaign) -> list[SomeCampaign]:
        """Return this campaign and those that it continues, oldest first."""
        previous = self.previous
        return [*(previous.lineage if previous else []), self]

    @property
    def first_batch(self) -> int:
        """Number of the first batch that this process decides."""
        resumed = self.get_resumed("history")
        return 0 if resumed is None else len(resumed["batches"])

    @property
    def is_extension(self) -> bool:
        """True when its exploration differs from that of the campaign it continues."""
        extends = self.get_resumed("extends")
        return extends is not None and bool(extends.value)

    @property
    def ended(self) -> datetime:
        """When the process ended, or the last sign of life of one that was cut short."""
        noted = self.node.base.extras.get(LAST_SIGN_EXTRA, None)
        return self.last_sign if noted is None else datetime.fromisoformat(noted)

    @property
    def last_sign(self) -> datetime:
        """When the database last recorded a change of the process or of any process below it."""
        last: datetime = max([self.node.mtime, *(item.mtime for item in self.node.called_descendants)])
        return last

    def get_resumed(self, name: str) -> Any:
        """Return an input of the namespace `resume`, None when it is absent."""
        return self.inputs.get("resume", {}).get(name)
