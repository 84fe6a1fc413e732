"""The self-consistent state of a calculation, with the field and the energy of its penalty."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.labels import transverse


@dataclass(frozen=True, eq=False)
class State:
    """A self-consistent state under the penalty `K sum_i (|m_i|² - (m_i·u_i)²)`.

    energy : eV, free energy of the electrons, without the penalty
    moments_ac : (a, 3) float, μB, within the augmentation spheres, where the penalty acts
    forces_ac : (a, 3) float, eV/Å
    energies_s : (s,) float, eV, of the last self-consistency steps
    iterations : steps of all stages
    """

    energy: float
    moments_ac: FloatArray
    forces_ac: FloatArray
    energies_s: FloatArray
    iterations: int


def fields(configuration: Configuration, state: State, penalty: float) -> FloatArray:
    """Return the (a, 3) fields `-∂E/∂m = 2 K (m - (m·u) u)`, eV/μB.

    At the minimum of E + P the derivative of E is minus that of the penalty P.  The residual part of
    the moment across `u` points along the field, against which the constraint acts.
    """
    return 2.0 * penalty * transverse(state.moments_ac, configuration.spins_ac)


def penalty_energy(configuration: Configuration, state: State, penalty: float) -> float:
    """Return the penalty P in eV; the energy of the state does not hold it."""
    constraint_fields_ac = fields(configuration, state, penalty)
    return float(np.sum(constraint_fields_ac**2) / (4.0 * penalty))
