"""`soso.label.vasp` and `soso.vasp.field_scale` from end to end, with the stand-in for VASP."""

from itertools import count

import numpy as np
import pytest
from aiida.engine import run_get_node
from aiida.orm import CalcJobNode, Dict, StructureData
from ase import Atoms
from ase.build import bulk

from soso_core.configuration import Configuration
from soso_core.engines.field_consistency import rotate_spin
from soso_core.errors import InputError
from soso_workchains.vasp.field_scale import FieldScaleWorkChain
from soso_workchains.vasp.label import VaspLabelWorkChain
from soso_workflows.data.dataset import SosoDataset

pytestmark = pytest.mark.aiida

SETTINGS = {
    "protocol": "fast",
    "rwigs_angstrom": {"Fe": 1.302, "Rh": 1.4},
    "initial_moments_muB": {"Fe": 2.2},
    "field_scale": 2.0,
    "options": {"withmpi": False},
}
ONE_STEP = {"lambda_ramp_ev_per_muB2": [10.0]}
"""A ramp of one step, where the ramp is not what is tested."""


def mixed_cell(spins_ac=None):
    """Iron and rhodium in turns, lattice vectors left-handed: all that has to be arranged for VASP and undone."""
    if spins_ac is None:
        spins_ac = np.random.default_rng(1).normal(size=(4, 3))
        spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    spins_ac = np.array(spins_ac)
    spins_ac[1] = 0.0
    positions_ac = np.array([[0.0, 0.1, 0.0], [1.4, 1.4, 1.5], [0.1, 0.0, 3.0], [1.45, 1.5, 4.4]])
    return Configuration([26, 45, 26, 26], positions_ac, np.array([[0, 2.9, 0], [2.9, 0, 0], [0, 0, 6.0]]), spins_ac)


@pytest.fixture
def inputs(potcar_family, vasp_standin, tmp_path):
    """Return a function that gives the inputs of a label from settings and the faults of the stand-in."""
    numbers = count()

    def make(field_scale=2.0, faults=None, **changes):
        given = {**SETTINGS, "potential_family": potcar_family, **changes}
        code = vasp_standin(
            tmp_path / f"state{next(numbers)}", field_scale=field_scale, **({"faults": faults} if faults else {})
        )
        return VaspLabelWorkChain.inputs_from_settings(VaspLabelWorkChain.validate_settings(given, "here"), code)

    return make


def run(configuration, inputs):
    node = SosoDataset.from_configurations([configuration])
    return run_get_node(VaspLabelWorkChain, configuration=node, **inputs)


def label(configuration, inputs):
    results, node = run(configuration, inputs)
    assert node.is_finished_ok, node.exit_message
    return results["label"].get_dataset()[0]


def test_a_label(inputs):
    wanted = mixed_cell()
    results, node = run(wanted, inputs())
    assert node.is_finished_ok, node.exit_message
    item = results["label"].get_dataset()[0]
    quality = results["quality"].get_dict()
    assert item.configuration.symbols == wanted.symbols
    np.testing.assert_array_equal(item.configuration.positions_ac, wanted.positions_ac)
    np.testing.assert_array_equal(item.configuration.cell_vc, wanted.cell_vc)
    np.testing.assert_allclose(item.target_spins_ac, wanted.spins_ac, atol=1e-15)
    assert 0.0 < item.info["angle_degree"] < 0.5
    assert not np.array_equal(item.configuration.spins_ac, wanted.spins_ac)
    assert not item.configuration.is_magnetic_a[1]
    assert item.moment_magnitudes_a[1] == 0.0
    assert not item.exchange_fields_ac[1].any()
    assert item.stress_cc is not None
    assert quality["converged"]
    assert quality["label_grade"] == item.info["label_grade"]
    assert quality["label_grade"] in "AB"  # the fast protocol ends at lambda 10
    assert quality["energy_change_meV_per_atom"] < 0.01  # the rest without the work of the fields
    steps = [job for job in node.called_descendants if isinstance(job, CalcJobNode)]
    assert [job.inputs.parameters["lambda"] for job in steps] == [1.0, 10.0]
    assert [job.inputs.parameters["icharg"] for job in steps] == [2, 1]
    assert all(job.outputs.remote_folder.is_empty for job in steps)


@pytest.mark.slow
def test_finite_differences_of_energies_are_fields_and_forces(inputs):
    """Along the way the moments went.  Three decimals of the magnitudes change a field by 3e-4."""
    centre, made = mixed_cell(), inputs(overrides=ONE_STEP)
    base = label(centre, made)
    atom = int(np.argmax(np.linalg.norm(base.effective_fields_ac, axis=1)))
    axis_c = np.cross(centre.spins_ac[atom], base.effective_fields_ac[atom])
    axis_c /= np.linalg.norm(axis_c)
    ends = [label(rotate_spin(centre, atom, axis_c, sign * 0.05), made) for sign in (1, -1)]
    way_ac = ends[0].configuration.spins_ac - ends[1].configuration.spins_ac
    work = -float(np.sum(base.effective_fields_ac * way_ac))
    assert abs(work) > 5e-3
    # the curvature of the fields over 0.1 rad leaves less than 1e-3 of the difference
    assert ends[0].energy - ends[1].energy == pytest.approx(work, rel=1e-3)
    moved = []
    for sign in (1, -1):
        positions_ac = centre.positions_ac.copy()
        positions_ac[1, 2] += sign * 0.01
        moved.append(label(centre.with_positions(positions_ac), made))
    slope = -(moved[0].energy - moved[1].energy) / 0.02
    assert abs(slope) > 1e-2
    # moments turn by less than 1e-5 between the two; third derivatives of the pair potential are worth 1e-3
    assert slope == pytest.approx(base.forces_ac[1, 2], rel=2e-3)


@pytest.mark.parametrize("scale", [pytest.param(1.0, marks=pytest.mark.long), 2.0])
def test_the_field_scale_is_found(inputs, scale):
    made = inputs(field_scale=scale, overrides=ONE_STEP)
    made.pop("field_scale")
    structure = StructureData(ase=bulk("Fe", "bcc", a=2.83))
    results, node = run_get_node(FieldScaleWorkChain, structure=structure, label=made)
    assert node.is_finished_ok, node.exit_message
    found = results["field_scale"].get_dict()
    assert found["field_scale"] == pytest.approx(scale, rel=2e-3)  # three decimals of magnitudes and directions
    assert found["error"] < 0.02 * scale
    assert found["source"] == "measured"
    assert (
        VaspLabelWorkChain.inputs_from_settings(
            VaspLabelWorkChain.validate_settings({"field_scale": f"node:{results['field_scale'].pk}"}, "here"),
            made["code"],
        )["field_scale"].pk
        == results["field_scale"].pk
    )


def test_a_label_wants_a_field_scale(inputs):
    made = inputs()
    made.pop("field_scale")
    with pytest.raises(ValueError, match="field_scale"):
        run(mixed_cell(), made)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"potential_family": "nowhere"}, "there is no 'nowhere' in this profile"),
        ({"potential_mapping": {"Fe": "Fe_no"}}, "has no POTCAR 'Fe_no' for Fe"),
        ({"options": {"queue_nam": "standard"}}, "unknown key 'queue_nam'"),
        ({"options": {"resources": 7}}, "options.resources: "),
    ],
)
def test_what_the_profile_lacks_is_said_before_a_launch(potcar_family, changes, said):
    cell = Atoms("Fe2", [(0, 0, 0), (1.4, 1.4, 1.4)], cell=[2.8, 2.8, 2.8], pbc=True)

    def check(**more):
        given = {**SETTINGS, "potential_family": potcar_family, **more}
        VaspLabelWorkChain.check_profile(VaspLabelWorkChain.validate_settings(given, "here"), cell)

    check()
    check(options={"resources": {"num_machines": 1}, "max_wallclock_seconds": 60})
    with pytest.raises(InputError, match=said):
        check(**changes)


@pytest.mark.slow
def test_a_wrong_angle_is_noticed_and_repeated(inputs):
    whole = label(mixed_cell(), inputs())
    faults = [{"mode": "wrong_angle", "lambda": 10.0}]
    results, node = run(mixed_cell(), inputs(faults=faults))
    assert node.is_finished_ok, node.exit_message
    item = results["label"].get_dataset()[0]
    jobs = [job for job in node.called_descendants if isinstance(job, CalcJobNode)]
    assert [job.inputs.parameters["lambda"] for job in jobs] == [1.0, 10.0, 10.0]
    assert item.energy == pytest.approx(whole.energy, abs=1e-9)
    np.testing.assert_allclose(item.exchange_fields_ac, whole.exchange_fields_ac, atol=1e-9)


def test_what_does_not_fit_is_refused(inputs):
    _, node = run(mixed_cell(), inputs(initial_moments_muB={"Rh": 1.0}))
    assert node.exit_status == 434
    assert "initial_moments_muB has no Fe" in node.exit_message
    _, node = run(mixed_cell(np.zeros((4, 3))), inputs())
    assert node.exit_status == 434
    assert not node.called


def test_stored_settings_that_are_refused_by_now_end_with_a_line(inputs):
    """A campaign of an older version is resumed with the nodes it has, which nobody has checked since."""
    given = inputs()
    old = Dict({**given["settings"].get_dict(), "spin_orbit": True})
    _, node = run(mixed_cell(), {**given, "settings": old})
    assert node.exit_status == 434
    assert "settings: spin_orbit: must be false" in node.exit_message
    assert not node.called
