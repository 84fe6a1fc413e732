"""The mesh of k-points: never reduced, since k and -k differ for noncoplanar spins."""

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.engines.tight_binding.settings import TightBindingSettings


def mesh_counts(cell_vc: FloatArray, settings: TightBindingSettings) -> tuple[int, int, int]:
    """Return how many points lie along each reciprocal vector of the cell (rows, Å)."""
    if settings.k_mesh is not None:
        return settings.k_mesh
    lengths_v = 2.0 * np.pi * np.linalg.norm(np.linalg.inv(cell_vc), axis=0)
    # The small slack keeps a cell that sits on a boundary from choosing by its last bit.
    n_1, n_2, n_3 = np.maximum(1, np.ceil(lengths_v / settings.k_spacing_per_angstrom - 1e-6).astype(int))
    return int(n_1), int(n_2), int(n_3)


def mesh_points(cell_vc: FloatArray, settings: TightBindingSettings) -> FloatArray:
    """Return the (k, 3) points in 1/Å, all of equal weight."""
    shift = 0.5 if settings.k_shifted else 0.0
    axes = [(np.arange(count) + shift) / count for count in mesh_counts(cell_vc, settings)]
    fractions_kv = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(2.0 * np.pi * fractions_kv @ np.linalg.inv(cell_vc).T)
