"""ABINIT itself: differences of its energies are its fields, forces and stress."""

import shutil

import numpy as np
import pytest

from soso_core.configuration import Configuration
from soso_core.engines.abinit import AbinitSettings, label
from soso_core.engines.abinit.settings import DEBIAN_FOLDER

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("abinit") is None or not DEBIAN_FOLDER.is_dir(), reason="ABINIT is not installed (make abinit)"
    ),
]

LATTICE, ANGLE = 2.83, 0.5
SETTINGS = AbinitSettings(ecut_ev=408.0, k_mesh=(2, 2, 2))
"""Few plane waves: absolute numbers are far from converged, but derivatives of the energy are what they are."""

FIELD_TOLERANCE, FORCE_TOLERANCE, STRESS_TOLERANCE = 0.01, 0.01, 0.01
"""Relative."""


def iron(angle=ANGLE, shift=0.05, strain=0.0):
    """Two atoms of bcc iron, one displaced (Å) and turned, strained along x."""
    spins_ac = np.array([[0.0, 0.0, 1.0], [np.sin(angle), 0.0, np.cos(angle)]])
    positions_ac = np.array([[0.0, 0.0, 0.0], [0.5 * LATTICE + shift, 0.5 * LATTICE, 0.5 * LATTICE]])
    deformation_cc = np.diag([1.0 + strain, 1.0, 1.0])
    cell_vc = LATTICE * np.eye(3) @ deformation_cc
    return Configuration(np.array([26, 26]), positions_ac @ deformation_cc, cell_vc, spins_ac)


@pytest.fixture(scope="module")
def labelled():
    return label(iron(), SETTINGS)


def slope(argument, step, value):
    """Return the central difference of the energy by one argument of `iron`."""
    energies = [label(iron(**{argument: value + sign * step}), SETTINGS).energy for sign in (-1.0, 1.0)]
    return (energies[1] - energies[0]) / (2.0 * step)


def test_field_is_minus_the_gradient_of_the_energy(labelled):
    along_c = np.array([np.cos(ANGLE), 0.0, -np.sin(ANGLE)])
    field = labelled.spin_gradient_ac[1] @ along_c
    difference = -slope("angle", 0.05, ANGLE)
    print(f"field {field:.5f} eV, difference {difference:.5f} eV, ratio {field / difference:.4f}")
    assert difference < -0.05
    assert field == pytest.approx(difference, rel=FIELD_TOLERANCE)


def test_force_is_minus_the_gradient_of_the_energy(labelled):
    force = labelled.forces_ac[1, 0]
    difference = -slope("shift", 0.02, 0.05)
    print(f"force {force:.5f} eV/Å, difference {difference:.5f} eV/Å, ratio {force / difference:.4f}")
    assert abs(difference) > 0.05
    assert force == pytest.approx(difference, rel=FORCE_TOLERANCE)


def test_stress_is_the_gradient_of_the_energy_by_strain(labelled):
    stress = labelled.stress_cc[0, 0]
    difference = slope("strain", 0.005, 0.0) / labelled.configuration.volume
    print(f"stress {stress:.5f} eV/Å³, difference {difference:.5f} eV/Å³, ratio {stress / difference:.4f}")
    assert abs(difference) > 0.01
    assert stress == pytest.approx(difference, rel=STRESS_TOLERANCE)
