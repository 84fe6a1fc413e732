"""The order of atoms in VASP, which keeps the atoms of an element together, and its inverse."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration


@dataclass(frozen=True, eq=False)
class VaspOrder:
    """A permutation: `ours_a[k]` is our index of VASP's atom k.

    `species` are the elements in VASP's order, `counts` how many atoms each has.
    """

    ours_a: IntArray
    species: tuple[str, ...]
    counts: tuple[int, ...]

    def to_vasp(self, values_a: FloatArray) -> FloatArray:
        """Return values of our atoms (first axis) in VASP's order."""
        return np.asarray(values_a)[self.ours_a]

    def from_vasp(self, values_a: FloatArray) -> FloatArray:
        """Return values of VASP's atoms (first axis) in our order."""
        restored = np.empty_like(np.asarray(values_a))
        restored[self.ours_a] = values_a
        return restored


def vasp_order(symbols: Sequence[str]) -> VaspOrder:
    """Return the order that groups like atoms, elements and atoms in the order in which they first appear."""
    species = tuple(dict.fromkeys(symbols))
    ours = [k for symbol in species for k, other in enumerate(symbols) if other == symbol]
    return VaspOrder(np.array(ours, dtype=np.int64), species, tuple(list(symbols).count(item) for item in species))


def arrange_for_vasp(configuration: Configuration) -> tuple[Configuration, VaspOrder]:
    """Return the configuration as VASP reads it, and its order.

    The atoms of an element are adjacent, and the lattice vectors are right-handed, since VASP stops at others: two of
    them are exchanged where needed, which changes no Cartesian coordinate.
    """
    order = vasp_order(configuration.symbols)
    cell_vc = configuration.cell_vc
    if np.linalg.det(cell_vc) < 0.0:
        cell_vc = cell_vc[[0, 2, 1]]
    arranged = Configuration(
        configuration.numbers_a[order.ours_a],
        configuration.positions_ac[order.ours_a],
        cell_vc,
        configuration.spins_ac[order.ours_a],
    )
    return arranged, order
