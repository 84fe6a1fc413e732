"""What an engine wants before its first label: run once, given to every label, kept by a resumed campaign."""

import pytest
from aiida.engine import WorkChain, calcfunction, run_get_node
from aiida.orm import Dict, Int
from aiida.plugins import WorkflowFactory

from soso_workchains.label.contract import Preparation
from soso_workchains.label.tight_binding import TightBindingLabelWorkChain
from soso_workflows.campaign.resume import resume_builder
from soso_workflows.campaign.state import CampaignState
from soso_workflows.views.table import state_line

pytestmark = pytest.mark.aiida

MEASURED = {"smearing_ev": 0.07}


@calcfunction
def measured(status):
    return Dict(MEASURED)


class Measurement(WorkChain):
    """Measures, or fails when it is told to."""

    @classmethod
    def define(cls, spec):
        super().define(spec)
        spec.input("status", valid_type=Int)
        spec.outline(cls.measure)
        spec.output("settings", valid_type=Dict, required=False)
        spec.exit_code(401, "ERROR_LABEL_FAILED", message="the label base failed")

    def measure(self):
        if self.inputs.status.value:
            return self.exit_codes.ERROR_LABEL_FAILED
        return self.out("settings", measured(self.inputs.status))


@pytest.fixture
def with_status(monkeypatch):
    """Return a function that makes the embedded engine want the measurement."""

    def want(status):
        def preparation(cls, inputs, structure):
            return None if "settings" in inputs else Preparation(Measurement, {"status": Int(status)}, ("settings",))

        monkeypatch.setattr(TightBindingLabelWorkChain, "preparation", classmethod(preparation))

    return want


def campaign(inputs):
    return run_get_node(WorkflowFactory("soso.active_learning"), **inputs)[1]


def labels_of(node):
    return [called for called in node.called if called.process_label == "TightBindingLabelWorkChain"]


@pytest.mark.slow
def test_it_runs_once_and_every_label_gets_its_output(campaign_inputs, with_status, tmp_path):
    with_status(0)
    node = campaign(campaign_inputs(tmp_path, max_labels=3, target_energy_meV_per_spin=1e-9))
    assert node.exit_status == 401, node.exit_message
    assert [called.process_label for called in node.called].count("Measurement") == 1
    state = CampaignState(node)
    assert len(labels_of(node)) == 3
    assert {label.inputs.settings.pk for label in labels_of(node)} == {state.prepared["settings"].pk}
    assert state.prepared["settings"].get_dict() == MEASURED
    builder = resume_builder(state, max_labels=4)
    assert builder.label["settings"].pk == state.prepared["settings"].pk
    resumed = campaign({**builder})
    assert "Measurement" not in [called.process_label for called in resumed.called]
    assert {label.inputs.settings.pk for label in labels_of(resumed)} == {state.prepared["settings"].pk}


def test_without_it_the_campaign_does_not_start(campaign_inputs, with_status, tmp_path):
    with_status(1)
    node = campaign(campaign_inputs(tmp_path))
    assert node.exit_status == 406
    assert "the label base failed" in node.exit_message
    assert not labels_of(node)
    assert state_line(CampaignState(node)).startswith("ended with 406")


def test_most_engines_want_nothing(finished_campaign):
    assert CampaignState(finished_campaign).preparation is None
    assert CampaignState(finished_campaign).prepared == {}
