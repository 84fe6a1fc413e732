"""The calcfunctions of a label with VASP, on nodes built here; no VASP and no stand-in runs."""

from types import SimpleNamespace

import numpy as np
import pytest
from aiida.orm import ArrayData, Dict, StructureData
from ase.build import bulk

from soso_core.configuration import Configuration
from soso_core.engines.ramp import Action
from soso_workchains.vasp.label import VaspLabelWorkChain
from soso_workchains.vasp.ramp import CONTINUING, FAILURES
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.vasp import functions

pytestmark = [pytest.mark.aiida, pytest.mark.usefixtures("aiida_profile")]

SPINS_AC = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]])
SPECIES = {"rwigs_angstrom": {"Fe": 1.302}, "initial_moments_muB": {"Fe": 2.2}}


@pytest.fixture
def common():
    """Return configuration, settings, species and field scale."""
    positions_ac = np.array([[0.0, 0.0, 0.0], [1.425, 1.425, 1.425]])
    cell = Configuration([26, 26], positions_ac, 2.85 * np.eye(3), SPINS_AC)
    settings = VaspLabelWorkChain.validate_settings({"protocol": "fast"}, "here")["settings"]
    return {
        "configuration": SosoDataset.from_configurations([cell]),
        "settings": Dict(settings),
        "species": Dict(SPECIES),
        "field_scale": Dict({"field_scale": 2.0, "source": "given"}),
    }


def run_of(lambda_, is_constrained=(1, 1), moment=1.5):
    """Return what the parser stores of a run that reached its target."""
    node = ArrayData()
    node.set_array("moments_mw_ac", moment * SPINS_AC)
    node.set_array("moments_m_ac", 2.2 * SPINS_AC)
    node.set_array("constraint_fields_ac", np.zeros((2, 3)))
    node.set_array("is_constrained_a", np.array(is_constrained))
    attributes = {"penalty_energy_eV": 0.0, "lambda_eV_per_muB2": lambda_, "scf_change_eV": -1e-6}
    node.base.attributes.set_many(attributes)
    forces = {"final": [[0.0, 0.0, 0.0]] * 2}
    return Dict(
        {"total_energies": {"energy_free": -16.0}, "forces": forces, "stress": {"final": np.eye(3).tolist()}}
    ), node


def test_two_steps_and_a_label(common):
    start = functions.first_step(**{name: common[name] for name in ("configuration", "settings", "species")})
    assert start["parameters"]["incar"]["lambda"] == 1.0
    assert start["parameters"]["incar"]["icharg"] == 2
    misc, constraint = run_of(1.0)
    first = functions.judge_step(**common, ramp=start["ramp"], misc_00=misc, constraint_00=constraint)
    assert first["ramp"].get_dict()["action"] == "next"
    assert first["parameters"]["incar"]["lambda"] == 10.0
    assert first["parameters"]["incar"]["icharg"] == 1
    again, stronger = run_of(10.0)
    runs = {"misc_00": misc, "constraint_00": constraint, "misc_01": again, "constraint_01": stronger}
    second = functions.judge_step(**common, ramp=first["ramp"], **runs)
    assert second["ramp"].get_dict()["action"] == "done"
    assert "parameters" not in second
    names = ("configuration", "settings", "field_scale")
    made = functions.make_label(**{name: common[name] for name in names}, ramp=second["ramp"], **runs)
    item = made["label"].get_dataset()[0]
    assert item.energy == -16.0
    assert item.info["field_scale_source"] == "given"
    assert made["quality"]["label_grade"] == "A"
    assert made["quality"]["lambda_ev_per_muB2"] == 10.0


@pytest.mark.parametrize(
    ("run", "action", "words"),
    [
        (run_of, "unusable", "lambda 50, requested was 1"),
        (lambda _: run_of(1.0, is_constrained=(1, 0)), "unusable", "other constrained ions"),
        (lambda _: run_of(1.0, moment=0.05), "collapsed", "moment of atom 0 collapsed to 0.050"),
    ],
)
def test_what_ends_a_ramp(common, run, action, words):
    start = functions.first_step(**{name: common[name] for name in ("configuration", "settings", "species")})
    misc, constraint = run(50.0)
    judged = functions.judge_step(**common, ramp=start["ramp"], misc_00=misc, constraint_00=constraint)
    assert judged["ramp"]["action"] == action
    assert words in judged["ramp"]["reason"]
    assert "parameters" not in judged


def test_atoms_and_mesh(common):
    made = functions.arrange(common["configuration"], common["settings"])
    assert made["structure"].get_kind_names() == ["Fe"]
    assert made["kpoints"].get_kpoints_mesh()[0] == [6, 6, 6]


@pytest.mark.parametrize("cubic", [True, False])
def test_configurations_of_the_field_scale(cubic):
    """A cell with one spin is doubled."""
    structure = StructureData(ase=bulk("Fe", "bcc", a=2.85, cubic=cubic))
    made = functions.field_scale_configurations(structure, Dict(SPECIES))
    spins = {name: made[name].get_dataset()[0].configuration.spins_ac for name in ("base", "plus", "minus")}
    assert len(spins["base"]) == 2
    angles = {name: np.degrees(np.arccos(spins_ac[0] @ spins_ac[1])) for name, spins_ac in spins.items()}
    assert sorted(angles.values()) == pytest.approx([25.0, 30.0, 35.0])
    assert angles["base"] == pytest.approx(30.0)
    assert made["printed"].get_dict() == {"field_scale": 1.0, "source": "as printed"}


def test_every_action_continues_ends_well_or_has_its_exit_code():
    statuses = {action: VaspLabelWorkChain.exit_codes[name].status for action, name in FAILURES.items()}
    assert statuses == {"flipped": 431, "collapsed": 432, "off target": 433, "unusable": 400}
    assert {*FAILURES, *CONTINUING, "done"} == {None, *(action.value for action in Action)}


@pytest.mark.parametrize(
    ("action", "is_ok", "continues"), [("next", True, True), ("next", False, False), ("done", True, False)]
)
def test_a_failed_step_ends_the_ramp(action, is_ok, continues):
    context = SimpleNamespace(engines=[SimpleNamespace(is_finished_ok=is_ok)], ramp=Dict({"action": action}))
    assert VaspLabelWorkChain.should_run_step(SimpleNamespace(ctx=context)) is continues
    context.engines, context.ramp = [], Dict({})
    assert VaspLabelWorkChain.should_run_step(SimpleNamespace(ctx=context)) is True
