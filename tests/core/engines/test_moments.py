"""Angles, directions and magnitudes of moments, and the moments that make no label."""

import numpy as np
import pytest
from iron_cells import bcc, unit

from soso_core.configuration import Configuration
from soso_core.engines.moments import (
    achieved_directions,
    explain_wrong_moments,
    find_lost_moment,
    measure_angles,
    measure_magnitudes,
    start_magnitudes,
)

SPINS = unit(np.array([[0.2, 0.1, 1.0], [1.0, 0.3, 0.2], [0.0, 1.0, 0.0]])) * [[1.0], [1.0], [0.0]]
MOMENTS = 2.2 * SPINS + [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, -0.3, 0.0]]
"""The third atom has no spin, and a small moment of its own."""


def rotated(degrees):
    """Return the moments, the first rotated away from its spin."""
    across_c = unit(np.cross(SPINS[0], [1.0, 0.0, 0.0])[None])[0]
    moments_ac = MOMENTS.copy()
    moments_ac[0] = 2.2 * (np.cos(np.radians(degrees)) * SPINS[0] + np.sin(np.radians(degrees)) * across_c)
    return moments_ac


@pytest.mark.parametrize("degrees", [1e-7, 3.0, 89.0, 91.0, 180.0])
def test_angles_small_and_large_are_exact(degrees):
    assert measure_angles(SPINS, rotated(degrees))[0] == pytest.approx(degrees, rel=1e-6)


def test_an_atom_without_spin_has_no_angle_direction_or_magnitude():
    assert measure_angles(SPINS, MOMENTS)[2] == 0.0  # also where the products of zeros are -0.0
    assert measure_angles(np.zeros((1, 3)), np.full((1, 3), -1.0))[0] == 0.0
    assert not achieved_directions(SPINS, MOMENTS)[2].any()
    assert measure_magnitudes(SPINS, MOMENTS).tolist() == pytest.approx([2.2, 2.2, 0.0])
    assert explain_wrong_moments(SPINS, MOMENTS, 0.5, 1.0) is None


def test_directions_are_those_of_the_moments():
    moments_ac = rotated(170.0)
    np.testing.assert_allclose(achieved_directions(SPINS, moments_ac)[:2], moments_ac[:2] / 2.2, atol=1e-15)
    np.testing.assert_array_equal(achieved_directions(SPINS, 0.0 * MOMENTS), SPINS)


@pytest.mark.parametrize(
    ("moments_ac", "atom", "is_collapsed", "reason"),
    [
        (rotated(90.1), 0, False, "moment of atom 0 is reversed, 90.1 degrees from its spin"),
        (MOMENTS * [[1.0], [0.1], [1.0]], 1, True, r"atom 1 collapsed to 0.220 μB (min_moment_muB 0.3)"),
        (rotated(180.0) * [[0.1], [1.0], [1.0]], 0, True, "atom 0 collapsed"),
        (0.0 * MOMENTS, 0, True, "atom 0 collapsed"),
    ],
)
def test_a_lost_moment_is_found(moments_ac, atom, is_collapsed, reason):
    found = find_lost_moment(SPINS, moments_ac, 0.3)
    assert (found.atom, found.is_collapsed) == (atom, is_collapsed)
    assert reason in found.reason
    assert explain_wrong_moments(SPINS, moments_ac, 0.3, 180.0) == found.reason


def test_a_moment_that_vanishes_is_lost_without_a_limit():
    assert find_lost_moment(SPINS, 0.0 * MOMENTS, 0.0).is_collapsed


def test_the_largest_angle_is_compared_with_its_limit():
    assert explain_wrong_moments(SPINS, rotated(3.0), 0.3, 3.01) is None
    reason = explain_wrong_moments(SPINS, rotated(3.0), 0.3, 2.99)
    assert reason == "the moment of atom 0 is 3.00 degrees from its spin (max_angle_degree 2.99)"


def test_start_magnitudes_follow_the_species():
    iron = bcc((1, 1, 1), np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    alloy = Configuration(np.array([26, 27]), iron.positions_ac, iron.cell_vc, np.eye(3)[:2])
    assert start_magnitudes(iron, {"Fe": 2.3}).tolist() == [2.3, 0.0]
    assert start_magnitudes(alloy, {"Fe": 2.3}).tolist() == [2.3, 0.0]
    assert start_magnitudes(alloy, {"Co": 1.6}, default=2.0).tolist() == [2.0, 1.6]
