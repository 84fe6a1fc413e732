"""What labels have cost, read from processes whose facts are set by hand."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, Dict, WorkChainNode
from aiida.schedulers.datastructures import JobInfo

from soso_workflows.campaign.launch import mark_as_killed
from soso_workflows.campaign.state import PROCESS_TYPE, CampaignState
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.provenance.costs import core_hours, estimate_cost, n_cores, seconds, wall_hours

pytestmark = pytest.mark.aiida

ENGINE = "aiida.workflows:soso.label.nowhere"
SACCT = "JobID|ElapsedRaw|State|\n12|7200|COMPLETED|\n12.batch|7190|COMPLETED|\n"


@pytest.fixture
def job(localhost):
    """Return a factory of label jobs, each below a label workchain: (workchain, job)."""

    def make(facts=None, resources=None, process_type=ENGINE, settings=None, cell=None):
        label = WorkChainNode(process_type=process_type)
        if settings is not None:
            label.base.links.add_incoming(Dict(settings).store(), LinkType.INPUT_WORK, "settings")
        if cell is not None:
            label.base.links.add_incoming(cell.store(), LinkType.INPUT_WORK, "configuration")
        label.set_exit_status(0)
        label.store()
        node = CalcJobNode(computer=localhost, process_type="aiida.calculations:soso.label.gpaw")
        node.set_option("resources", resources or {"num_machines": 2, "num_mpiprocs_per_machine": 4})
        node.base.links.add_incoming(label, LinkType.CALL_CALC, "engine")
        node.store()
        for set_fact in facts or ():
            set_fact(node)
        return label, node

    return make


def accounted(node):
    node.set_detailed_job_info({"stdout": SACCT, "stderr": "", "retval": 0})


def last_seen(node):
    info = JobInfo()
    info.wallclock_time_seconds = 1800
    node.set_last_job_info(info)


def stated(node):
    misc = Dict({"run_stats": {"elapsed_time": 3600.0}})
    misc.base.links.add_incoming(node, LinkType.CREATE, "misc")
    misc.store()


@pytest.mark.parametrize(
    ("resources", "cores"),
    [
        ({}, 1),
        ({"num_machines": 2, "num_mpiprocs_per_machine": 16}, 32),
        ({"num_machines": 2, "num_mpiprocs_per_machine": 4, "num_cores_per_mpiproc": 8}, 64),
        ({"num_machines": 3, "num_mpiprocs_per_machine": 4, "num_cores_per_machine": 64}, 192),
        ({"parallel_env": "mpi", "tot_num_mpiprocs": 12}, 12),
        ({"num_machines": 2, "num_mpiprocs_per_machine": None, "tot_num_mpiprocs": 48}, 48),
    ],
)
def test_cores_that_a_job_holds(resources, cores):
    assert n_cores(resources) == cores


@pytest.mark.parametrize(
    ("facts", "expected"),
    [((accounted, stated, last_seen), 7200.0), ((stated, last_seen), 3600.0), ((last_seen,), 1800.0)],
)
def test_who_knows_best_how_long_a_job_ran(job, facts, expected):
    label, node = job(facts)
    assert seconds(node) == expected
    assert core_hours(label) == pytest.approx(8 * expected / 3600.0)


def test_a_job_that_nobody_timed_counts_from_creation_to_end(job):
    _, node = job()
    assert seconds(node) == pytest.approx((node.mtime - node.ctime).total_seconds())


def test_what_came_from_the_cache_has_cost_nothing(job):
    label, node = job((accounted,))
    node.base.extras.set("_aiida_cached_from", "1234")
    assert node.base.caching.is_created_from_cache
    assert core_hours(label) == 0.0


def test_the_time_between_stop_and_resumption_does_not_count():
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def state(begin, end):
        at = [start + timedelta(hours=hours) for hours in (begin, end)]
        return SimpleNamespace(node=SimpleNamespace(ctime=at[0]), ended=at[1])

    lineage = [state(0.0, 2.0), state(50.0, 50.5), state(100.0, None or 0.0)]
    assert wall_hours(lineage, start + timedelta(hours=101.0)) == pytest.approx(2.0 + 0.5 + 1.0)


@pytest.mark.usefixtures("localhost")
def test_a_campaign_that_died_ended_when_it_was_last_heard_of():
    """Its books are closed on resumption, maybe days later; that is no sign of life."""
    node = WorkChainNode(process_type=PROCESS_TYPE).store()
    node.set_process_state("waiting")
    heard = CampaignState(node).last_sign
    mark_as_killed(node)
    node.base.extras.set("touched", "later")
    assert CampaignState(node).ended == heard < CampaignState(node).last_sign


def test_the_estimate_rests_on_labels_of_the_engine(job, pair_dataset):
    """A label of two atoms that took 16 core-hours; a cell of four costs eight times that."""
    from ase.build import bulk

    cell = SosoDataset.from_configurations([pair_dataset[0].configuration])
    four = bulk("Fe", "bcc", a=2.85, cubic=True).repeat((1, 1, 2))
    kind = f"{ENGINE}.else"
    assert estimate_cost(kind, {"x": 1}, four, 10)["cost"] == "unknown: this engine has no finished label yet"
    job((last_seen,), process_type=kind, settings={"x": 1}, cell=cell)
    label, _ = job((accounted,), process_type=kind, settings={"x": 2}, cell=cell)
    told = estimate_cost(kind, {"x": 2}, four, 10)["cost"]
    assert told == f"128 core-hours per label, 1.28e+03 for 10 (label <{label.pk}>: 16 core-hours with 2 atoms)"
    assert estimate_cost(kind, {"x": 3}, four, 10)["cost"].endswith("16 core-hours with 2 atoms, other settings)")
    assert estimate_cost(kind, {"x": 1}, four, 10)["cost"].startswith("32 core-hours per label")
