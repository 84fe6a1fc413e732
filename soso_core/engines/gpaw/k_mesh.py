"""The mesh of k-points: without Gamma, never reduced, since k and -k differ for noncoplanar spins."""

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.engines.gpaw.settings import GpawSettings


def mesh_counts(cell_vc: FloatArray, settings: GpawSettings) -> tuple[int, int, int]:
    """Return how many points lie along each reciprocal vector of the cell (rows, Å)."""
    if settings.k_mesh is not None:
        return settings.k_mesh
    lengths_v = 2.0 * np.pi * np.linalg.norm(np.linalg.inv(cell_vc), axis=0)
    # The small slack keeps a cell that sits on a boundary from choosing by its last bit.
    n_1, n_2, n_3 = np.maximum(1, np.ceil(lengths_v / settings.k_spacing_per_angstrom - 1e-6).astype(int))
    return int(n_1), int(n_2), int(n_3)
