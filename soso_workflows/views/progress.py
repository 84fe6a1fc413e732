"""A table that grows line by line while a campaign runs; the same in a terminal and in a pipe."""

from collections.abc import Callable

from aiida.orm import WorkChainNode

from soso_core.active.stopping.records import BatchRecord
from soso_workflows.campaign.launch import why_idle
from soso_workflows.campaign.state import CampaignState
from soso_workflows.functions.label_warnings import label_warnings
from soso_workflows.views.table import UNITS, header_line, row_line, state_line


class Progress:
    """Called with the campaign's node again and again; prints each new fact once."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self.echo = echo
        self.node: WorkChainNode | None = None
        self.n_rows = 0
        self.seen_failures: set[int | None] = set()
        self.last_line = ""

    def __call__(self, node: WorkChainNode) -> None:
        """Print what is new: decided batches, failed labels, and what the campaign does now."""
        if self.node is None:
            self.announce(node)
        state = CampaignState(node)
        for failure in state.failures:
            if failure.pk not in self.seen_failures:
                self.seen_failures.add(failure.pk)
                self.echo(f"  label {failure.index} of batch {failure.batch} failed: {failure.reason}")
        for batch in _settled(state)[self.n_rows :]:
            self.say_batch(batch)
            self.n_rows += 1
        self._say_what_happens(state)

    def say_batch(self, batch: BatchRecord) -> None:
        """Print the row of a decided batch, and what is wrong with its labels."""
        self.echo(row_line(batch))
        for line in label_warnings(batch):
            self.echo(f"  {line}")

    def announce(self, node: WorkChainNode) -> None:
        """Say which process it is, and open the table."""
        self.node = node
        self.echo(f"campaign {node.label} <{node.pk}>; in another terminal: verdi data soso status {node.pk}")
        self.echo(UNITS)
        self.echo(header_line())

    def farewell(self, mode: str) -> str:
        """Return what to tell a user who pressed Ctrl-C."""
        if self.node is None:
            return "interrupted before anything was started"
        if mode == "submit":
            return f"the daemon goes on; watch it with: verdi data soso status {self.node.pk}"
        return f"interrupted; all finished labels are kept. Go on with: verdi data soso resume {self.node.pk}"

    def _say_what_happens(self, state: CampaignState) -> None:
        line = why_idle(state.node) or state_line(state)
        if line != self.last_line and not state.node.is_terminated:
            self.last_line = line
            self.echo(f"  {line}")


def _settled(state: CampaignState) -> tuple[BatchRecord, ...]:
    """Return the batches whose decision stands; the last one may wait for whether labels help."""
    batches = state.batches
    goes_on = state.node.is_terminated or ("explore", state.batch, "") in state.calls or state.candidates is not None
    decision = state.last_decision
    is_open = decision is not None and decision.needs_learning_curve and not goes_on
    return batches[:-1] if is_open else batches
