"""Go on where a campaign was left: a new process that starts from its nodes."""

from aiida.engine import ProcessBuilder
from aiida.orm import Dict

from soso_core.active.policy import Action, PolicySettings
from soso_core.errors import InputError
from soso_core.settings import parse_settings
from soso_workflows.launch import close_books, is_alive
from soso_workflows.state import CampaignState


def resume_builder(state: CampaignState, max_labels: int | None = None) -> ProcessBuilder:
    """Return the builder of a campaign that continues `state`; finished labels are inputs, never made again.

    Raises InputError when the campaign still runs, has met its target, or when `max_labels` makes no sense.
    """
    _check(state, max_labels)
    if not state.node.is_terminated:
        close_books(state.node)
    builder = state.node.get_builder_restart()
    if max_labels is not None:
        values = {**state.inputs["policy"].get_dict(), "max_labels": max_labels}
        builder.policy = Dict(parse_settings(PolicySettings, values, "--max-labels").model_dump(mode="json"))
    if state.history is not None and state.dataset is not None:
        builder.dataset = state.dataset
    found = {
        "history": state.history,
        "model": state.model,
        "candidates": state.candidates,
        "labels": state.labels,
    }
    builder.label = {**state.inputs.get("label", {}), **state.prepared}
    builder.resume = {name: value for name, value in found.items() if value}
    return builder


def has_concluded(state: CampaignState) -> bool:
    """Whether the campaign ended because the policy said so, and not because something broke."""
    last = state.batches[-1]["decision"]["action"] if state.batches else Action.CONTINUE
    return bool(state.node.is_finished) and last != Action.CONTINUE


def _check(state: CampaignState, max_labels: int | None) -> None:
    node = state.node
    if is_alive(node):
        raise InputError(f"campaign {node.pk} still runs; stop it with `verdi process kill {node.pk}` first")
    if node.is_finished_ok and max_labels is None:
        raise InputError(f"campaign {node.pk} has met its target; there is nothing to resume")
    used = state.batches[-1]["n_labels"] if state.batches else 0
    budget = max_labels if max_labels is not None else state.inputs["policy"]["max_labels"]
    if used >= budget:
        raise InputError(f"campaign {node.pk} has used {used} labels of {budget}; raise the budget with --max-labels")
