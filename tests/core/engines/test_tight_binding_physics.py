"""What the embedded iron must do, and the symmetries that hold without spin-orbit coupling.

Symmetry tests compare labels converged to 1e-9, whose energies are good to 1e-12 eV and fields to about 1e-9.
"""

import numpy as np
import pytest
from iron_cells import bcc, distorted, random_spins, rotation, skewed, unit

from soso_core.configuration import Configuration
from soso_core.engines.tight_binding import TightBindingSettings, label
from soso_core.errors import InputError

TIGHT = TightBindingSettings(tolerance=1e-9, k_mesh=(2, 2, 2))
UP = np.array([0.0, 0.0, 1.0])
GPA_PER_EV_A3 = 160.21766
ENERGY, FIELD, FORCE = {"rtol": 0, "atol": 1e-9}, {"rtol": 0, "atol": 1e-7}, {"rtol": 0, "atol": 1e-7}


@pytest.fixture(scope="module")
def ferromagnet():
    return label(bcc((1, 1, 1), np.array([UP, UP])), TightBindingSettings())


@pytest.fixture(scope="module")
def antiferromagnet():
    return label(bcc((1, 1, 1), np.array([UP, -UP])), TightBindingSettings())


@pytest.fixture(scope="module")
def disordered():
    """Four displaced atoms, one of them without spin, the others noncoplanar."""
    spins_ac = random_spins(4, 11) * np.array([[1.0], [1.0], [0.0], [1.0]])
    labelled = label(distorted(bcc((2, 1, 1), spins_ac), 12), TIGHT)
    assert np.abs(labelled.exchange_fields_ac).max() > 0.01
    return labelled


def test_ferromagnet_lies_below_antiferromagnet(ferromagnet, antiferromagnet):
    assert 0.2 < (antiferromagnet.energy - ferromagnet.energy) / 2 < 0.5


def test_moments_shrink_from_ferromagnet_to_antiferromagnet(ferromagnet, antiferromagnet):
    np.testing.assert_allclose(ferromagnet.moment_magnitudes_a, 2.7, atol=0.1)
    np.testing.assert_allclose(antiferromagnet.moment_magnitudes_a, 1.95, atol=0.1)


def test_iron_is_at_rest_at_its_lattice_constant(ferromagnet):
    pressure = -np.trace(ferromagnet.stress_cc) / 3 * GPA_PER_EV_A3
    # 2 GPa is 0.4 % of the lattice constant at a bulk modulus of 163 GPa.
    assert abs(pressure) < 2.0


def test_ferromagnetic_iron_resists_compression_and_shear():
    def stress(strain_cc):
        cell = bcc((1, 1, 1), np.array([UP, UP]))
        deformation_cc = np.eye(3) + strain_cc
        strained = Configuration(
            cell.numbers_a, cell.positions_ac @ deformation_cc, cell.cell_vc @ deformation_cc, cell.spins_ac
        )
        return label(strained, TightBindingSettings(k_mesh=(6, 6, 6))).stress_cc * GPA_PER_EV_A3

    bulk = np.trace(stress(0.01 * np.eye(3)) - stress(-0.01 * np.eye(3))) / 3 / 0.06
    tetragonal = stress(np.diag([0.01, -0.01, 0.0]))
    sheared = stress(0.01 * (np.eye(3)[[1, 0, 2]] - np.diag([0.0, 0.0, 1.0])))
    assert 100 < bulk < 250
    assert (tetragonal[0, 0] - tetragonal[1, 1]) / 0.04 > 10
    assert sheared[0, 1] / 0.02 > 10


def test_fields_of_a_collinear_state_vanish(antiferromagnet):
    assert np.abs(antiferromagnet.exchange_fields_ac).max() < 1e-5


def test_turning_all_spins_leaves_the_energy_and_turns_the_fields(disordered):
    turn_cc = rotation(1)
    turned = label(disordered.configuration.with_spins(disordered.configuration.spins_ac @ turn_cc), TIGHT)
    np.testing.assert_allclose(turned.energy, disordered.energy, **ENERGY)
    np.testing.assert_allclose(turned.exchange_fields_ac, disordered.exchange_fields_ac @ turn_cc, **FIELD)
    np.testing.assert_allclose(turned.forces_ac, disordered.forces_ac, **FORCE)


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["rotation", "rotation and reflection"])
def test_turning_the_lattice_alone_leaves_the_energy_and_fields(disordered, sign):
    turn_cc, old = sign * rotation(2), disordered.configuration
    turned = label(Configuration(old.numbers_a, old.positions_ac @ turn_cc, old.cell_vc @ turn_cc, old.spins_ac), TIGHT)
    np.testing.assert_allclose(turned.energy, disordered.energy, **ENERGY)
    np.testing.assert_allclose(turned.exchange_fields_ac, disordered.exchange_fields_ac, **FIELD)
    np.testing.assert_allclose(turned.forces_ac, disordered.forces_ac @ turn_cc, **FORCE)
    np.testing.assert_allclose(turned.stress_cc, turn_cc.T @ disordered.stress_cc @ turn_cc, **FORCE)


def test_permuting_and_translating_atoms_changes_nothing_else(disordered):
    order, old = np.array([2, 0, 3, 1]), disordered.configuration
    moved_ac = old.positions_ac[order] + np.array([0.3, -7.1, 2.2])
    moved = label(Configuration(old.numbers_a, moved_ac, old.cell_vc, old.spins_ac[order]), TIGHT)
    np.testing.assert_allclose(moved.energy, disordered.energy, **ENERGY)
    np.testing.assert_allclose(moved.moment_magnitudes_a, disordered.moment_magnitudes_a[order], **FIELD)
    np.testing.assert_allclose(moved.exchange_fields_ac, disordered.exchange_fields_ac[order], **FIELD)
    np.testing.assert_allclose(moved.forces_ac, disordered.forces_ac[order], **FORCE)


def test_reversing_all_spins_leaves_the_energy_and_reverses_the_fields(disordered):
    """Holds only on the full mesh: it exchanges k and -k, which differ for these noncoplanar spins."""
    reversed_ = label(disordered.configuration.with_spins(-disordered.configuration.spins_ac), TIGHT)
    np.testing.assert_allclose(reversed_.energy, disordered.energy, **ENERGY)
    np.testing.assert_allclose(reversed_.exchange_fields_ac, -disordered.exchange_fields_ac, **FIELD)


def test_a_supercell_with_the_folded_mesh_gives_the_same_label():
    spins_ac = unit(np.array([[0.0, 0.2, 1.0], [0.9, 0.0, 0.5]]))
    small = label(bcc((1, 1, 1), spins_ac), TightBindingSettings(tolerance=1e-9, k_mesh=(4, 2, 2)))
    large = label(bcc((2, 1, 1), np.tile(spins_ac, (2, 1))), TightBindingSettings(tolerance=1e-9, k_mesh=(2, 2, 2)))
    np.testing.assert_allclose(large.energy, 2 * small.energy, **ENERGY)
    np.testing.assert_allclose(large.exchange_fields_ac, np.tile(small.exchange_fields_ac, (2, 1)), **FIELD)
    np.testing.assert_allclose(large.stress_cc, small.stress_cc, **FORCE)


@pytest.mark.slow
def test_sixteen_atoms_equal_two_atoms_with_the_folded_mesh():
    spins_ac = unit(np.array([[0.0, 0.2, 1.0], [0.9, 0.0, 0.5]]))
    small = label(bcc((1, 1, 1), spins_ac), TightBindingSettings(tolerance=1e-9, k_mesh=(6, 6, 6)))
    large = label(bcc((2, 2, 2), np.tile(spins_ac, (8, 1))), TightBindingSettings(tolerance=1e-9))
    np.testing.assert_allclose(large.energy, 8 * small.energy, rtol=0, atol=1e-8)
    np.testing.assert_allclose(large.exchange_fields_ac, np.tile(small.exchange_fields_ac, (8, 1)), **FIELD)


def test_an_atom_without_spin_has_no_moment_and_no_field(disordered):
    assert disordered.moment_magnitudes_a[2] == 0.0
    assert not disordered.exchange_fields_ac[2].any()


def test_a_cell_without_any_spin_has_the_paramagnetic_energy(ferromagnet):
    bare = label(bcc((1, 1, 1), np.zeros((2, 3))), TightBindingSettings())
    assert bare.energy > ferromagnet.energy + 0.2
    assert not bare.moment_magnitudes_a.any()


def test_an_unknown_species_is_named():
    cell = bcc((1, 1, 1), np.array([UP, UP]))
    oxide = Configuration(np.array([26, 8]), cell.positions_ac, cell.cell_vc, cell.spins_ac)
    with pytest.raises(InputError, match=r"atom 1 is O; .* parameters for Fe only"):
        label(oxide, TightBindingSettings())


def test_atoms_on_top_of_each_other_are_refused():
    cell = skewed(2, np.array([UP, UP]))
    close = cell.with_positions(np.array([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]))
    with pytest.raises(InputError, match=r"0\.5 Å apart"):
        label(close, TightBindingSettings())
