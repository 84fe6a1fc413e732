"""The loop, with a stand-in for the `soso` command: what it does is under test, not the physics."""

import asyncio
import errno
import os
import signal

import pytest
from aiida.engine import run_get_node
from aiida.engine.processes.calcjobs import tasks
from aiida.manage.configuration import get_config_option
from aiida.orm import CalcJobNode, Dict, Int, QueryBuilder, Str
from aiida.plugins import WorkflowFactory
from aiida_fixtures import count_label_calls

from soso_core.errors import InputError
from soso_workflows.campaign.launch import run_here
from soso_workflows.campaign.resume import resume_builder
from soso_workflows.campaign.state import CampaignState
from soso_workflows.data.dataset import SosoDataset

pytestmark = pytest.mark.aiida

UNREACHABLE, ANYTHING = 1e-9, 1e9


def run_campaign(inputs) -> CampaignState:
    _, node = run_get_node(WorkflowFactory("soso.active_learning"), **inputs)
    return CampaignState(node)


def label_jobs_behind(model) -> set[str]:
    """Return the label CalcJobs that provenance reaches from a model, walking back."""
    query = QueryBuilder().append(type(model), filters={"uuid": model.uuid}, tag="model")
    process_type = {"process_type": "aiida.calculations:soso.label.tight_binding"}
    query.append(CalcJobNode, with_descendants="model", filters=process_type, project="uuid")
    return set(query.all(flat=True))


def test_target_met(finished_campaign):
    state = CampaignState(finished_campaign)
    assert state.node.is_finished_ok, state.node.exit_message
    assert [batch.decision.action for batch in state.batches] == ["continue", "target met"]
    assert state.node.outputs.dataset.n_configurations == 3
    assert state.batches[0].energy_rmse_meV_per_spin is None
    assert state.batches[1].n_blind == 1
    assert state.batches[1].energy_rmse_meV_per_spin is not None
    assert state.batches[1].pair_only_field_rmse_meV is not None


def test_from_the_model_provenance_reaches_every_label(finished_campaign):
    called = [item for item in finished_campaign.called_descendants if isinstance(item, CalcJobNode)]
    jobs = {item.uuid for item in called if "label" in item.process_type}
    assert len(jobs) == 3
    assert label_jobs_behind(finished_campaign.outputs.model) == jobs


def test_every_random_draw_has_a_recorded_seed(finished_campaign):
    state = CampaignState(finished_campaign)
    seeds = [process.inputs.seed for (stage, *_), process in state.calls.items() if stage in ("explore", "fit")]
    assert len({seed.value for seed in seeds}) == 4
    for seed in seeds:
        assert state.inputs["seed"].uuid == seed.creator.inputs.seed.uuid


@pytest.mark.slow
def test_files_of_the_user_reach_every_exploration(campaign_inputs, pair_dataset, tmp_path):
    mine = SosoDataset.from_dataset(pair_dataset).store()
    generators = [{"kind": "random"}, {"kind": "file", "file": "file_1.extxyz"}]
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=ANYTHING)
    inputs |= {"exploration": Dict({"n_candidates": 10, "generators": generators}), "user_files": {"file_1": mine}}
    state = run_campaign(inputs)
    assert state.node.is_finished_ok, state.node.exit_message
    explorations = [process for (stage, *_), process in state.calls.items() if stage == "explore"]
    assert [process.inputs.user_files.file_1.uuid for process in explorations] == [mine.uuid] * 2


def test_no_process_is_left_open(finished_campaign):
    assert all(item.is_sealed for item in finished_campaign.called_descendants)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_data(finished_campaign, campaign_inputs, tmp_path):
    again = run_campaign(campaign_inputs(tmp_path, target_energy_meV_per_spin=ANYTHING))
    first, second = (
        node.outputs.dataset.base.attributes.get("fingerprint") for node in (finished_campaign, again.node)
    )
    assert first == second


def test_a_met_target_has_nothing_to_resume(finished_campaign):
    with pytest.raises(InputError, match="has met its target"):
        resume_builder(CampaignState(finished_campaign))


def test_wrong_settings_are_refused_before_anything_runs(campaign_inputs, tmp_path):
    inputs = campaign_inputs(tmp_path)
    with pytest.raises(ValueError, match="unknown key 'max_lables'"):
        run_get_node(WorkflowFactory("soso.active_learning"), **{**inputs, "policy": Dict({"max_lables": 3})})
    with pytest.raises(ValueError, match="at least 1"):
        run_get_node(WorkflowFactory("soso.active_learning"), **{**inputs, "max_parallel": Int(0)})


def test_an_interrupt_loses_nothing(campaign_inputs, tmp_path):
    """Ctrl-C once the first labels are there: all processes are closed, and only the rest is labelled on resumption."""

    def interrupt(node):
        if CampaignState(node).labels:
            os.kill(os.getpid(), signal.SIGINT)
            seen.append(node)
            open_then.update(asyncio.all_tasks())

    seen, open_then = [], set()
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=ANYTHING, n_initial=5)
    builder = WorkflowFactory("soso.active_learning").get_builder()
    builder._merge(inputs)
    with pytest.raises(KeyboardInterrupt):
        run_here(builder, interrupt)
    assert len(open_then) > 2  # the watch, the campaign and at least one label
    assert all(task.done() for task in open_then)
    state = CampaignState(seen[0])
    assert state.node.is_killed
    assert all(item.is_sealed for item in [*state.node.called_descendants, state.node])
    n_kept, n_existing = len(state.labels), count_label_calls(tmp_path)
    assert 1 <= n_kept < 5
    node = run_here(resume_builder(state), lambda node: None)
    assert node.is_finished_ok, node.exit_message
    assert count_label_calls(tmp_path) - n_existing == (5 - n_kept) + 1
    assert len(label_jobs_behind(node.outputs.model)) == 6


def test_jobs_whose_files_cannot_be_written_are_labels_that_failed(campaign_inputs, tmp_path, monkeypatch):
    """AiiDA pauses a job after several failures to upload its files; nobody could play it again here."""

    async def on_a_full_disk(node, *arguments, **options):
        if "label" in node.process_type:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return await upload(node, *arguments, **options)

    upload = tasks.execmanager.upload_calculation
    monkeypatch.setattr(tasks.execmanager, "upload_calculation", on_a_full_disk)
    once = {"transport.task_maximum_attempts": 1}
    monkeypatch.setattr(tasks, "get_config_option", lambda name: once.get(name) or get_config_option(name))
    builder = WorkflowFactory("soso.active_learning").get_builder()
    builder._merge(campaign_inputs(tmp_path, target_energy_meV_per_spin=ANYTHING))
    node = run_here(builder, lambda node: None)
    assert node.exit_status == 403
    first, second = CampaignState(node).failures
    assert "upload_calculation" in first.reason
    assert "upload_calculation" in second.reason


@pytest.mark.slow
def test_no_progress(campaign_inputs, tmp_path):
    state = run_campaign(campaign_inputs(tmp_path, target_energy_meV_per_spin=UNREACHABLE, patience=1, max_labels=40))
    assert state.node.exit_status == 402, state.node.exit_message


def test_a_failed_label_is_counted_and_the_loop_goes_on(campaign_inputs, tmp_path):
    faults = {"label": {"1": "not-converged"}}
    state = run_campaign(campaign_inputs(tmp_path, faults, target_energy_meV_per_spin=ANYTHING, n_initial=3))
    assert state.node.is_finished_ok, state.node.exit_message
    assert [batch.n_labels for batch in state.batches] == [2, 3]
    assert [len(batch.failed) for batch in state.batches] == [1, 0]
    (failure,) = state.failures
    assert failure.batch == 0
    assert "not-converged" in failure.reason


def test_too_many_failed_labels(campaign_inputs, tmp_path):
    state = run_campaign(campaign_inputs(tmp_path, {"label": {"0": "crash", "1": "truncated"}}))
    assert state.node.exit_status == 403
    assert len(state.failures) == 2
    assert "model" not in state.node.outputs
    assert state.node.outputs.history["batches"][0]["n_failed"] == 2


@pytest.mark.slow
def test_a_label_below_the_minimum_grade_is_kept_and_not_trained_on(campaign_inputs, tmp_path):
    faults = {"label": {"0": "grade-B", "1": "grade-D", "3": "grade-C"}}
    inputs = campaign_inputs(tmp_path, faults, target_energy_meV_per_spin=ANYTHING, n_initial=3)
    state = run_campaign(inputs)
    assert state.node.is_finished_ok, state.node.exit_message
    assert [batch.n_labels for batch in state.batches] == [2, 3]
    assert [batch.n_below_grade for batch in state.batches] == [1, 1]
    (below,) = state.batches[0].below_grade
    assert (below.grade, below.limited_by, below.value) == ("D", "angle_degree", 12.5)
    dataset = state.node.outputs.dataset.get_dataset()
    assert sorted(item.grade for item in dataset) == ["A", "B", "C"]
    kept = state.calls["label", 0, below.label].outputs.label.get_dataset()[0]
    assert kept.grade == "D"
    assert kept.digest not in {item.digest for item in dataset}
    assert count_label_calls(tmp_path) == 4


@pytest.mark.slow
def test_a_batch_without_a_good_label_is_too_many_failures(campaign_inputs, tmp_path):
    """Such labels cost a run and teach nothing: for the rule they have failed.  A better minimum is the campaign's."""
    faults = {"label": {"0": "grade-B", "1": "grade-C"}}
    state = run_campaign({**campaign_inputs(tmp_path, faults), "min_grade": Str("A")})
    assert state.node.exit_status == 403
    assert state.node.exit_message == "0 of 2 labels failed, 2 came below the minimum grade"
    assert state.failures == []
    assert "model" not in state.node.outputs
    assert "dataset" not in state.node.outputs


def test_exploration_failed(campaign_inputs, tmp_path):
    assert run_campaign(campaign_inputs(tmp_path, {"explore": "missing"})).node.exit_status == 405


def test_given_labels_are_the_first_batch(campaign_inputs, pair_dataset, tmp_path):
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=ANYTHING, max_labels=20)
    state = run_campaign({**inputs, "dataset": SosoDataset.from_dataset(pair_dataset)})
    assert state.node.is_finished_ok, state.node.exit_message
    assert count_label_calls(tmp_path) == 1
    assert [batch.n_labels for batch in state.batches] == [6, 7]


def test_budget_exhausted_then_resumed_with_a_larger_one(campaign_inputs, tmp_path):
    state = run_campaign(campaign_inputs(tmp_path, target_energy_meV_per_spin=UNREACHABLE, max_labels=3))
    assert state.node.exit_status == 401
    assert count_label_calls(tmp_path) == state.node.outputs.dataset.n_configurations == 3
    assert state.node.outputs.model.get_model() is not None
    with pytest.raises(InputError, match="raise the budget"):
        resume_builder(state)
    _, node = run_get_node(resume_builder(state, max_labels=4))
    resumed = CampaignState(node)
    assert node.exit_status == 401
    assert count_label_calls(tmp_path) == 4
    assert [batch.n_labels for batch in resumed.batches] == [2, 3, 4]
    assert resumed.previous is not None
    assert resumed.previous.node.pk == state.node.pk
    assert len(label_jobs_behind(node.outputs.model)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["crash", "truncated"])
def test_fit_failed_and_resume_asks_again_for_what_is_missing_only(campaign_inputs, tmp_path, fault):
    """Batch 0: one of three labels fails, then the fit; the two labels that came are not made again."""
    faults = {"label": {"1": "crash"}, "fit": fault}
    state = run_campaign(campaign_inputs(tmp_path, faults, target_energy_meV_per_spin=ANYTHING, n_initial=3))
    assert state.node.exit_status == 404
    assert state.node.outputs.dataset.n_configurations == len(state.labels) == 2
    builder = resume_builder(state)
    builder.code = campaign_inputs(tmp_path)["code"]
    _, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert count_label_calls(tmp_path) == 3 + 1 + 1
    assert len(label_jobs_behind(node.outputs.model)) == 4
