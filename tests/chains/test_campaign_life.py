"""The life of a campaign: what it costs, what it starts from, how it goes on; with a stand-in for `soso`."""

import pytest
from aiida.cmdline.utils.common import get_workchain_report
from aiida.common.links import LinkType
from aiida.common.log import configure_logging
from aiida.engine import ProcessState, run_get_node
from aiida.manage.caching import enable_caching
from aiida.orm import CalcJobNode, Dict, Str, WorkChainNode
from aiida.plugins import WorkflowFactory
from aiida_fixtures import count_label_calls, labelled_pair

from soso_core.active.stopping.policy import decide, labels_help
from soso_core.active.stopping.records import Action, Decision
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_workflows.campaign.resume import extend_builder, resume_builder
from soso_workflows.campaign.state import PROCESS_TYPE, CampaignState
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel
from soso_workflows.functions import loop as functions
from soso_workflows.provenance.costs import core_hours
from soso_workflows.views.report import report_html
from soso_workflows.views.table import lineage_lines

pytestmark = pytest.mark.aiida

UNREACHABLE, ANYTHING = 1e-9, 1e9
UNMET = {"target_energy_meV_per_spin": UNREACHABLE, "n_initial": 4, "max_labels": 8}
"""Five labels after the second batch: enough to leave some out."""


def run_campaign(inputs) -> CampaignState:
    _, node = run_get_node(WorkflowFactory("soso.active_learning"), **inputs)
    return CampaignState(node)


def resumed(builder) -> CampaignState:
    return CampaignState(run_get_node(builder)[1])


def builder_of(inputs):
    builder = WorkflowFactory("soso.active_learning").get_builder()
    builder._merge(inputs)
    return builder


def labels_of(*states):
    return [called for state in states for (stage, *_), called in state.calls.items() if stage == "label"]


@pytest.mark.slow
def test_core_hours_of_all_labels_are_a_budget(campaign_inputs, tmp_path):
    """One of two labels fails and is paid for too; the cost record is an input, with a line for each."""
    tiny, faults = 1e-9, {"label": {"1": "not-converged"}}
    state = run_campaign(campaign_inputs(tmp_path, faults, target_energy_meV_per_spin=UNREACHABLE, max_core_hours=tiny))
    assert state.node.exit_status == 401
    assert "core-hours used of 1e-09" in state.node.exit_message
    (batch,) = state.batches
    assert (batch.n_labels, batch.n_failed) == (1, 1)
    cost = state.calls["record", 0, ""].inputs.cost.get_dict()
    hours = {label.uuid: core_hours(label) for label in labels_of(state)}
    assert cost["core_hours"] == pytest.approx(hours), "the database keeps fourteen digits"
    assert all(hours > 0.0 for hours in cost["core_hours"].values())
    assert batch.core_hours == pytest.approx(sum(cost["core_hours"].values()))
    assert cost["wall_hours"] > 0.0
    assert batch.wall_hours == pytest.approx(cost["wall_hours"])
    with pytest.raises(InputError, match=r"raise the budget with --max-core-hours$"):
        resume_builder(state)
    with pytest.raises(InputError, match="hours used of 1e-09; raise the budget"):
        resume_builder(state, max_core_hours=1e3, max_wall_hours=1e-9)
    hardly_more = batch.wall_hours + 1e-6
    later = resumed(resume_builder(state, max_core_hours=1e3, max_wall_hours=hardly_more))
    assert later.node.exit_status == 401
    said, limit = later.node.exit_message.rsplit(" ", 1)
    assert said.endswith(" hours used of")
    assert float(limit) == pytest.approx(hardly_more, rel=1e-5), "the database keeps fourteen digits, the message six"
    assert count_label_calls(tmp_path) == 3


def test_a_met_target_may_get_lower(finished_campaign, campaign_inputs, tmp_path):
    state = CampaignState(finished_campaign)
    with pytest.raises(InputError, match="a --target-energy below"):
        resume_builder(state, target_energy_meV_per_spin=1e8)
    builder = resume_builder(state, target_energy_meV_per_spin=UNREACHABLE, max_labels=4)
    builder.label["code"] = builder.code = campaign_inputs(tmp_path)["code"]
    later = resumed(builder)
    assert later.node.exit_status == 401
    assert count_label_calls(tmp_path) == 1
    assert [batch.n_labels for batch in later.batches] == [2, 3, 4]
    hours = [batch.core_hours for batch in later.batches]
    assert hours == sorted(hours)
    assert hours[2] == pytest.approx(sum(core_hours(label) for label in labels_of(state, later)))
    assert later.inputs["resume"]["campaign"].value == state.node.uuid


@pytest.mark.slow
def test_two_campaigns_share_their_labels_by_the_cache(campaign_inputs, tmp_path):
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=ANYTHING)
    first = run_campaign(inputs)
    with enable_caching(identifier="aiida.calculations:soso.*"):
        second = run_campaign(inputs)
    assert second.node.is_finished_ok, second.node.exit_message
    assert count_label_calls(tmp_path) == 3
    jobs = [job for label in labels_of(second) for job in label.called_descendants if isinstance(job, CalcJobNode)]
    assert len(jobs) == 3
    assert all(job.base.caching.is_created_from_cache for job in jobs)
    assert [batch.core_hours for batch in second.batches] == [0.0, 0.0]
    assert first.batches[-1].core_hours > 0.0
    one, other = (state.node.outputs.dataset.base.attributes.get("fingerprint") for state in (first, second))
    assert one == other


@pytest.mark.slow
def test_extended_to_another_exploration(campaign_inputs, tmp_path):
    """The target was met; the other exploration has to meet it by blind tests of its own."""
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=ANYTHING)
    first = run_campaign(inputs)
    assert first.node.is_finished_ok
    values = {**inputs["policy"].get_dict(), "min_blind": 2, "max_labels": 10}
    exploration = Dict({"n_candidates": 12, "generators": [{"kind": "random"}]})
    second = resumed(extend_builder(first, builder_of({**inputs, "policy": Dict(values), "exploration": exploration})))
    assert second.node.is_finished_ok, second.node.exit_message
    assert count_label_calls(tmp_path) == 3 + 2
    assert [batch.n_labels for batch in second.batches] == [2, 3, 4, 5]
    reasons = [batch.decision.reason for batch in second.batches]
    assert reasons[1:3] == ["another exploration", "too few blind tests yet"]
    assert second.node.outputs.history["extensions"] == [2]
    explored = second.calls["explore", 2, ""]
    assert explored.inputs.known.uuid == first.node.outputs.dataset.uuid
    assert explored.inputs.model.uuid == first.node.outputs.model.uuid
    (line,) = lineage_lines(second)
    assert f"<{first.node.pk}>, target met; extended as <{second.node.pk}> from batch 2" in line
    html = report_html(second)
    assert f"extended as &lt;{second.node.pk}&gt; from batch 2" in html
    with pytest.raises(InputError, match="has met its target"):
        resume_builder(second)
    other = builder_of({**inputs, "policy": Dict({"max_labels": 5})})
    with pytest.raises(InputError, match="5 labels used of 5"):
        extend_builder(second, other)


def test_what_cannot_be_extended(finished_campaign, campaign_inputs, tmp_path):
    inputs = campaign_inputs(tmp_path)
    with pytest.raises(InputError, match=r"labelled by soso.label.tight_binding, not soso.label.gpaw"):
        extend_builder(CampaignState(finished_campaign), builder_of({**inputs, "engine": Str("soso.label.gpaw")}))
    nothing = WorkChainNode(process_type=PROCESS_TYPE)
    nothing.base.links.add_incoming(Str("soso.label.tight_binding").store(), LinkType.INPUT_WORK, "engine")
    nothing.set_process_state(ProcessState.KILLED)
    nothing.store()
    with pytest.raises(InputError, match="has no finished batch"):
        extend_builder(CampaignState(nothing), builder_of(inputs))


@pytest.mark.slow
def test_extended_after_an_exploration_that_failed(campaign_inputs, tmp_path):
    """An extension that broke before its first label is no end: it is extended again, and the lineage has all three."""
    faults = {"explore": "missing"}
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=UNREACHABLE, max_labels=3)
    first = run_campaign(inputs)
    assert first.node.exit_status == 401
    broken = campaign_inputs(tmp_path, faults)["code"]
    values = {**inputs["policy"].get_dict(), "max_labels": 4}
    second = resumed(extend_builder(first, builder_of({**inputs, "code": broken, "policy": Dict(values)})))
    assert second.node.exit_status == 405
    third = resumed(extend_builder(second, builder_of({**inputs, "policy": Dict(values)})))
    assert third.node.exit_status == 401
    assert third.node.outputs.history["extensions"] == [2, 2]
    assert [item.node.pk for item in third.lineage] == [first.node.pk, second.node.pk, third.node.pk]
    assert count_label_calls(tmp_path) == 4


@pytest.mark.slow
def test_labels_of_an_unfinished_batch_end_the_exploration_before(campaign_inputs, tmp_path):
    """Its label is there when the fit fails: the extension trains on it and begins after it."""
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=UNREACHABLE, max_labels=3)
    first = run_campaign(inputs)
    builder = resume_builder(first, max_labels=5)
    builder.code = campaign_inputs(tmp_path, {"fit": "crash"})["code"]
    broken = resumed(builder)
    assert broken.node.exit_status == 404
    values = {**inputs["policy"].get_dict(), "max_labels": 5}
    extended = resumed(extend_builder(broken, builder_of({**inputs, "policy": Dict(values)})))
    assert extended.node.exit_status == 401
    assert [batch.n_labels for batch in extended.batches] == [2, 3, 4, 5]
    assert extended.batches[2].decision.reason == "another exploration"
    assert extended.node.outputs.history["extensions"] == [3]
    assert count_label_calls(tmp_path) == 5
    paid = sum(core_hours(label) for label in labels_of(first, broken, extended))
    assert extended.batches[-1].core_hours == pytest.approx(paid)


def test_a_model_chooses_the_first_batch_and_is_tested_on_it(campaign_inputs, model_file, tmp_path):
    """It knows labels that the campaign does not hold, so it is updated with the new ones, never replaced."""
    model = SosoModel(model_file).store()
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=ANYTHING)
    state = run_campaign({**inputs, "model": model})
    assert state.node.is_finished_ok, state.node.exit_message
    (batch,) = state.batches
    assert (batch.n_labels, batch.n_blind) == (2, 2)
    assert state.calls["explore", 0, ""].inputs.model.uuid == model.uuid
    assert state.calls["blind", 0, ""].inputs.model.uuid == model.uuid
    assert state.calls["fit", 0, ""].inputs.model.uuid == model.uuid


@pytest.mark.slow
def test_labels_and_the_model_that_was_fitted_to_them(campaign_inputs, model_file, tmp_path):
    """The model knows the labels: it is neither tested on them nor fitted again, and it chooses the next batch."""
    model = SosoModel(model_file).store()
    dataset = SosoDataset.from_dataset(Dataset(tuple(labelled_pair(seed) for seed in range(6)))).store()
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=ANYTHING, max_labels=20)
    state = run_campaign({**inputs, "model": model, "dataset": dataset})
    assert state.node.is_finished_ok, state.node.exit_message
    assert [(batch.n_labels, batch.n_blind) for batch in state.batches] == [(6, 0), (7, 1)]
    assert ("fit", 0, "") not in state.calls
    explored = state.calls["explore", 1, ""]
    assert (explored.inputs.model.uuid, explored.inputs.known.n_configurations) == (model.uuid, 6)
    assert state.calls["blind", 1, ""].inputs.model.uuid == model.uuid
    assert "model" not in state.calls["fit", 1, ""].inputs
    assert report_html(state)


def suspicious(history, settings, alternatives=()):
    """A policy that suspects the form after the second batch, and believes it when labels were seen not to help."""
    found, last = decide(history, settings, alternatives), history.batches[-1]
    if len(history.batches) != 2 or (last.learning_curve is not None and labels_help(last.learning_curve)):
        return found
    if last.learning_curve is None:
        return found.model_copy(update={"needs_learning_curve": True})
    return Decision(action=Action.MODEL_FORM, reason=alternatives[0].name if alternatives else "the floor")


@pytest.mark.slow
def test_other_forms_are_weighed_in_a_job_when_the_form_is_the_floor(campaign_inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(functions, "decide", suspicious)
    state = run_campaign(campaign_inputs(tmp_path, **UNMET))
    assert state.node.exit_status == 407
    job = state.calls["alternatives", 2, ""]
    assert job.process_type == "aiida.calculations:soso.alternatives"
    assert state.node.exit_message == "longer hair"
    assert state.batches[-1].decision.reason == state.node.exit_message
    assert state.batches[-1].learning_curve is not None
    assert state.node.outputs.history.uuid == state.history.uuid
    monkeypatch.setattr("soso_workflows.campaign.resume.decide", suspicious)
    with pytest.raises(InputError, match="would end at once: model form"):
        resume_builder(state)


@pytest.mark.slow
def test_a_suspicion_that_labels_overrule_lets_the_campaign_go_on(campaign_inputs, tmp_path, monkeypatch):
    """Half of the labels do twice as badly: the next batch is made, and what was learnt stays in the history."""
    monkeypatch.setattr(functions, "decide", suspicious)
    inputs = campaign_inputs(tmp_path, {"half_energy": 2.0}, **UNMET)
    state = run_campaign(inputs)
    assert state.node.exit_status == 401
    assert len(state.batches) > 2
    assert state.batches[1].learning_curve.half_energy_rmse_meV_per_spin == 2.0
    assert not state.batches[1].decision.needs_learning_curve
    assert state.calls["explore", 2, ""].inputs.seed.uuid == state.calls["advise", 1, ""].outputs.explore_seed.uuid
    assert state.node.outputs.history.uuid == state.history.uuid


@pytest.mark.slow
def test_a_failed_learning_curve_check_stops_nothing(campaign_inputs, tmp_path, monkeypatch):
    """The job crashes: the campaign goes on; one resumed where it was not looked into yet does that first."""
    monkeypatch.setattr(functions, "decide", suspicious)
    inputs = campaign_inputs(tmp_path, {"alternatives": "crash"}, **UNMET)
    inputs["policy"] = Dict({**inputs["policy"].get_dict(), "max_labels": 5})
    configure_logging(with_orm=True)  # a command run in this interpreter may have taken the database's handler away
    state = run_campaign(inputs)
    assert state.node.exit_status == 401
    assert "the learning-curve check failed" in get_workchain_report(state.node, "REPORT")
    assert state.batches[-1].learning_curve is None
    again = resumed(resume_builder(state, max_labels=7))
    assert ("alternatives", 2, "") in again.calls
    assert ("explore", 2, "") in again.calls
