"""Print the table of a running campaign line by line, in a terminal or a pipe."""

from collections.abc import Callable

from aiida.orm import WorkChainNode

from soso_core.active.stopping.records import BatchRecord
from soso_workflows.campaign.launch import explain_idle
from soso_workflows.campaign.state import CampaignState
from soso_workflows.functions.label_warnings import label_warnings
from soso_workflows.views.table import LEGEND, header_line, row_line, state_line


class Progress:
    """Print each new fact of a campaign once; an instance is called with the node at intervals."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self.echo = echo
        self.node: WorkChainNode | None = None
        self.n_rows = 0
        self.seen_failures: set[int | None] = set()
        self.last_line = ""

    def __call__(self, node: WorkChainNode) -> None:
        """Print new batches, failed labels and the present activity."""
        if self.node is None:
            self.announce(node)
        state = CampaignState(node)
        for failure in state.failures:
            if failure.pk not in self.seen_failures:
                self.seen_failures.add(failure.pk)
                self.echo(f"  label {failure.index} of batch {failure.batch} failed: {failure.reason}")
        for batch in _find_settled(state)[self.n_rows :]:
            self.print_batch(batch)
            self.n_rows += 1
        self._print_state(state)

    def print_batch(self, batch: BatchRecord) -> None:
        """Print the row of a batch and the warnings about its labels."""
        self.echo(row_line(batch))
        for line in label_warnings(batch):
            self.echo(f"  {line}")

    def announce(self, node: WorkChainNode) -> None:
        """Print the process and the header of the table."""
        self.node = node
        self.echo(f"campaign {node.label} <{node.pk}>; in another terminal: verdi data soso status {node.pk}")
        self.echo(LEGEND)
        self.echo(header_line())

    def interrupt_message(self, mode: str) -> str:
        """Return the message after Ctrl-C, with the next command."""
        if self.node is None:
            return "interrupted before the campaign was started"
        if mode == "submit":
            return f"the daemon continues the campaign; watch it with: verdi data soso status {self.node.pk}"
        return f"interrupted; all finished labels are kept. Continue with: verdi data soso resume {self.node.pk}"

    def _print_state(self, state: CampaignState) -> None:
        line = explain_idle(state.node) or state_line(state)
        if line != self.last_line and not state.node.is_terminated:
            self.last_line = line
            self.echo(f"  {line}")


def _find_settled(state: CampaignState) -> tuple[BatchRecord, ...]:
    """Return the batches with a final decision; the last one may wait for the learning-curve check."""
    batches = state.batches
    goes_on = state.node.is_terminated or ("explore", state.batch, "") in state.calls or state.candidates is not None
    decision = state.last_decision
    is_open = decision is not None and decision.needs_learning_curve and not goes_on
    return batches[:-1] if is_open else batches
