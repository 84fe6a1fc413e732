"""Fields, forces and stress are derivatives of the energy, in cells without symmetry.

Labels are converged to 1e-9, so the energy is good to 1e-12 eV and a central difference with step 1e-3 has an error
of step² times a third derivative of order 1 to 30 (forces: steep repulsion): 1e-6 to 3e-5.  Tolerances are twice that.
"""

import numpy as np
import pytest
from iron_cells import bcc, distorted, random_spins, skewed

from soso_core.configuration import Configuration
from soso_core.engines.tight_binding import SpeciesParameters, TightBindingSettings, label

SETTINGS = TightBindingSettings(tolerance=1e-9, k_mesh=(2, 2, 2))
STEP = 1e-3

WITH_VACANT_SPIN = random_spins(3, 8) * np.array([[1.0], [0.0], [1.0]])

CELLS = {
    "one atom": distorted(skewed(1, random_spins(1, 1)), 1),
    "two atoms": distorted(bcc((1, 1, 1), random_spins(2, 2)), 2),
    "three atoms, one without spin": distorted(skewed(3, WITH_VACANT_SPIN), 3),
    "four atoms": distorted(bcc((2, 1, 1), random_spins(4, 3)), 4),
}


def energy(configuration, settings=SETTINGS):
    return label(configuration, settings).energy


def central_difference(function):
    return (function(STEP) - function(-STEP)) / (2.0 * STEP)


def field_errors(configuration, settings):
    """Return (2m,) finite differences of -E and their errors, two directions across every spin."""
    gradient_ac = label(configuration, settings).effective_fields_ac
    slopes, errors = [], []
    for atom in np.flatnonzero(configuration.is_magnetic_a):
        spin_c = configuration.spins_ac[atom]
        first_c = np.cross(spin_c, np.eye(3)[np.argmin(np.abs(spin_c))])
        first_c /= np.linalg.norm(first_c)
        for across_c in (first_c, np.cross(spin_c, first_c)):

            def turned(angle, atom=atom, spin_c=spin_c, across_c=across_c):
                spins_ac = configuration.spins_ac.copy()
                spins_ac[atom] = np.cos(angle) * spin_c + np.sin(angle) * across_c
                return energy(configuration.with_spins(spins_ac), settings)

            slopes.append(-central_difference(turned))
            errors.append(slopes[-1] - gradient_ac[atom] @ across_c)
    return np.array(slopes), np.array(errors)


@pytest.mark.parametrize("name", [name for name in CELLS if name != "one atom"])
def test_field_is_minus_the_gradient_of_the_energy(name):
    slopes, errors = field_errors(CELLS[name], SETTINGS)
    assert np.abs(slopes).max() > 0.02
    assert np.abs(errors).max() < 2e-6


def test_field_of_two_species():
    configuration = distorted(bcc((1, 1, 1), random_spins(2, 5)), 5)
    alloy = Configuration(np.array([26, 27]), configuration.positions_ac, configuration.cell_vc, configuration.spins_ac)
    cobalt = SpeciesParameters(electrons=7.6, onsite_ev=-0.4, stoner_ev=0.9, dd_sigma_ev=-0.6, repulsion_ev=0.2)
    settings = SETTINGS.model_copy(update={"species": {"Fe": SpeciesParameters(), "Co": cobalt}})
    slopes, errors = field_errors(alloy, settings)
    assert np.abs(slopes).max() > 0.01
    assert np.abs(errors).max() < 2e-6


def test_one_atom_feels_no_field_since_its_images_turn_with_it():
    labelled = label(CELLS["one atom"], SETTINGS)
    assert np.abs(labelled.exchange_fields_ac).max() < 1e-9
    assert np.abs(labelled.forces_ac).max() < 1e-12


@pytest.mark.parametrize("name", ["two atoms", "three atoms, one without spin"])
def test_forces_are_minus_the_gradient_of_the_energy(name):
    configuration = CELLS[name]
    forces_ac = label(configuration, SETTINGS).forces_ac
    differences_ac = np.zeros_like(forces_ac)
    for atom, axis in np.ndindex(*forces_ac.shape):

        def moved(length, atom=atom, axis=axis):
            positions_ac = configuration.positions_ac.copy()
            positions_ac[atom, axis] += length
            return energy(configuration.with_positions(positions_ac))

        differences_ac[atom, axis] = -central_difference(moved)
    assert np.abs(differences_ac).max() > 0.1
    np.testing.assert_allclose(forces_ac, differences_ac, atol=6e-5)


@pytest.mark.parametrize("name", ["one atom", "two atoms"])
def test_stress_is_the_gradient_of_the_energy_by_strain(name):
    configuration = CELLS[name]
    stress_cc = label(configuration, SETTINGS).stress_cc
    differences_cc = np.zeros((3, 3))
    for first, second in zip(*np.triu_indices(3), strict=True):

        def strained(size, first=first, second=second):
            deformation_cc = np.eye(3)
            deformation_cc[first, second] += 0.5 * size
            deformation_cc[second, first] += 0.5 * size
            positions_ac, cell_vc = configuration.positions_ac @ deformation_cc, configuration.cell_vc @ deformation_cc
            return energy(Configuration(configuration.numbers_a, positions_ac, cell_vc, configuration.spins_ac))

        slope = central_difference(strained) / configuration.volume
        differences_cc[first, second] = differences_cc[second, first] = slope
    assert np.abs(differences_cc).max() > 0.01
    np.testing.assert_allclose(stress_cc, differences_cc, atol=1e-5)
