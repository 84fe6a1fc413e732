"""A whole campaign through aiida-vasp, with the stand-in for VASP: from a campaign file to a model, c measured."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import InstalledCode
from ase.build import bulk
from ase.io import write
from vasp_labels import truth
from vasp_standin_fixtures import calls
from yaml import safe_dump

from soso_workflows.campaign.campaign_file import read_campaign
from soso_workflows.campaign.launch import campaign_builder
from soso_workflows.campaign.state import CampaignState

pytestmark = pytest.mark.aiida


@pytest.fixture
def campaign_file(tmp_path, potcar_family):
    """Return a function that writes a campaign on two atoms of iron with VASP, `field_scale: measure`."""

    def factory(engine_code: str, **engine_settings: Any) -> Path:
        write(tmp_path / "iron.cif", bulk("Fe", "bcc", a=2.85, cubic=True))
        values = {
            "name": "iron",
            "structure": "iron.cif",
            "engine": "vasp",
            "engine_code": engine_code,
            "engine_settings": {
                "protocol": "fast",
                "potential_family": potcar_family,
                "rwigs_angstrom": {"Fe": 1.3},
                "initial_moments_muB": {"Fe": 2.2},
                "field_scale": "measure",
                "options": {"withmpi": False, "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1}},
                **engine_settings,
            },
            "exploration": {
                "n_candidates": 20,
                "generators": [{"kind": "random", "displacement_angstrom": 0.05}],
            },
            "policy": {
                "target_energy_meV_per_spin": 1e9,
                "max_labels": 6,
                "n_initial": 2,
                "batch_size": 1,
                "min_blind": 1,
            },
            "seed": 7,
        }
        path = tmp_path / "campaign.yaml"
        path.write_text(safe_dump(values))
        return path

    return factory


@pytest.fixture
def soso_code(localhost):
    """Return the real `soso`."""
    executable = Path(sys.executable).parent / "soso"
    return InstalledCode(label="soso", computer=localhost, filepath_executable=str(executable)).store()


@pytest.mark.parametrize(
    "scale", [pytest.param(2.0, marks=pytest.mark.slow), pytest.param(1.0, marks=pytest.mark.long)]
)
def test_campaign_finds_the_scale_by_itself(vasp_standin, campaign_file, soso_code, tmp_path, scale):
    vasp_standin(tmp_path / "state", label=f"vasp-{scale:g}", field_scale=scale)
    campaign = read_campaign(campaign_file(f"vasp-{scale:g}@localhost"))
    _, node = run_get_node(campaign_builder(campaign, soso_code))
    assert node.is_finished_ok, node.exit_message
    assert [batch.n_labels for batch in CampaignState(node).batches] == [2, 3]
    labels = node.outputs.dataset.get_dataset()
    for label in labels:
        check_label(label, scale)
    first_runs = [lambda_ for _, lambda_, *_ in calls(tmp_path / "state") if lambda_ == 1.0]
    assert len(first_runs) == 3 + len(labels), "three labels for the scale, and no run is repeated"
    assert len(measurements(node)) == 1


def check_label(label: Any, scale: float) -> None:
    """Assert that the scale was found, and that the label is true with it."""
    assert label.info["field_scale_source"] == "measured"
    assert label.info["field_scale"] == pytest.approx(scale, rel=2e-3)  # three decimals of MW_int
    energy, gradient_ac = truth(label.configuration)
    assert label.energy == pytest.approx(energy, abs=1e-5)
    assert label.effective_fields_ac == pytest.approx(gradient_ac, abs=1e-3)  # the error of the scale
    assert np.abs(gradient_ac).max() > 0.01


def measurements(campaign: Any) -> list[Any]:
    """Return the processes that measured the scale."""
    return [node for node in campaign.called if node.process_label == "FieldScaleWorkChain"]
