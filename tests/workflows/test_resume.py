"""What a resumption says when it would end at once: the budgets that are spent, and what raises each."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from soso_core.active.stopping.policy import PolicySettings
from soso_core.active.stopping.records import Decision
from soso_core.errors import InputError
from soso_workflows.campaign import resume
from soso_workflows.campaign.resume import check_continues, suggest_next_command

pytestmark = [pytest.mark.aiida, pytest.mark.usefixtures("aiida_profile")]

SPENT = {"batch": 0, "n_labels": 12, "n_failed": 0, "core_hours": 3.0, "wall_hours": 1.5}


@pytest.fixture
def state():
    """Return a campaign of one batch, as far as the policy looks at it."""
    history = SimpleNamespace(get_dict=lambda: {"batches": [SPENT]})
    return SimpleNamespace(node=SimpleNamespace(pk=7), history=history, dataset="labels")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_labels": 12}, "12 labels used of 12; raise the budget with --max-labels"),
        ({"max_core_hours": 3}, "3 core-hours used of 3; raise the budget with --max-core-hours"),
        ({"max_core_hours": 4, "max_wall_hours": 1}, "1.5 hours used of 1; raise the budget with --max-wall-hours"),
        (
            {"max_labels": 10, "max_core_hours": 2, "max_wall_hours": 9},
            "12 labels used of 10, 3 core-hours used of 2; raise the budget with --max-labels and --max-core-hours",
        ),
    ],
)
def test_exactly_the_budgets_that_are_spent_are_named(state, limits, said):
    with pytest.raises(InputError) as caught:
        check_continues(state, PolicySettings(**limits))
    assert str(caught.value) == f"campaign 7 would end at once: {said}"


def test_an_extension_is_told_the_keys_of_its_file(state):
    """`extend` has no options of budgets: they stand in the campaign file."""
    with pytest.raises(InputError, match=r"raise the budget with policy\.max_labels and policy\.max_wall_hours$"):
        check_continues(state, PolicySettings(max_labels=12, max_wall_hours=1.5), since=1)


def test_a_budget_that_is_left_goes_on(state):
    check_continues(state, PolicySettings(max_labels=13, max_core_hours=3.1, max_wall_hours=1.6))


def floored(batch):
    """A batch of two whose error stands while what the model expects of it falls."""
    errors = {"energy_rmse_meV_per_spin": 1e3, "energy_model_std_meV_per_spin": 100.0 / (1 + batch)}
    return {"batch": batch, "n_labels": 6 + 2 * batch, "n_failed": 0, **({"n_blind": 2, **errors} if batch else {})}


@pytest.mark.parametrize("share", [None, 0.5, 1.0])
def test_a_suspicion_of_the_form_is_left_to_the_campaign(share):
    """When nobody has looked into it yet, or labels were seen to help, it goes on; else it would end at once."""
    batches = [floored(batch) for batch in range(4)]
    if share is not None:
        batches[-1]["learning_curve"] = {"energy_rmse_meV_per_spin": share, "half_energy_rmse_meV_per_spin": 1.0}
    history = SimpleNamespace(get_dict=lambda: {"batches": batches})
    state = SimpleNamespace(node=SimpleNamespace(pk=7), history=history, dataset="labels")
    policy = PolicySettings(target_energy_meV_per_spin=0.1, max_labels=20, min_blind=2)
    if share != 1.0:
        check_continues(state, policy)
        return
    with pytest.raises(InputError, match="campaign 7 would end at once: model form"):
        check_continues(state, policy)


@pytest.mark.parametrize("labels", [{}, {"label_000": None}])
def test_an_open_batch_is_finished_whatever_the_policy_says(state, labels, monkeypatch):
    """A campaign whose fit failed has labels that are not decided on yet: it does not end at once."""
    state.node.is_finished, state.candidates, state.labels = True, None, labels
    monkeypatch.setattr(resume, "check_idle", lambda state: None)
    monkeypatch.setattr(resume, "change_policy", lambda state, changes: PolicySettings(max_labels=12))
    state.node.get_builder_restart = goes_on = Mock(side_effect=StopIteration)
    with pytest.raises(StopIteration if labels else InputError):
        resume.resume_builder(state)
    assert goes_on.called == bool(labels)


def ended(action, dataset="labels"):
    node = SimpleNamespace(pk=7, is_finished=True)
    return SimpleNamespace(node=node, last_decision=Decision(action=action, reason="x"), dataset=dataset)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (ended("continue"), "resume 7"),
        (ended("budget exhausted"), "resume 7 (options such as --max-labels"),
        (ended("model form"), "extend 7 CAMPAIGN.yaml"),
        (ended("too many failed labels"), "extend 7 CAMPAIGN.yaml"),
        (ended("too many failed labels", dataset=None), "fix the campaign file and launch it again"),
    ],
)
def test_the_last_line_names_a_command_that_will_not_refuse(state, said):
    assert said in suggest_next_command(state)
