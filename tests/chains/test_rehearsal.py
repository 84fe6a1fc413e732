"""A rehearsal by the campaign file that comes with the package: the real loop, real fits, labels looked up."""

from pathlib import Path

import pytest
from aiida.orm import CalcJobNode, ProcessNode
from label_contract import Bench, soso_command

import soso_workchains
from soso_core.formats import read_dataset
from soso_workflows.campaign.campaign_file import read_campaign
from soso_workflows.campaign.launch import campaign_builder, run_here
from soso_workflows.campaign.state import CampaignState

pytestmark = [pytest.mark.aiida, pytest.mark.slow]

CAMPAIGNS = Path(soso_workchains.__file__).parent / "campaigns"


@pytest.fixture(scope="module")
def rehearsal(localhost, tmp_path_factory, request):
    """Return the state of the campaign after it has ended."""
    code = soso_command(Bench(localhost, tmp_path_factory.mktemp("rehearsal"), request.getfixturevalue))
    campaign = read_campaign(CAMPAIGNS / "bcc_fe_replay.yaml")
    return CampaignState(run_here(campaign_builder(campaign, code), lambda _: None))


def test_it_ends_as_a_campaign_does(rehearsal):
    assert rehearsal.node.is_finished_ok, rehearsal.node.exit_message
    assert [batch.decision.action for batch in rehearsal.batches] == ["continue", "target met"]
    assert [batch.n_labels for batch in rehearsal.batches] == [8, 16]
    assert rehearsal.batches[-1].n_failed == 0


def test_every_label_is_that_of_the_pool(rehearsal):
    pool = {item.energy: item for item in read_dataset(CAMPAIGNS / "bcc_fe_pool.extxyz")}
    for label in rehearsal.node.outputs.dataset.get_dataset():
        assert label.digest == pool[label.energy].digest
        assert label.grade == pool[label.energy].grade


def test_nothing_is_asked_for_twice(rehearsal):
    batches = [rehearsal.calls["explore", number, ""].outputs.candidates.get_dataset() for number in (0, 1)]
    assert [len(batch) for batch in batches] == [8, 8]
    assert len({item.digest for batch in batches for item in batch}) == 16


def test_the_pool_is_one_node_and_no_label_is_a_job(rehearsal):
    labels = [process for (stage, *_), process in rehearsal.calls.items() if stage == "label"]
    assert {process.inputs.pool.uuid for process in labels} == {rehearsal.inputs["label"]["pool"].uuid}
    below = [item for process in labels for item in process.called_descendants]
    assert all(isinstance(item, ProcessNode) for item in below)
    assert not any(isinstance(item, CalcJobNode) for item in below)
    assert len(below) == len(labels) == 16
