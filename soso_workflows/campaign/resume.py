"""Continue a campaign with a new process that starts from its nodes."""

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
"""Keys of the policy that `resume` may change, and their options."""

LAUNCH_AGAIN = "fix the campaign file and launch it again"


def resume_builder(state: CampaignState, **changes: float | None) -> ProcessBuilder:
    """Return the builder of a campaign that continues `state`; finished labels are inputs and are not repeated.

    `changes`: new values of keys of the policy; None changes nothing.  Raises InputError when the campaign is running
    or would end at once.
    """
    check_idle(state)
    changed = {key: value for key, value in changes.items() if value is not None}
    policy = change_policy(state, changed)
    is_open = state.candidates is not None or bool(state.labels)  # an open batch is finished before the policy decides
    if not is_open and (changed or state.node.is_finished):  # one that was killed may end at once
        check_continues(state, policy)
    builder = state.node.get_builder_restart()
    builder.policy = Dict(policy.model_dump(mode="json"))
    if state.history is not None and state.dataset is not None:
        builder.dataset = state.dataset
    builder.label = {**state.inputs.get("label", {}), **state.prepared}
    inputs = collect_resume_inputs(state)
    if state.candidates is not None:
        inputs["candidates"] = state.candidates
    if state.is_extension and ("decide", state.first_batch - 1, "") not in state.calls:
        inputs["extends"] = Bool(True)  # it was interrupted before its history recorded this
    builder.resume = inputs
    return builder


def extend_builder(state: CampaignState, builder: ProcessBuilder) -> ProcessBuilder:
    """Return `builder`, changed to start from the labels, the model and the history of `state`.

    Its budgets count from the first label of `state`.  Raises InputError as `check_extension` does.
    """
    check_extension(state, builder)
    builder.dataset = state.dataset
    if "model" in state.inputs:
        builder.model = state.inputs["model"]
    builder.label = _add_measured(state, builder)
    builder.resume = {**collect_resume_inputs(state), "extends": Bool(True)}
    return builder


def check_extension(state: CampaignState, builder: ProcessBuilder) -> None:
    """Raise InputError when a campaign cannot start from `state`.

    `state` must have ended with a decided batch, labels of the same engine, and budget left.
    """
    check_idle(state)
    pk, engine = state.node.pk, state.inputs["engine"].value
    if has_concluded(state) and state.dataset is None:
        raise InputError(f"campaign {pk} has no label to start from; {LAUNCH_AGAIN}")
    if state.history is None or state.dataset is None:
        raise InputError(f"campaign {pk} has no finished batch; continue it with `verdi data soso resume {pk}` first")
    if builder.engine.value != engine:
        raise InputError(
            f"campaign {pk} was labelled by {engine}, not {builder.engine.value}; "
            "labels from different engines cannot be combined"
        )
    check_continues(state, PolicySettings(**builder.policy.get_dict()), since=len(state.batches))


def find_changed_engine_settings(state: CampaignState, builder: ProcessBuilder) -> list[str]:
    """Return the keys of the engine's settings whose values in `builder` differ from those of `state`."""
    before, now = (
        {} if (node := inputs.get("settings")) is None else node.get_dict()
        for inputs in (state.inputs.get("label", {}), builder.label)
    )
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def _add_measured(state: CampaignState, builder: ProcessBuilder) -> dict[str, Any]:
    """Return the inputs of labels, with the measurements of the earlier campaign."""
    inputs = {name: node for name, node in builder.label.items() if node is not None}
    wanted = load_label_workchain(builder.engine.value).preparation(inputs, builder.structure)
    known = {**state.inputs.get("label", {}), **state.prepared}
    names = wanted.outputs if wanted is not None else ()
    return {**inputs, **{name: known[name] for name in names if name in known}}


def collect_resume_inputs(state: CampaignState) -> dict[str, Any]:
    """Return the namespace `resume` of the campaign that continues `state`; mark `state` as killed if it is open."""
    found = {"history": state.history, "model": state.model, "labels": state.labels}
    inputs = {"campaign": Str(state.node.uuid), **{name: value for name, value in found.items() if value}}
    if not state.node.is_terminated:
        mark_as_killed(state.node)
    return inputs


def change_policy(state: CampaignState, changes: dict[str, float]) -> PolicySettings:
    """Return the policy with other limits.  Raises InputError that names the option of an invalid value."""
    values = {**state.inputs["policy"].get_dict(), **changes}
    return parse_settings(PolicySettings, values, ", ".join(OPTIONS[key] for key in changes) or "policy")


def has_concluded(state: CampaignState) -> bool:
    """Return whether the campaign ended by a decision of the policy, not by a failure."""
    return bool(state.node.is_finished) and _last_action(state) != Action.CONTINUE


def _last_action(state: CampaignState) -> Action:
    return Action.CONTINUE if state.last_decision is None else state.last_decision.action


def check_idle(state: CampaignState) -> None:
    """Raise InputError when the campaign is running."""
    if is_alive(state.node):
        pk = state.node.pk
        raise InputError(f"campaign {pk} is running; stop it with `verdi process kill {pk}` first")


def suggest_next_command(state: CampaignState) -> str:
    """Return the command to run after a campaign that ended without meeting its target."""
    pk = state.node.pk
    if not has_concluded(state) or _last_action(state) == Action.BUDGET_EXHAUSTED:
        return f"to continue: verdi data soso resume {pk} (options such as --max-labels N: see --help)"
    if state.dataset is None:
        return f"there is no label to start from: {LAUNCH_AGAIN}"
    return f"to continue with other settings: verdi data soso extend {pk} CAMPAIGN.yaml"


def check_continues(state: CampaignState, policy: PolicySettings, since: int | None = None) -> None:
    """Raise InputError when the policy would end the campaign at once; the campaign will make the same decision.

    `since`: number of the first batch of an exploration; None: that of the history.
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
        why = _explain_end(found, list(spent.values()), names, has_labels=state.dataset is not None)
        raise InputError(f"campaign {state.node.pk} {why}")


def _explain_end(found: Decision, spent: Sequence[str], names: Sequence[str], has_labels: bool) -> str:
    """Return why the campaign would end; `spent` are the used budgets, `names` the options that raise them."""
    if found.action is Action.TARGET_MET:
        return (
            f"has met its target; to resume it, lower the target: a --target-energy below "
            f"{found.energy_bound_meV_per_spin:.3g} or a --target-field"
        )
    if found.action is Action.BUDGET_EXHAUSTED:
        return f"would end at once: {', '.join(spent)}; raise the budget with {' and '.join(names)}"
    why = f"{found.action.value} ({found.reason})"
    advice = "continue with other settings: `verdi data soso extend`" if has_labels else LAUNCH_AGAIN
    return f"would end at once: {why}; {advice}"
