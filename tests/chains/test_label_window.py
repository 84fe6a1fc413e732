"""How many labels run at a time, step by step, without running any."""

from types import SimpleNamespace

import pytest

from soso_workchains.active_learning.chain import ActiveLearningWorkChain

pytestmark = pytest.mark.aiida


class Campaign:
    """As much of a campaign as submits labels; they end when the test says so."""

    def __init__(self, n_labels: int, max_parallel: int) -> None:
        self.ctx = SimpleNamespace(waiting=[f"{index:03}" for index in range(n_labels)], labelling={}, running=[])
        self.inputs = SimpleNamespace(max_parallel=SimpleNamespace(value=max_parallel))

    has_unlabelled = ActiveLearningWorkChain.has_unlabelled
    submit_labels = ActiveLearningWorkChain.submit_labels

    def _submit_label(self, index):
        return SimpleNamespace(index=index, is_terminated=False)

    def to_context(self, longest):
        return longest.index

    def end(self, *indices):
        for index in indices:
            self.ctx.labelling[index].is_terminated = True

    @property
    def running(self):
        return [index for index, label in self.ctx.labelling.items() if not label.is_terminated]


def test_a_label_that_ends_makes_room_for_the_next():
    campaign = Campaign(5, 2)
    assert campaign.submit_labels() == "000"
    assert campaign.running == ["000", "001"]
    campaign.end("000")
    assert campaign.submit_labels() == "001"
    assert campaign.running == ["001", "002"]
    campaign.end("001", "002")
    assert campaign.submit_labels() == "003"
    assert campaign.running == ["003", "004"]
    campaign.end("003")
    assert campaign.has_unlabelled()
    assert campaign.submit_labels() == "004"
    campaign.end("004")
    assert campaign.submit_labels() is None
    assert not campaign.has_unlabelled()
    assert list(campaign.ctx.labelling) == ["000", "001", "002", "003", "004"]


@pytest.mark.parametrize("max_parallel", [3, 4, 10])
def test_few_labels_run_at_once(max_parallel):
    campaign = Campaign(3, max_parallel)
    assert campaign.submit_labels() == "000"
    assert campaign.running == ["000", "001", "002"]
    campaign.end("000", "001", "002")
    assert campaign.has_unlabelled()
    assert campaign.submit_labels() is None  # all ended, by other workers, since it was last looked
    assert not campaign.has_unlabelled()


def test_a_batch_with_every_label_at_hand_submits_nothing():
    assert not Campaign(0, 2).has_unlabelled()
