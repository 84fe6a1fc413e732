"""The numbers of the stand-in: derivatives of its energies, and a penalty that behaves as one."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from vasp_standin.classical import ClassicalModel
from vasp_standin.constraint import Constraint, achieve, transverse
from vasp_standin.crystal import Crystal

STEP = 1e-4
LEAST = 1e-3  # eV, eV/Å: a derivative smaller than this would pass for nothing


def crystal_of(atoms: Atoms) -> Crystal:
    """Return atoms as the stand-in holds them; like ones stand together."""
    symbols = tuple(dict.fromkeys(atoms.get_chemical_symbols()))
    counts = tuple(atoms.get_chemical_symbols().count(symbol) for symbol in symbols)
    return Crystal(atoms.cell.array, atoms.get_scaled_positions(wrap=False), symbols, counts)


def unit(vectors_ac):
    return vectors_ac / np.linalg.norm(vectors_ac, axis=1, keepdims=True)


@pytest.fixture
def atoms():
    """Return four iron atoms and one of platinum, displaced and sheared."""
    rng = np.random.default_rng(3)
    cell = bulk("Fe", "bcc", a=2.85, cubic=True) * (2, 1, 1)
    cell += Atoms("Pt", positions=[[1.4, 1.4, 0.1]])
    cell.set_cell(cell.cell.array @ (np.eye(3) + 0.03 * rng.normal(size=(3, 3))), scale_atoms=True)
    cell.positions += 0.05 * rng.normal(size=cell.positions.shape)
    return cell


@pytest.fixture
def directions_ac(atoms):
    return unit(np.random.default_rng(4).normal(size=(len(atoms), 3)))


def energy(atoms, directions_ac):
    return ClassicalModel(crystal_of(atoms)).evaluate(directions_ac).energy


def test_field_is_the_derivative_of_the_energy(atoms, directions_ac):
    gradient_ac = ClassicalModel(crystal_of(atoms)).spin_gradient(directions_ac)
    for atom in range(4):
        for axis_c in np.eye(3):
            turned = [directions_ac.copy(), directions_ac.copy()]
            for sign, spins_ac in zip((1, -1), turned, strict=True):
                spins_ac[atom] = unit((directions_ac[atom] + sign * STEP * axis_c)[None])[0]
            slope = (energy(atoms, turned[0]) - energy(atoms, turned[1])) / (2 * STEP)
            assert gradient_ac[atom] @ axis_c == pytest.approx(-slope, abs=1e-7)  # step², times the third derivative
    assert np.abs(gradient_ac[:4]).max() > LEAST
    assert not gradient_ac[4].any(), "platinum carries no moment"


def test_forces_are_derivatives_of_the_energy(atoms, directions_ac):
    forces_ac = ClassicalModel(crystal_of(atoms)).evaluate(directions_ac).forces_ac
    for atom in range(len(atoms)):
        for c in range(3):
            moved = [atoms.copy(), atoms.copy()]
            moved[0].positions[atom, c] += STEP
            moved[1].positions[atom, c] -= STEP
            slope = (energy(moved[0], directions_ac) - energy(moved[1], directions_ac)) / (2 * STEP)
            assert forces_ac[atom, c] == pytest.approx(-slope, abs=1e-5)
    assert np.abs(forces_ac).max() > LEAST
    assert np.abs(forces_ac.sum(axis=0)).max() < 1e-10


def test_stress_is_the_derivative_by_strain(atoms, directions_ac):
    stress_cc = ClassicalModel(crystal_of(atoms)).evaluate(directions_ac).stress_cc
    for c, d in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2)):
        energies = []
        for sign in (1, -1):
            strain_cc = np.zeros((3, 3))
            strain_cc[c, d] += sign * STEP / 2
            strain_cc[d, c] += sign * STEP / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ (np.eye(3) + strain_cc), scale_atoms=True)
            energies.append(energy(strained, directions_ac))
        slope = (energies[0] - energies[1]) / (2 * STEP) / atoms.get_volume()
        assert stress_cc[c, d] == pytest.approx(slope, abs=1e-6)
    assert np.abs(stress_cc).max() > LEAST


def test_cell_choice_does_not_matter(atoms, directions_ac):
    double = atoms * (1, 2, 1)
    order = np.argsort(double.get_chemical_symbols(), kind="stable")
    spins_ac = np.vstack([directions_ac, directions_ac])[order]
    assert energy(double[order], spins_ac) == pytest.approx(2 * energy(atoms, directions_ac), abs=1e-9)


def test_lengths_follow_neighbours(atoms, directions_ac):
    model = ClassicalModel(crystal_of(atoms))
    aligned_a, random_a = model.moments(np.tile([0.0, 0.0, 1.0], (5, 1))), model.moments(directions_ac)
    assert (aligned_a[:4] > random_a[:4] + 0.02).all()
    assert aligned_a[4] == 0.0


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_angle_falls_with_lambda_and_the_field_does_not(atoms, directions_ac, scale):
    model = ClassicalModel(crystal_of(atoms))
    angles, penalties, fields = [], [], []
    for lambda_ in (1.0, 10.0, 50.0):
        constraint = Constraint(directions_ac, lambda_, scale)
        achieved_ac = achieve(model, constraint, directions_ac)
        moment_magnitudes_a = model.moments(achieved_ac)
        moments_ac = moment_magnitudes_a[:, None] * achieved_ac
        printed_ac = transverse(constraint.printed_field(moments_ac), achieved_ac)
        fields.append(scale * moment_magnitudes_a[:, None] * printed_ac)
        assert fields[-1][:4] == pytest.approx(model.spin_gradient(achieved_ac)[:4], abs=1e-9)
        angles.append(np.linalg.norm(achieved_ac - directions_ac, axis=1)[:4].max())
        penalties.append(constraint.penalty(moments_ac))
    assert angles[0] > 7 * angles[1] > 0
    assert angles[1] > 4 * angles[2] > 0
    assert penalties[0] > 7 * penalties[1] > 7 * 4 * penalties[2] > 0
    assert fields[2][:4] == pytest.approx(fields[1][:4], abs=0.02)  # eV; they differ by the change of the angle
    assert np.abs(fields[2]).max() > 0.05


def test_scale_two_is_the_minimum_of_energy_and_penalty(atoms, directions_ac):
    """With c = 2 the moments rest where `E + E_p` has its minimum; the lengths are nearly constant here."""
    model = ClassicalModel(crystal_of(atoms))
    constraint = Constraint(directions_ac, 2.0, 2.0)
    achieved_ac = achieve(model, constraint, directions_ac)
    lengths_a = model.moments(achieved_ac)

    def total(spins_ac):
        return model.evaluate(spins_ac).energy + constraint.penalty(lengths_a[:, None] * spins_ac)

    rng = np.random.default_rng(5)
    for _ in range(10):
        noise_ac = 1e-3 * rng.normal(size=achieved_ac.shape)
        assert total(unit(achieved_ac + noise_ac)) > total(achieved_ac)


@pytest.mark.slow
def test_tight_binding_model_has_its_derivatives_too():
    from vasp_standin.tight_binding import TightBindingModel

    iron = bulk("Fe", "bcc", a=2.85, cubic=True)
    model = TightBindingModel(crystal_of(iron))
    targets_ac = np.array([[0.0, 0.0, 1.0], [np.sin(0.6), 0.0, np.cos(0.6)]])
    achieved_ac = achieve(model, Constraint(targets_ac, 10.0, 2.0), targets_ac, max_steps=8, tolerance=1e-7)
    turned = [targets_ac.copy(), targets_ac.copy()]
    for sign, spins_ac in zip((1, -1), turned, strict=True):
        spins_ac[1] = [np.sin(0.6 + sign * 0.01), 0.0, np.cos(0.6 + sign * 0.01)]
    slope = (model.evaluate(turned[0]).energy - model.evaluate(turned[1]).energy) / 0.02
    gradient_ac = model.spin_gradient(targets_ac)
    assert gradient_ac[1] @ [np.cos(0.6), 0.0, -np.sin(0.6)] == pytest.approx(-slope, rel=1e-3)
    assert abs(slope) > 0.01
    assert 0 < np.degrees(np.arccos(achieved_ac[1] @ targets_ac[1])) < 1.0
