"""Neighbours: every pair of atoms closer than a cutoff, periodic images included."""

from dataclasses import dataclass

import numpy as np
from vesin import NeighborList

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError

SHORTEST_DISTANCE = 0.4
"""Å; half the bond of hydrogen."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """A full neighbour list (each pair from both ends), sorted by centre.

    Attributes
    ----------
    i_p, j_p : (p,) int; centre and neighbour of each pair; `j` may be an image of `i` itself
    vectors_pc : (p, 3) float, Å; from centre to neighbour image
    distances_p : (p,) float, Å
    offsets_a : (a + 1,) int; pairs of centre `i` are `offsets_a[i]:offsets_a[i + 1]`
    cutoff : float, Å
    """

    i_p: IntArray
    j_p: IntArray
    vectors_pc: FloatArray
    distances_p: FloatArray
    offsets_a: IntArray
    cutoff: float

    def __len__(self) -> int:
        return len(self.i_p)

    def words(self, pair: int) -> str:
        """Return the two atoms of a pair in words; an atom may be close to its own image."""
        i, j = self.i_p[pair], self.j_p[pair]
        return f"atom {i} and its own periodic image" if i == j else f"atoms {i} and {j}"


def find_neighbours(configuration: Configuration, cutoff: float) -> Neighbours:
    """Return all pairs within `cutoff` (Å), found by vesin's cell list.

    Raises InputError when two atoms are closer than SHORTEST_DISTANCE; such positions are wrong.
    """
    search = NeighborList(cutoff=cutoff, full_list=True, sorted=True, n_threads=1)
    i, j, vectors, distances = search.compute(
        points=np.ascontiguousarray(configuration.positions_ac),
        box=np.ascontiguousarray(configuration.cell_vc),
        periodic=True,
        quantities="ijDd",
    )
    i_p = i.astype(np.int64)
    offsets_a = np.searchsorted(i_p, np.arange(len(configuration) + 1)).astype(np.int64)
    arrays = (i_p, j.astype(np.int64), np.array(vectors), np.array(distances), offsets_a)
    for array in arrays:
        array.setflags(write=False)
    found = Neighbours(*arrays, cutoff=cutoff)
    if len(found) and found.distances_p.min() < SHORTEST_DISTANCE:
        pair = int(np.argmin(found.distances_p))
        raise InputError(f"{found.words(pair)} are {found.distances_p[pair]:.3g} Å apart; are the units Å?")
    return found
