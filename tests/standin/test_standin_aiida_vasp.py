"""aiida-vasp's own work chain and parser take the stand-in for VASP."""

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from vasp_standin_fixtures import calls

pytestmark = pytest.mark.aiida

REQUIRED = ["run_status", "run_stats", "total_energies", "forces", "stress"]


@pytest.fixture
def label(vasp_standin, vasp_inputs, tmp_path):
    """Return a function that runs plain `vasp.v2.vasp` and returns its node."""
    from aiida.orm import Dict

    def run(faults=None, **changes):
        inputs = vasp_inputs(code=vasp_standin(tmp_path / "state", faults=faults), **changes)
        parser = {"required_quantity": REQUIRED, "energy_type": ["energy_free", "energy_extrapolated"]}
        inputs["settings"] = Dict({"parser_settings": parser, "ADDITIONAL_RETRIEVE_LIST": ["OSZICAR"]})
        return run_get_node(WorkflowFactory("vasp.v2.vasp"), **inputs).node

    return run


def test_work_chain_ends_well_with_everything_that_is_asked_for(label):
    node = label(lorbit=11)
    assert node.exit_status == 0, node.exit_message
    misc = node.outputs.misc.get_dict()
    assert misc["run_status"]["finished"]
    assert misc["run_status"]["electronic_converged"]
    assert misc["version"] == "6.4.3"
    assert misc["run_stats"]["elapsed_time"] > 0
    assert np.shape(misc["forces"]) == (2, 3)
    assert np.shape(misc["stress"]) == (3, 3)
    energies = misc["total_energies"]
    assert energies["energy_free"] == pytest.approx(energies["energy_free_electronic"], abs=1e-6)
    assert energies["energy_extrapolated"] > energies["energy_free"] + 1e-3
    assert misc["notifications"] == []


def test_unconverged_is_seen_by_aiida_vasp(label, tmp_path):
    node = label(faults=[{"mode": "scf", "calls": None}])
    assert node.exit_status != 0
    assert {mode for *_, mode in calls(tmp_path / "state")} == {"scf"}


def test_refusal_is_seen_by_aiida_vasp(label, tmp_path):
    node = label(magmom=[0.0, 0.0, 1.0])
    assert node.exit_status != 0
    assert calls(tmp_path / "state") == []
