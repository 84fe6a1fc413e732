"""Voigt order, species indices and constants: one implementation each, compared with independent ones."""

import numpy as np
import pytest
from ase.stress import full_3x3_to_voigt_6_stress
from scipy import constants
from spin_cells import iron_germanium

from soso_core import Configuration, InputError
from soso_core.species import species_counts, species_indices
from soso_core.units import ATOMIC_MASS, FS, HBAR, K_B
from soso_core.voigt import from_voigt, to_voigt


def test_voigt_order_is_that_of_ase_and_returns_the_tensor():
    raw_cc = np.random.default_rng(0).normal(size=(3, 3))
    tensor_cc = raw_cc + raw_cc.T
    np.testing.assert_array_equal(to_voigt(tensor_cc), full_3x3_to_voigt_6_stress(tensor_cc))
    np.testing.assert_array_equal(from_voigt(to_voigt(tensor_cc)), tensor_cc)


def test_voigt_keeps_further_axes():
    components_6m = np.random.default_rng(1).normal(size=(6, 4))
    np.testing.assert_array_equal(to_voigt(from_voigt(components_6m)), components_6m)
    np.testing.assert_array_equal(from_voigt(components_6m)[..., 2], from_voigt(components_6m[:, 2]))


def test_species_indices_point_at_the_atomic_numbers():
    cell = iron_germanium(0)
    species = (8, 26, 32, 92)  # germanium is not the last: an absent species counts zero
    np.testing.assert_array_equal(np.array(species)[species_indices(cell, species)], cell.numbers_a)
    np.testing.assert_array_equal(species_counts(cell, species), [np.sum(cell.numbers_a == z) for z in species])


@pytest.mark.parametrize("number", [1, 27, 92])
def test_an_element_outside_the_list_is_named(number):
    cell = Configuration([number], [[0.0, 0.0, 0.0]], 3.0 * np.eye(3), [[0.0, 0.0, 1.0]])
    with pytest.raises(InputError, match=rf"element {cell.symbols[0]} is unknown .* \[8, 26, 32\]"):
        species_indices(cell, (8, 26, 32))


@pytest.mark.parametrize(
    ("value", "name", "factor"),
    [
        (K_B, "Boltzmann constant in eV/K", 1.0),
        (HBAR, "reduced Planck constant in eV s", 1e15),
        (ATOMIC_MASS, "atomic mass constant energy equivalent in MeV", 1e6 / (constants.c * 1e-5) ** 2),
        (1.0 / FS**2, "atomic mass constant energy equivalent in MeV", 1e6 / (constants.c * 1e-5) ** 2),
    ],
)
def test_constants_are_those_of_codata(value, name, factor):
    assert value == pytest.approx(constants.physical_constants[name][0] * factor, rel=1e-6)


def test_energies_are_quoted_per_magnetic_atom_or_per_atom():
    cell = iron_germanium(0)
    assert 0 < cell.n_energy_sites == cell.n_magnetic < len(cell)
    assert cell.with_spins(np.zeros((len(cell), 3))).n_energy_sites == len(cell)
