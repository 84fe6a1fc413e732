"""Go on where a campaign was left: a new process that starts from its nodes."""

from collections.abc import Sequence
from typing import Any

from aiida.engine import ProcessBuilder
from aiida.orm import Bool, Dict, Str

from soso_core.active.stopping.policy import PolicySettings, decide, spent_budgets
from soso_core.active.stopping.records import Action, Decision
from soso_core.errors import InputError
from soso_core.settings import parse_settings
from soso_workchains.label.contract import load_label_workchain
from soso_workflows.campaign.launch import is_alive, mark_as_killed
from soso_workflows.campaign.state import CampaignState
from soso_workflows.functions.loop import read_history

OPTIONS = {
    "max_labels": "--max-labels",
    "max_core_hours": "--max-core-hours",
    "max_wall_hours": "--max-wall-hours",
    "target_energy_meV_per_spin": "--target-energy",
    "target_field_meV": "--target-field",
}
"""Keys of the policy that a resumption may change, by the options of the command."""

ANEW = "mend the campaign file and launch it anew"


def resume_builder(state: CampaignState, **changes: float | None) -> ProcessBuilder:
    """Return the builder of a campaign that continues `state`; finished labels are inputs, never made again.

    `changes`: keys of the policy that get another value; None changes nothing.  Raises InputError when the campaign
    still runs, or would end at once.
    """
    check_idle(state)
    changed = {key: value for key, value in changes.items() if value is not None}
    policy = changed_policy(state, changed)
    is_open = state.candidates is not None or bool(state.labels)  # a batch is finished, whatever the policy says
    if not is_open and (changed or state.node.is_finished):  # one that died before it could say so may end at once
        check_goes_on(state, policy)
    builder = state.node.get_builder_restart()
    builder.policy = Dict(policy.model_dump(mode="json"))
    if state.history is not None and state.dataset is not None:
        builder.dataset = state.dataset
    builder.label = {**state.inputs.get("label", {}), **state.prepared}
    left = left_by(state)
    if state.candidates is not None:
        left["candidates"] = state.candidates
    if state.is_extension and ("decide", state.first_batch - 1, "") not in state.calls:
        left["extends"] = Bool(True)  # it was cut short before its history said so
    builder.resume = left
    return builder


def extend_builder(state: CampaignState, builder: ProcessBuilder) -> ProcessBuilder:
    """Return the builder of another campaign, made to start from the labels, the model and the history of `state`.

    Its budgets count from the very first label.  Raises InputError as `check_extension` does.
    """
    check_extension(state, builder)
    builder.dataset = state.dataset
    if "model" in state.inputs:
        builder.model = state.inputs["model"]
    builder.label = _with_measured(state, builder)
    builder.resume = {**left_by(state), "extends": Bool(True)}
    return builder


def check_extension(state: CampaignState, builder: ProcessBuilder) -> None:
    """Raise InputError when a campaign cannot start from `state`.

    That is when it still runs, has decided no batch, was labelled by another engine, or leaves no budget.
    """
    check_idle(state)
    pk, engine = state.node.pk, state.inputs["engine"].value
    if has_concluded(state) and state.dataset is None:
        raise InputError(f"campaign {pk} made no label to go on from; {ANEW}")
    if state.history is None or state.dataset is None:
        raise InputError(f"campaign {pk} has no finished batch yet; go on with `verdi data soso resume {pk}` first")
    if builder.engine.value != engine:
        raise InputError(f"campaign {pk} was labelled by {engine}, not {builder.engine.value}; their labels do not mix")
    check_goes_on(state, PolicySettings(**builder.policy.get_dict()), since=len(state.batches))


def changed_engine_settings(state: CampaignState, builder: ProcessBuilder) -> list[str]:
    """Return the keys of the engine's settings in which an extension differs: its labels join those of `state`."""
    before, now = (
        {} if (node := inputs.get("settings")) is None else node.get_dict()
        for inputs in (state.inputs.get("label", {}), builder.label)
    )
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def _with_measured(state: CampaignState, builder: ProcessBuilder) -> dict[str, Any]:
    """Return the inputs of labels; what the engine would have to measure is taken over from the earlier campaign."""
    inputs = {name: node for name, node in builder.label.items() if node is not None}
    wanted = load_label_workchain(builder.engine.value).preparation(inputs, builder.structure)
    known = {**state.inputs.get("label", {}), **state.prepared}
    names = wanted.outputs if wanted is not None else ()
    return {**inputs, **{name: known[name] for name in names if name in known}}


def left_by(state: CampaignState) -> dict[str, Any]:
    """Return what a campaign leaves to the one that goes on from it, and close its books when its process died."""
    found = {"history": state.history, "model": state.model, "labels": state.labels}
    left = {"campaign": Str(state.node.uuid), **{name: value for name, value in found.items() if value}}
    if not state.node.is_terminated:
        mark_as_killed(state.node)
    return left


def changed_policy(state: CampaignState, changes: dict[str, float]) -> PolicySettings:
    """Return the policy with other limits.  Raises InputError, naming the option, for a value without meaning."""
    values = {**state.inputs["policy"].get_dict(), **changes}
    return parse_settings(PolicySettings, values, ", ".join(OPTIONS[key] for key in changes) or "policy")


def has_concluded(state: CampaignState) -> bool:
    """Whether the campaign ended because the policy said so, and not because something broke."""
    return bool(state.node.is_finished) and _last_action(state) != Action.CONTINUE


def _last_action(state: CampaignState) -> Action:
    return Action.CONTINUE if state.last_decision is None else state.last_decision.action


def check_idle(state: CampaignState) -> None:
    """Raise InputError when somebody works on a campaign."""
    if is_alive(state.node):
        pk = state.node.pk
        raise InputError(f"campaign {pk} still runs; stop it with `verdi process kill {pk}` first")


def how_to_go_on(state: CampaignState) -> str:
    """Return what to type after a campaign that ended without meeting its target."""
    pk = state.node.pk
    if not has_concluded(state) or _last_action(state) == Action.BUDGET_EXHAUSTED:
        return f"to go on: verdi data soso resume {pk} (--max-labels N and others: see --help)"
    if state.dataset is None:
        return f"nothing to go on from: {ANEW}"
    return f"to go on with other settings: verdi data soso extend {pk} CAMPAIGN.yaml"


def check_goes_on(state: CampaignState, policy: PolicySettings, since: int | None = None) -> None:
    """Raise InputError when the policy would end the campaign at once; it is asked as the campaign will ask it.

    `since`: number of the first batch of an exploration; None: as the history has it.
    """
    if state.history is None:
        return
    history = read_history(state.history)
    if since is not None:
        history = history.model_copy(update={"extensions": (since,)})
    found = decide(history, policy)
    if found.action is not Action.CONTINUE:
        spent = spent_budgets(history.batches[-1], policy)
        names = [OPTIONS[key] if since is None else f"policy.{key}" for key in spent]
        why = _why_not(found, list(spent.values()), names, has_labels=state.dataset is not None)
        raise InputError(f"campaign {state.node.pk} {why}")


def _why_not(found: Decision, spent: Sequence[str], names: Sequence[str], has_labels: bool) -> str:
    """Return why the campaign would end; `spent` says which budgets are used up, `names` what raises each of them."""
    if found.action is Action.TARGET_MET:
        return (
            f"has met its target; there is nothing to resume, unless you ask for more: a --target-energy below "
            f"{found.energy_bound_meV_per_spin:.3g} or a --target-field"
        )
    if found.action is Action.BUDGET_EXHAUSTED:
        return f"would end at once: {', '.join(spent)}; raise the budget with {' and '.join(names)}"
    why = f"{found.action.value} ({found.reason})"
    return f"would end at once: {why}; {'`verdi data soso extend` goes on with other settings' if has_labels else ANEW}"
