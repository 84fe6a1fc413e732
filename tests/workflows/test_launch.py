"""What a campaign that runs in this process does with jobs that AiiDA paused, on built nodes."""

from types import SimpleNamespace

import pytest
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from aiida.orm import CalcJobNode, WorkChainNode

from soso_workchains.label.contract import LabelWorkChain
from soso_workflows.campaign.launch import kill_paused_jobs

pytestmark = pytest.mark.aiida


@pytest.fixture
def paused_job(localhost):
    """Return a factory of campaigns, each with a label whose job is paused: (campaign, job)."""

    def make(job_id=None):
        campaign, label, job = WorkChainNode(), WorkChainNode(), CalcJobNode(computer=localhost)
        campaign.store()
        label.base.links.add_incoming(campaign, LinkType.CALL_WORK, "label")
        label.store()
        job.base.links.add_incoming(label, LinkType.CALL_CALC, "engine")
        job.store()
        job.set_process_state(ProcessState.WAITING)
        job.set_process_status("upload_calculation failed 5 times")
        job.pause()
        if job_id is not None:
            job.set_job_id(job_id)
        return campaign, job

    return make


def test_a_job_that_was_never_submitted_is_given_up(paused_job):
    campaign, job = paused_job()
    _, of_another = paused_job()
    kill_paused_jobs(campaign)
    assert job.is_killed
    assert job.is_sealed
    assert job.process_status == "given up: upload_calculation failed 5 times"
    assert not of_another.is_terminated
    kill_paused_jobs(campaign)
    assert job.process_status == "given up: upload_calculation failed 5 times"


def test_a_job_that_its_scheduler_has_is_left_alone(paused_job):
    campaign, job = paused_job(job_id="17")
    kill_paused_jobs(campaign)
    assert not job.is_terminated


def test_a_label_reports_why_its_job_was_given_up(paused_job):
    campaign, job = paused_job()
    kill_paused_jobs(campaign)
    label = SimpleNamespace(ctx=SimpleNamespace(engine=job), exit_codes=LabelWorkChain.exit_codes)
    code = LabelWorkChain.collect(label)
    assert (code.status, "given up: upload_calculation failed 5 times" in code.message) == (400, True)
