"""Hellmann-Feynman forces and stress from the bond orders of the self-consistent state."""

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.engines.tight_binding.crystal import Crystal
from soso_core.engines.tight_binding.density import bond_orders
from soso_core.engines.tight_binding.functional import Solution
from soso_core.engines.tight_binding.slater_koster import bond_gradients
from soso_core.voigt import symmetrise


def forces_and_stress(crystal: Crystal, solution: Solution) -> tuple[FloatArray, FloatArray]:
    """Return forces (a, 3) eV/Å and stress (3, 3) eV/Å³ (tension positive) of a self-consistent solution.

    Only hoppings and repulsion depend on positions; everything else is stationary.  One gradient per pair suffices.
    """
    pairs = crystal.neighbours
    orders_pab = bond_orders(crystal, solution.states_kxb, solution.filling.occupations_kb)
    gradients_pc = bond_gradients(pairs.vectors_pc, crystal.hoppings_ph, crystal.slopes_ph, orders_pab)
    gradients_pc += (crystal.repulsion_slopes_p / pairs.distances_p)[:, None] * pairs.vectors_pc
    forces_ac = np.zeros((len(crystal.configuration), 3))
    np.add.at(forces_ac, pairs.i_p, gradients_pc)
    np.subtract.at(forces_ac, pairs.j_p, gradients_pc)
    stress_cc = gradients_pc.T @ pairs.vectors_pc / crystal.configuration.volume
    return forces_ac, symmetrise(stress_cc)
