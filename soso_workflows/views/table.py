"""The table of a campaign, one row for each batch, for the terminal and the report."""

from itertools import pairwise

from rich.table import Table

from soso_core.active.stopping.records import Action, BatchRecord, FieldConsistency
from soso_workflows.campaign.state import CampaignState
from soso_workflows.provenance.failures import failure_reason

COLUMNS = (
    ("batch", 5),
    ("labels", 6),
    ("failed", 6),
    ("low grade", 9),
    ("blind E", 8),
    ("blind field", 11),
    ("sigma E", 8),
    ("pair E", 8),
    ("pair field", 10),
    ("pooled E", 8),
    ("E/field", 11),
    ("core-h", 7),
    ("hours", 6),
    ("decision", 0),
)
LEGEND = """\
low grade: labels below the minimum grade, excluded from training;
blind E, blind field: error of the batch, predicted before training on it;
sigma E: standard deviation predicted for the batch, noise included;
pair E, pair field: error of a model with the pair part alone;
pooled E: blind error of the population, from the newest batches;
E/field: effective field from the energies over that of the labels;
E: meV per spin; field: effective field, meV per component;
core-h: core-hours of all labels so far; hours: since the start."""
"""Meaning and unit of the columns, in lines of a terminal."""


def row_of(batch: BatchRecord) -> list[str]:
    """Return the cells of one batch of the history."""
    decision = batch.decision
    return [
        str(batch.batch),
        str(batch.n_labels),
        str(batch.n_failed),
        str(batch.n_below_grade),
        number(batch.energy_rmse_meV_per_spin),
        number(batch.field_rmse_meV),
        number(batch.energy_std_meV_per_spin),
        number(batch.pair_only_energy_rmse_meV_per_spin),
        number(batch.pair_only_field_rmse_meV),
        number(None if decision is None else decision.blind_energy_rmse_meV_per_spin),
        _field_scale(batch.field_scale),
        _three_digits(batch.core_hours),
        _three_digits(batch.wall_hours),
        "" if decision is None else f"{decision.action.value} ({decision.reason})",
    ]


def number(value: float | None) -> str:
    """Return a number with two decimals, or a dash."""
    return "-" if value is None else f"{value:.2f}"


def _three_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _field_scale(found: FieldConsistency | None) -> str:
    """Return the ratio with its error, marked when energies and fields disagree."""
    if found is None:
        return "-"
    return f"{found.value:.2f}±{found.error:.2f}" + ("!" if found.disagrees else "")


def header_line() -> str:
    """Return the column names as a line."""
    return "  ".join(name.rjust(width) for name, width in COLUMNS)


def row_line(batch: BatchRecord) -> str:
    """Return one batch as a line under `header_line`."""
    return "  ".join(cell.rjust(width) for cell, (_, width) in zip(row_of(batch), COLUMNS, strict=True))


def status_table(state: CampaignState) -> Table:
    """Return the whole campaign as a rich table."""
    title = f"{state.node.label or 'campaign'} <{state.node.pk}>: {state_line(state)}"
    table = Table(title=title, caption=LEGEND, title_justify="left", caption_justify="left")
    for name, width in COLUMNS:
        table.add_column(name, justify="right" if width else "left")
    for batch in state.batches:
        table.add_row(*row_of(batch))
    return table


def lineage_lines(state: CampaignState) -> list[str]:
    """Return a line for every campaign that this one continues, oldest first."""
    lineage = state.lineage
    return [
        f"batches from {earlier.first_batch}: campaign {earlier.node.label or 'without name'} <{earlier.node.pk}>, "
        f"{state_line(earlier)}; {'extended' if later.is_extension else 'resumed'} as <{later.node.pk}> "
        f"from batch {later.first_batch}"
        for earlier, later in pairwise(lineage)
    ]


def state_line(state: CampaignState) -> str:
    """Return a line on the present activity of the campaign, or on its end."""
    node = state.node
    if node.is_finished:
        return "target met" if node.is_finished_ok else f"ended with {node.exit_status}: {node.exit_message}"
    if node.is_terminated:
        return failure_reason(node)
    weighing = state.calls.get(("alternatives", state.batch, ""))
    if weighing is not None and not weighing.is_terminated and state.candidates is None:
        return "testing whether more labels or another model form would help"
    decision = state.last_decision
    if decision is not None and decision.action is not Action.CONTINUE and state.candidates is None:
        return "writing the outputs"
    if state.preparation is not None and not state.preparation.is_terminated:
        return f"before the first batch: {state.preparation.process_label} <{state.preparation.pk}>"
    labelled = len(state.labels)
    if state.candidates is None:
        return f"batch {state.batch}: choosing configurations"
    return f"batch {state.batch}: {labelled} of {state.candidates.n_configurations} labelled"
