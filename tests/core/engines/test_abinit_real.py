"""ABINIT itself: differences of its energies are its fields, forces and stress."""

import shutil

import numpy as np
import pytest

from soso_core.configuration import Configuration
from soso_core.engines.abinit import AbinitSettings, label
from soso_core.engines.abinit.settings import DEBIAN_FOLDER

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        shutil.which("abinit") is None or not DEBIAN_FOLDER.is_dir(), reason="ABINIT is not installed (make abinit)"
    ),
]

LATTICE, ANGLE = 2.83, 0.5
SETTINGS = AbinitSettings(ecut_ev=408.0, k_mesh=(2, 2, 2))
"""Few plane waves: absolute numbers are far from converged, but derivatives of the energy are what they are."""

TOLERANCE = 0.01
"""Relative; the engine states it (docs/topics/abinit.md).  Measured: 0.7 % in fields, 0.2 % in stress."""

FORCE_TOLERANCE = 0.1
"""eV/Å.  Measured: 0.06, with so few plane waves that the core charge is sharp on the grid."""


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


def compared(labelled, argument, step, value, derivative_of):
    """Return the derivative of the energy by one argument of `iron`, by labels and by differences of their energies.

    The first is the mean of derivatives over two steps by Simpson's rule: with few plane waves the energy is rough in
    strain, and the derivative in the middle alone is not what the difference shows.
    """
    before, after = (label(iron(**{argument: value + sign * step}), SETTINGS) for sign in (-1.0, 1.0))
    mean = (derivative_of(before) + 4.0 * derivative_of(labelled) + derivative_of(after)) / 6.0
    difference = (after.energy - before.energy) / (2.0 * step)
    print(f"{argument}: label {mean:.5f}, difference {difference:.5f}, ratio {mean / difference:.4f}")
    return mean, difference


def turning(item):
    """Return ∂E/∂angle, eV: along the direction in which the second spin turns."""
    x, _, z = item.configuration.spins_ac[1]
    return -item.effective_fields_ac[1] @ np.array([z, 0.0, -x])


def test_field_is_minus_the_gradient_of_the_energy(labelled):
    mean, difference = compared(labelled, "angle", 0.05, ANGLE, turning)
    assert difference > 0.05
    assert mean == pytest.approx(difference, rel=TOLERANCE)


def test_force_is_minus_the_gradient_of_the_energy(labelled):
    mean, difference = compared(labelled, "shift", 0.01, 0.05, lambda item: -item.forces_ac[1, 0])
    assert abs(difference) > 10.0 * FORCE_TOLERANCE
    assert mean == pytest.approx(difference, abs=FORCE_TOLERANCE)


def test_stress_is_the_gradient_of_the_energy_by_strain(labelled):
    volume = LATTICE**3
    mean, difference = compared(labelled, "strain", 0.001, 0.0, lambda item: item.stress_cc[0, 0] * volume)
    assert abs(difference) > 0.01 * volume
    assert mean == pytest.approx(difference, rel=TOLERANCE)
