"""Moments that an engine returns, beside the spins along which they were constrained.

Arrays are (a, 3): `spins_ac` holds the requested directions, zero for an atom without spin; `moments_ac` is in μB.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration


@dataclass(frozen=True)
class LostMoment:
    """A moment that collapsed, or that is reversed: its state is not one of the requested directions."""

    atom: int
    is_collapsed: bool
    reason: str


def measure_angles(spins_ac: FloatArray, moments_ac: FloatArray) -> FloatArray:
    """Return the (a,) angles in degrees between moments and spins; zero for an atom without spin."""
    along_a = np.sum(moments_ac * spins_ac, axis=1) + 0.0  # -0.0 would be an angle of 180 degrees
    # arctan2 of both parts keeps small angles exact, which arccos does not.
    return np.asarray(np.degrees(np.arctan2(np.linalg.norm(np.cross(spins_ac, moments_ac), axis=1), along_a)))


def achieved_directions(spins_ac: FloatArray, moments_ac: FloatArray) -> FloatArray:
    """Return the (a, 3) unit vectors along the moments; an atom without spin or moment keeps its row of `spins_ac`."""
    magnitudes_a = np.linalg.norm(moments_ac, axis=1)
    has_direction_a = (magnitudes_a > 0.0) & np.any(spins_ac != 0.0, axis=1)
    units_ac = moments_ac / np.where(magnitudes_a > 0.0, magnitudes_a, 1.0)[:, None]
    return np.where(has_direction_a[:, None], units_ac, spins_ac)


def measure_magnitudes(spins_ac: FloatArray, moments_ac: FloatArray) -> FloatArray:
    """Return the (a,) moment magnitudes in μB; zero for an atom without spin."""
    return np.where(np.any(spins_ac != 0.0, axis=1), np.linalg.norm(moments_ac, axis=1), 0.0)


def start_magnitudes(configuration: Configuration, by_symbol: Mapping[str, float], default: float = 0.0) -> FloatArray:
    """Return the (a,) moment magnitudes in μB from which self-consistency starts; zero for an atom without spin."""
    known_a = np.array([by_symbol.get(symbol, default) for symbol in configuration.symbols])
    return np.where(configuration.is_magnetic_a, known_a, 0.0)


def find_lost_moment(spins_ac: FloatArray, moments_ac: FloatArray, min_moment_muB: float) -> LostMoment | None:
    """Return the first moment that is shorter than `min_moment_muB`, else the first that is reversed, else None."""
    is_magnetic_a = np.any(spins_ac != 0.0, axis=1)
    magnitudes_a, angles_a = measure_magnitudes(spins_ac, moments_ac), measure_angles(spins_ac, moments_ac)
    for atom in np.flatnonzero(is_magnetic_a & ((magnitudes_a < min_moment_muB) | (magnitudes_a == 0.0))):
        found = f"collapsed to {magnitudes_a[atom]:.3f} μB (min_moment_muB {min_moment_muB:g})"
        return LostMoment(int(atom), True, f"the moment of atom {atom} {found}")
    for atom in np.flatnonzero(angles_a >= 90.0):
        found = f"is reversed, {angles_a[atom]:.1f} degrees from its spin"
        return LostMoment(int(atom), False, f"the moment of atom {atom} {found}")
    return None


def explain_wrong_moments(
    spins_ac: FloatArray, moments_ac: FloatArray, min_moment_muB: float, max_angle_degree: float
) -> str | None:
    """Return in one line why these moments make no label, None when they do.

    A penalty is often even in the spin: it does not see a reversed moment, so that the sign is checked here.
    """
    lost = find_lost_moment(spins_ac, moments_ac, min_moment_muB)
    if lost is not None:
        return lost.reason
    angles_a = measure_angles(spins_ac, moments_ac)
    worst = int(np.argmax(angles_a))
    if angles_a[worst] <= max_angle_degree:
        return None
    found = f"{angles_a[worst]:.2f} degrees from its spin (max_angle_degree {max_angle_degree:g})"
    return f"the moment of atom {worst} is {found}"
