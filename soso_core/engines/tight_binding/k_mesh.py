"""The k-points and their coordinates: never reduced, since k and -k differ for noncoplanar spins."""

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.engines.k_mesh import mesh_counts
from soso_core.engines.tight_binding.settings import TightBindingSettings


def mesh_points(cell_vc: FloatArray, settings: TightBindingSettings) -> FloatArray:
    """Return the (k, 3) points in 1/Å, all of equal weight."""
    shift = 0.5 if settings.k_shifted else 0.0
    counts = mesh_counts(cell_vc, settings.k_spacing_per_angstrom, settings.k_mesh)
    axes = [(np.arange(count) + shift) / count for count in counts]
    fractions_kv = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray(2.0 * np.pi * fractions_kv @ np.linalg.inv(cell_vc).T)
