"""What a calculation ended in, and whether that is the state that was asked for."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.gpaw.settings import GpawSettings


@dataclass(frozen=True, eq=False)
class State:
    """A self-consistent state under the penalty `K sum_i (|m_i|² - (m_i·u_i)²)`.

    energy : eV, free energy of the electrons, without the penalty
    moments_ac : (a, 3) float, μB, within the augmentation spheres: what the penalty acts on
    forces_ac : (a, 3) float, eV/Å
    energies_s : (s,) float, eV, of the last self-consistency steps
    iterations : steps of all stages
    """

    energy: float
    moments_ac: FloatArray
    forces_ac: FloatArray
    energies_s: FloatArray
    iterations: int


def lengths(state: State) -> FloatArray:
    """Return the (a,) lengths of the moments, μB."""
    return np.asarray(np.linalg.norm(state.moments_ac, axis=1))


def angles_degree(configuration: Configuration, state: State) -> FloatArray:
    """Return the (a,) angles between moment and spin; zero for an atom without spin."""
    across_a = np.linalg.norm(np.cross(configuration.spins_ac, state.moments_ac), axis=1)
    along_a = np.sum(configuration.spins_ac * state.moments_ac, axis=1)
    return np.where(configuration.is_magnetic_a, np.degrees(np.arctan2(across_a, along_a)), 0.0)


def achieved_spins(configuration: Configuration, state: State) -> FloatArray:
    """Return the (a, 3) directions of the moments; zero for an atom without spin."""
    safe_a = np.where(configuration.is_magnetic_a, lengths(state), 1.0)
    return np.where(configuration.is_magnetic_a[:, None], state.moments_ac / safe_a[:, None], 0.0)


def fields(configuration: Configuration, state: State, penalty: float) -> FloatArray:
    """Return the (a, 3) fields `-∂E/∂m = 2 K (m - (m·u) u)`, eV/μB.

    At the minimum of E + P the derivative of E is minus that of the penalty P.  The constraint pulls the moment to `u`
    against what it would do by itself, and what is left over points to where it would go.
    """
    spins_ac = configuration.spins_ac
    along_a = np.sum(state.moments_ac * spins_ac, axis=1, keepdims=True)
    across_ac = state.moments_ac - along_a * spins_ac
    return np.where(configuration.is_magnetic_a[:, None], 2.0 * penalty * across_ac, 0.0)


def penalty_energy(configuration: Configuration, state: State, penalty: float) -> float:
    """Return the penalty P in eV; the energy of the state does not hold it."""
    constraint_fields_ac = fields(configuration, state, penalty)
    return float(np.sum(constraint_fields_ac**2) / (4.0 * penalty))


def why_not(configuration: Configuration, state: State, settings: GpawSettings) -> str | None:
    """Return in one line why this state is no label for the configuration, or None when it is one.

    The penalty is even in the spin: a reversed moment costs nothing, and only its sign tells.
    """
    along_a = np.sum(state.moments_ac * configuration.spins_ac, axis=1)
    is_reversed_a = configuration.is_magnetic_a & (along_a <= 0.0)
    if is_reversed_a.any():
        return f"the moment of atom {int(np.argmax(is_reversed_a))} turned against its spin"
    length_a = lengths(state)
    is_short_a = configuration.is_magnetic_a & (length_a < settings.min_moment_muB)
    if is_short_a.any():
        atom = int(np.argmax(is_short_a))
        return f"the moment of atom {atom} collapsed to {length_a[atom]:.2f} μB"
    angle_a = angles_degree(configuration, state)
    if angle_a.max() > settings.max_angle_degree:
        return f"the moment of atom {int(angle_a.argmax())} is {angle_a.max():.1f} degrees away from its spin"
    return None
