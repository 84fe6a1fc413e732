"""Conversions before and after each evaluation of a compiled model, without temporary arrays."""

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import jit


@jit
def make_atoms(positions_ac: FloatArray, species_a: IntArray, spins_ac: FloatArray) -> FloatArray:
    """Return atoms_a8 of `kernels.vector.near`; a spin of zero is none."""
    atoms_a8 = np.empty((len(species_a), 8))
    for a in range(len(species_a)):
        x, y, z = spins_ac[a, 0], spins_ac[a, 1], spins_ac[a, 2]
        atoms_a8[a, 0], atoms_a8[a, 1], atoms_a8[a, 2] = positions_ac[a, 0], positions_ac[a, 1], positions_ac[a, 2]
        atoms_a8[a, 3] = species_a[a]
        atoms_a8[a, 4], atoms_a8[a, 5], atoms_a8[a, 6] = x, y, z
        atoms_a8[a, 7] = 1.0 if x != 0.0 or y != 0.0 or z != 0.0 else 0.0
    return atoms_a8


@jit
def transverse_fields(gradient_ac: FloatArray, spins_ac: FloatArray) -> FloatArray:
    """Return -∂E/∂e less its part along each spin, (a, c) eV; zero without a spin, as `labels.transverse`."""
    effective_fields_ac = np.zeros((len(spins_ac), 3))
    for a in range(len(spins_ac)):
        x, y, z = spins_ac[a, 0], spins_ac[a, 1], spins_ac[a, 2]
        if x != 0.0 or y != 0.0 or z != 0.0:
            along = gradient_ac[a, 0] * x + gradient_ac[a, 1] * y + gradient_ac[a, 2] * z
            effective_fields_ac[a, 0] = along * x - gradient_ac[a, 0]
            effective_fields_ac[a, 1] = along * y - gradient_ac[a, 1]
            effective_fields_ac[a, 2] = along * z - gradient_ac[a, 2]
    return effective_fields_ac


@jit
def longest_move(before_ac: FloatArray, now_ac: FloatArray) -> float:
    """Return the largest displacement of an atom, Å."""
    longest = 0.0
    for a in range(len(before_ac)):
        x, y, z = now_ac[a, 0] - before_ac[a, 0], now_ac[a, 1] - before_ac[a, 1], now_ac[a, 2] - before_ac[a, 2]
        longest = max(longest, x * x + y * y + z * z)
    return float(np.sqrt(longest))
