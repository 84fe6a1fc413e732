"""A neighbour list with a skin: used again until an atom has moved by half the skin."""

from dataclasses import dataclass, field

import numpy as np
from vesin import NeighborList

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.polynomials import PolynomialFit
from soso_core.kernels.vector.atoms import longest_move
from soso_core.kernels.vector.near import FAR, NearList
from soso_core.kernels.vector.verlet import bin_neighbours


@dataclass(frozen=True, eq=False)
class VerletList:
    """All pairs within cutoff + skin (Å) of the positions it was made for, sorted by centre.

    j_p neighbour; the image of it is at shifts_t4[shift_p] (Å, fourth column zero) from the atom itself, the last
    row is far away; offsets_a (a + 1,).
    """

    positions_ac: FloatArray
    cell_vc: FloatArray
    cutoff: float
    skin: float
    offsets_a: IntArray
    j_p: IntArray
    shift_p: IntArray
    shifts_t4: FloatArray
    distances_p: FloatArray
    _bins_of: "dict[PolynomialFit, _Bins]" = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, positions_ac: FloatArray, cell_vc: FloatArray, cutoff: float, skin: float) -> "VerletList":
        """Find the pairs, with vesin's cell list."""
        search = NeighborList(cutoff=cutoff + skin, full_list=True, sorted=True, n_threads=1)
        positions_ac, cell_vc = np.array(positions_ac), np.array(cell_vc)
        i_p, j_p, images_pv, distances_p = search.compute(
            points=positions_ac, box=cell_vc, periodic=True, quantities="ijSd"
        )
        offsets_a = np.searchsorted(i_p, np.arange(len(positions_ac) + 1)).astype(np.int64)
        shift_p, shifts_t4 = _numbered_shifts(images_pv, cell_vc)
        return cls(
            positions_ac,
            cell_vc,
            cutoff,
            skin,
            offsets_a,
            j_p.astype(np.int32),
            shift_p,
            shifts_t4,
            np.asarray(distances_p),
        )

    def update(self, positions_ac: FloatArray, cell_vc: FloatArray) -> "VerletList":
        """Return this list if the cell is the same and no atom has moved by more than half the skin, else a new one."""
        is_same = positions_ac.shape == self.positions_ac.shape and np.array_equal(cell_vc, self.cell_vc)
        if is_same and longest_move(self.positions_ac, positions_ac) <= 0.5 * self.skin:
            return self
        return VerletList.of(positions_ac, cell_vc, self.cutoff, self.skin)

    def near(self, atoms_a8: FloatArray, species_a: IntArray, n_species: int, fit: PolynomialFit) -> NearList:
        """Return the neighbours within reach of the radial functions `fit`; they are sorted once for each fit."""
        kept = self._bins_of.get(fit)
        if kept is None or not np.array_equal(kept.species_a, species_a):
            kept = self._bins_of[fit] = self._sort(species_a, n_species, fit)
        return NearList(atoms_a8, kept.starts_ab, kept.j_p, kept.shift_p, self.shifts_t4, kept.n_most)

    def _sort(self, species_a: IntArray, n_species: int, fit: PolynomialFit) -> "_Bins":
        far = len(self.shifts_t4) - 1
        pairs = (self.offsets_a, self.j_p, self.shift_p, self.distances_p)
        bins = bin_neighbours(*pairs, species_a, n_species, fit.inner_edges_g, fit.cutoff + self.skin, far)
        n_most = int(np.max(bins[0][:, -1] - bins[0][:, 0]))
        return _Bins(species_a, *bins, n_most)


@dataclass(frozen=True, eq=False)
class _Bins:
    """Neighbours of atoms of these species as `kernels.vector.verlet` sorts them."""

    species_a: IntArray
    starts_ab: IntArray
    j_p: IntArray
    shift_p: IntArray
    n_most: int


def _numbered_shifts(images_pv: IntArray, cell_vc: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return which shift every pair has, (p,), and the shifts in Å, (t, 4); the last is far from everything."""
    far_t4 = np.array([[FAR, 0.0, 0.0, 0.0]])
    if not len(images_pv):
        return np.zeros(0, dtype=np.int32), far_t4
    low_v = images_pv.min(axis=0).astype(np.int64)
    counts_v = images_pv.max(axis=0) - low_v + 1
    number_p = np.ravel_multi_index(tuple((images_pv - low_v).T), tuple(counts_v))
    if int(np.prod(counts_v)) <= len(images_pv):
        numbers_t = np.arange(np.prod(counts_v))
    else:  # atoms far outside their cell: only the images that occur
        numbers_t, number_p = np.unique(number_p, return_inverse=True)
    images_tv = np.stack(np.unravel_index(numbers_t, tuple(counts_v)), axis=-1) + low_v
    shifts_t4 = np.concatenate([images_tv @ cell_vc, np.zeros((len(images_tv), 1))], axis=1)
    return number_p.astype(np.int32), np.concatenate([shifts_t4, far_t4])
