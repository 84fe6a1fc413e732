"""The calculator as ASE uses it."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet
from compiled_models import fitted, iron_model, large_cell
from spin_cells import heisenberg_label, iron_germanium, skewed_iron

from soso_core import InputError
from soso_core.gp.model.model_file import save_model
from soso_core.interfaces.ase import SosoCalculator
from soso_core.testing import assert_derivative


def atoms_of(cell):
    atoms = Atoms(cell.numbers_a, positions=cell.positions_ac, cell=cell.cell_vc, pbc=True)
    atoms.arrays["spins"] = cell.spins_ac.copy()
    return atoms


@pytest.fixture
def atoms():
    made = atoms_of(iron_germanium(12))
    made.calc = SosoCalculator(fitted("three-body of zeta 2"))
    return made


def test_properties(atoms):
    expected = fitted("three-body of zeta 2").predict(iron_germanium(12), with_std=False)
    # The default accuracy of the compiled form: 0.01 meV per atom, and as much per radian and 0.1 Å.
    assert atoms.get_potential_energy() == pytest.approx(expected.energy, abs=4e-5)
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    np.testing.assert_allclose(atoms.get_forces(), expected.forces_ac, atol=1e-4)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), expected.stress_cc, atol=1e-5)
    np.testing.assert_allclose(
        atoms.calc.get_property("effective_fields", atoms), expected.effective_fields_ac, atol=1e-5
    )
    np.testing.assert_allclose(atoms.get_magnetic_moments(), [2.2, 2.2, 2.2, 0.0], atol=0.02)
    exchange_fields_ac = atoms.calc.get_property("exchange_fields", atoms)
    np.testing.assert_allclose(exchange_fields_ac, expected.effective_fields_ac / 2.2, atol=1e-5)
    assert np.abs(exchange_fields_ac).max() > 1e-3


def test_the_effective_field_of_label_prediction_and_calculator_is_minus_the_derivative():
    """B_i = -∂E/∂e_i in eV, transverse, sign included; each against finite differences of its own energy."""
    cell = iron_germanium(3)
    label, model = heisenberg_label(cell), fitted("three-body of zeta 2")
    atoms = atoms_of(cell)
    atoms.calc = SosoCalculator(model)
    predicted = model.predict(cell, with_std=False)

    def rotated(shift_ac):
        spins_ac = cell.spins_ac + np.where(cell.is_magnetic_a[:, None], shift_ac, 0.0)
        lengths_a = np.linalg.norm(spins_ac, axis=1, keepdims=True)
        return cell.with_spins(spins_ac / np.where(lengths_a > 0.0, lengths_a, 1.0))

    energies = {
        "label": (lambda at: heisenberg_label(rotated(at)).energy, label.effective_fields_ac),
        "prediction": (lambda at: model.predict(rotated(at), with_std=False).energy, predicted.effective_fields_ac),
        "calculator": (
            lambda at: atoms.calc.compiled.predict(rotated(at)).energy,
            atoms.calc.get_property("effective_fields", atoms),
        ),
    }
    for energy, effective_fields_ac in energies.values():
        assert_derivative(energy, np.zeros((len(cell), 3)), -effective_fields_ac, 1e-3, 1e-3)
    found_ac = predicted.effective_fields_ac
    assert np.linalg.norm(found_ac - label.effective_fields_ac) < 0.3 * np.linalg.norm(label.effective_fields_ac)


def test_forces_and_stress_by_finite_differences(atoms):
    forces_ac, stress = atoms.get_forces(), atoms.get_stress(voigt=False)
    assert np.abs(forces_ac).max() > 1e-4
    # Second order in the step of 1e-3 Å.
    np.testing.assert_allclose(calculate_numerical_forces(atoms, eps=1e-3), forces_ac, atol=1e-5)
    np.testing.assert_allclose(calculate_numerical_stress(atoms, eps=1e-4, voigt=False), stress, atol=1e-6)


def test_a_change_of_spins_is_a_change(atoms):
    before = atoms.get_potential_energy()
    assert not atoms.calc.calculation_required(atoms, ["energy"])
    atoms.arrays["spins"][0] *= -1.0
    assert atoms.calc.calculation_required(atoms, ["energy"])
    after = atoms.get_potential_energy()
    assert abs(after - before) > 1e-4
    fresh = atoms.copy()
    fresh.calc = SosoCalculator(fitted("three-body of zeta 2"))
    assert fresh.get_potential_energy() == pytest.approx(after, abs=1e-9)


def test_another_element_on_the_same_site(atoms):
    atoms.get_potential_energy()
    atoms.numbers[1] = 32
    atoms.arrays["spins"][1] = 0.0
    fresh = atoms.copy()
    fresh.calc = SosoCalculator(fitted("three-body of zeta 2"))
    assert atoms.get_potential_energy() == pytest.approx(fresh.get_potential_energy(), abs=1e-9)


def test_energy_is_conserved():
    """48 atoms at 600 K, spins held: 40 fs in steps of 1 fs, over rebuilds of the list."""
    atoms = atoms_of(large_cell(2))
    atoms.calc = SosoCalculator(fitted("three-body of zeta 2"), skin=0.1)
    MaxwellBoltzmannDistribution(atoms, temperature_K=600, rng=np.random.default_rng(0))
    start, lists, energies, kinetic = None, set(), [], []
    dynamics = VelocityVerlet(atoms, 1.0 * units.fs)
    for _ in range(40):
        dynamics.run(1)
        lists.add(id(atoms.calc.neighbours))
        energies.append(atoms.get_total_energy() / len(atoms))
        kinetic.append(atoms.get_kinetic_energy() / len(atoms))
    start = energies[0]
    assert len(lists) > 1
    assert np.ptp(kinetic) > 3e-5  # something has moved
    # Velocity Verlet itself: (step · frequency)² / 8 of the energy that goes to and fro.
    assert np.abs(np.array(energies) - start).max() < 0.02 * np.ptp(kinetic)


def test_from_a_file(tmp_path):
    save_model(tmp_path / "m.soso", iron_model())
    energies = []
    for model in (str(tmp_path / "m.soso"), tmp_path / "m.soso", iron_model()):
        atoms = atoms_of(skewed_iron(3))
        atoms.calc = SosoCalculator(model, n_threads=2)
        energies.append(atoms.get_potential_energy())
    assert energies[0] == energies[1] == energies[2]


def test_faults_are_one_line(atoms):
    no_spins = atoms.copy()
    del no_spins.arrays["spins"]
    slab = atoms.copy()
    slab.pbc = [True, True, False]
    unknown = atoms.copy()
    unknown.numbers[0] = 27
    for wrong, message in (
        (no_spins, "'spins' is missing"),
        (slab, "periodic"),
        (unknown, "element Co is unknown"),
    ):
        wrong.calc = SosoCalculator(fitted("three-body of zeta 2"))
        with pytest.raises(InputError, match=message) as caught:
            wrong.get_potential_energy()
        assert "\n" not in str(caught.value)
