"""Neighbours sorted into the bins of `kernels.vector.near`."""

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import jit


@jit
def bin_neighbours(
    offsets_a: IntArray,
    j_p: IntArray,
    shift_p: IntArray,
    distances_p: FloatArray,
    species_a: IntArray,
    n_species: int,
    edges_g: FloatArray,
    reach: float,
    far_shift: int,
) -> tuple[IntArray, IntArray, IntArray]:
    """Return starts_ab (a, b + 1), j_p and shift_p of a `NearList` of the pairs nearer than `reach` (Å).

    edges_g (g - 1,) are the distances between segments; pairs offsets_a[a]:offsets_a[a + 1] are those of atom a.
    In each bin the nearest comes first.
    """
    n_atoms, n_segments = len(offsets_a) - 1, len(edges_g) + 1
    n_bins = n_species * n_segments
    starts_ab = np.zeros((n_atoms, n_bins + 1), dtype=np.int64)
    bin_p = np.full(len(j_p), -1, dtype=np.int32)
    total = 0
    for a in range(n_atoms):
        for p in range(offsets_a[a], offsets_a[a + 1]):
            if distances_p[p] < reach:
                bin_p[p] = species_a[j_p[p]] * n_segments + np.searchsorted(edges_g, distances_p[p])
                starts_ab[a, bin_p[p] + 1] += 1
        starts_ab[a, 0] = total
        for b in range(n_bins):
            starts_ab[a, b + 1] = starts_ab[a, b] + (starts_ab[a, b + 1] + 3) // 4 * 4
        total = starts_ab[a, n_bins]
    near_distance_p = np.empty(total)
    near_j_p, near_shift_p = np.empty(total, dtype=np.int32), np.full(total, far_shift, dtype=np.int32)
    next_b = np.zeros(n_bins, dtype=np.int64)
    for a in range(n_atoms):
        near_j_p[starts_ab[a, 0] : starts_ab[a, n_bins]] = a
        next_b[:] = starts_ab[a, :n_bins]
        for p in range(offsets_a[a], offsets_a[a + 1]):
            if bin_p[p] >= 0:
                place = next_b[bin_p[p]]
                while place > starts_ab[a, bin_p[p]] and near_distance_p[place - 1] > distances_p[p]:
                    near_distance_p[place] = near_distance_p[place - 1]
                    near_j_p[place] = near_j_p[place - 1]
                    near_shift_p[place] = near_shift_p[place - 1]
                    place -= 1
                near_distance_p[place], near_j_p[place], near_shift_p[place] = distances_p[p], j_p[p], shift_p[p]
                next_b[bin_p[p]] += 1
    return starts_ab, near_j_p, near_shift_p  # type: ignore[return-value]  # four bytes an index are enough
