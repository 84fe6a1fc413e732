"""What a resumption says when it would end at once: the budgets that are spent, and what raises each."""

from types import SimpleNamespace

import pytest

from soso_core.active.policy import PolicySettings
from soso_core.errors import InputError
from soso_workflows.resume import check_goes_on

pytestmark = pytest.mark.aiida

SPENT = {"batch": 0, "n_labels": 12, "n_failed": 0, "core_hours": 3.0, "wall_hours": 1.5}


@pytest.fixture
def state():
    """Return a campaign of one batch, as far as the policy looks at it."""
    history = SimpleNamespace(get_dict=lambda: {"batches": [SPENT]})
    return SimpleNamespace(node=SimpleNamespace(pk=7), history=history)


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
        check_goes_on(state, PolicySettings(**limits))
    assert str(caught.value) == f"campaign 7 would end at once: {said}"


def test_an_extension_is_told_the_keys_of_its_file(state):
    """`extend` has no options of budgets: they stand in the campaign file."""
    with pytest.raises(InputError, match=r"raise the budget with policy\.max_labels and policy\.max_wall_hours$"):
        check_goes_on(state, PolicySettings(max_labels=12, max_wall_hours=1.5), since=1)


def test_a_budget_that_is_left_goes_on(state):
    check_goes_on(state, PolicySettings(max_labels=13, max_core_hours=3.1, max_wall_hours=1.6))
