"""The loop, with a stand-in for the `soso` command: what it does is under test, not the physics."""

import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, QueryBuilder, WorkChainNode
from aiida.plugins import WorkflowFactory

from soso_workflows.resume import resume_builder
from soso_workflows.state import CampaignState

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


def test_target_met(campaign_inputs, n_label_calls):
    state = run_campaign(campaign_inputs(target_energy_meV_per_spin=ANYTHING))
    assert state.node.is_finished_ok, state.node.exit_message
    assert [batch["decision"]["action"] for batch in state.batches] == ["continue", "target met"]
    assert state.node.outputs.dataset.n_configurations == n_label_calls() == 4
    assert state.batches[0]["energy_rmse_meV_per_spin"] is None
    assert state.batches[1]["n_blind"] == 2
    assert state.batches[1]["energy_rmse_meV_per_spin"] is not None
    assert state.batches[1]["pair_only_field_rmse_meV"] is not None


def test_from_the_model_provenance_reaches_every_label(campaign_inputs):
    state = run_campaign(campaign_inputs(target_energy_meV_per_spin=ANYTHING))
    jobs = [item for item in state.node.called_descendants if "label" in (item.process_type or "")]
    jobs = {item.uuid for item in jobs if isinstance(item, CalcJobNode)}
    assert len(jobs) == 4
    assert label_jobs_behind(state.node.outputs.model) == jobs


def test_budget_exhausted_keeps_model_dataset_and_history(campaign_inputs, n_label_calls):
    state = run_campaign(campaign_inputs(target_energy_meV_per_spin=UNREACHABLE))
    assert state.node.exit_status == 401
    assert n_label_calls() == state.node.outputs.dataset.n_configurations == 6
    assert state.node.outputs.history["batches"][-1]["n_labels"] == 6
    assert state.node.outputs.model.get_model() is not None


def test_no_progress(campaign_inputs):
    inputs = campaign_inputs(target_energy_meV_per_spin=UNREACHABLE, patience=1, max_labels=40)
    state = run_campaign(inputs)
    assert state.node.exit_status == 402, state.node.exit_message


def test_a_failed_label_is_counted_and_the_loop_goes_on(campaign_inputs):
    faults = {"label": {"1": "not-converged"}}
    state = run_campaign(campaign_inputs(faults, target_energy_meV_per_spin=ANYTHING, n_initial=3))
    assert state.node.is_finished_ok, state.node.exit_message
    assert [batch["n_labels"] for batch in state.batches] == [2, 4]
    assert [len(batch["failed"]) for batch in state.batches] == [1, 0]
    (failure,) = state.failures
    assert failure.batch == 0
    assert "not-converged" in failure.reason


def test_too_many_failed_labels(campaign_inputs):
    faults = {"label": {"0": "crash", "1": "truncated"}}
    state = run_campaign(campaign_inputs(faults))
    assert state.node.exit_status == 403
    assert len(state.failures) == 2
    assert "model" not in state.node.outputs
    assert state.node.outputs.history["batches"][0]["n_failed"] == 2


@pytest.mark.parametrize("fault", ["crash", "truncated"])
def test_fit_failed(campaign_inputs, fault):
    state = run_campaign(campaign_inputs({"fit": fault}))
    assert state.node.exit_status == 404
    assert state.node.outputs.dataset.n_configurations == 2


def test_exploration_failed(campaign_inputs):
    state = run_campaign(campaign_inputs({"explore": "missing"}))
    assert state.node.exit_status == 405


def test_at_most_max_parallel_labels_at_a_time(campaign_inputs):
    state = run_campaign(campaign_inputs(target_energy_meV_per_spin=UNREACHABLE, n_initial=5, max_labels=5))
    labels = sorted(
        (process for (stage, *_), process in state.calls.items() if stage == "label"), key=lambda process: process.ctime
    )
    assert len(labels) == 5
    for earlier, later in zip(labels, labels[2:], strict=False):
        assert earlier.mtime <= later.ctime


def test_the_same_seed_gives_the_same_batches(campaign_inputs):
    runs = [run_campaign(campaign_inputs(target_energy_meV_per_spin=ANYTHING)) for _ in range(2)]
    first, second = (run.node.outputs.dataset.base.attributes.get("fingerprint") for run in runs)
    assert first == second


def test_every_random_draw_has_a_recorded_seed(campaign_inputs):
    state = run_campaign(campaign_inputs(target_energy_meV_per_spin=ANYTHING))
    seeds = [process.inputs.seed for (stage, *_), process in state.calls.items() if stage in ("explore", "fit")]
    assert len({seed.value for seed in seeds}) == 4
    for seed in seeds:
        assert state.inputs["seed"].uuid in {item.uuid for item in seed.creator.inputs}


def test_given_labels_are_the_first_batch(campaign_inputs, pair_dataset, n_label_calls):
    from soso_workflows.data.dataset import SosoDataset

    inputs = campaign_inputs(target_energy_meV_per_spin=ANYTHING, max_labels=20)
    state = run_campaign({**inputs, "dataset": SosoDataset.from_dataset(pair_dataset)})
    assert state.node.is_finished_ok, state.node.exit_message
    assert n_label_calls() == 2
    assert [batch["n_labels"] for batch in state.batches] == [6, 8]


def test_resume_with_a_larger_budget_labels_nothing_twice(campaign_inputs, n_label_calls):
    state = run_campaign(campaign_inputs(target_energy_meV_per_spin=UNREACHABLE, max_labels=4))
    assert n_label_calls() == 4
    _, node = run_get_node(resume_builder(state, max_labels=6))
    resumed = CampaignState(node)
    assert node.exit_status == 401
    assert n_label_calls() == 6
    assert [batch["n_labels"] for batch in resumed.batches] == [2, 4, 6]
    assert resumed.previous is not None
    assert resumed.previous.node.pk == state.node.pk
    assert len(label_jobs_behind(node.outputs.model)) == 6


def test_resume_finishes_a_batch_from_its_finished_labels(campaign_inputs, n_label_calls):
    """The fit fails after both labels of batch 0: neither is made again."""
    state = run_campaign(campaign_inputs({"fit": "crash"}, target_energy_meV_per_spin=ANYTHING))
    assert state.node.exit_status == 404
    assert sorted(state.labels) == ["label_000", "label_001"]
    builder = resume_builder(state)
    builder.code = campaign_inputs()["code"]
    _, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert n_label_calls() == 4
    assert len(label_jobs_behind(node.outputs.model)) == 4


def test_resume_asks_again_for_what_is_missing_only(campaign_inputs, n_label_calls):
    faults = {"label": {"1": "crash"}, "fit": "crash"}
    state = run_campaign(campaign_inputs(faults, target_energy_meV_per_spin=ANYTHING))
    assert len(state.labels) == 1
    builder = resume_builder(state)
    builder.code = campaign_inputs()["code"]
    _, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert n_label_calls() == 2 + 1 + 2


def test_no_process_is_left_open(campaign_inputs):
    state = run_campaign(campaign_inputs(target_energy_meV_per_spin=ANYTHING))
    assert all(item.is_sealed for item in state.node.called_descendants)
    assert isinstance(state.node, WorkChainNode)
