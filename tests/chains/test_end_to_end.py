"""The loop with the real command: embedded engine, real fits, on a cell of two atoms."""

import sys
from pathlib import Path

import pytest
from aiida.engine import run_get_node
from aiida.orm import Dict, InstalledCode
from aiida.plugins import WorkflowFactory

from soso_workflows.campaign.state import CampaignState

pytestmark = pytest.mark.aiida


def test_a_tiny_campaign(campaign_inputs, localhost, tmp_path):
    executable = Path(sys.executable).parent / "soso"
    code = InstalledCode(label="soso", computer=localhost, filepath_executable=str(executable)).store()
    inputs = campaign_inputs(tmp_path, target_energy_meV_per_spin=1e9)
    inputs["code"] = code
    inputs["label"] = {"code": code, "settings": Dict({"k_mesh": [4, 4, 4]})}
    _, node = run_get_node(WorkflowFactory("soso.active_learning"), **inputs)
    assert node.is_finished_ok, node.exit_message
    state = CampaignState(node)
    assert [batch.n_labels for batch in state.batches] == [2, 3]
    for label in node.outputs.dataset.get_dataset():
        assert label.energy is not None
        assert label.effective_fields_ac is not None
        assert (label.moment_magnitudes_a > 1.0).all()
