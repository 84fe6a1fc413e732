"""Exact test of whether a symmetry of the crystal and one of the spins map a configuration onto another.

Sums over pairs do not always distinguish configurations: in a 2x2x2 cell of bcc the spins of one sublattice can be
rotated against those of the other without changing any pair sum.  So all maps are tried.  In Minkowski-reduced bases of
one lattice every isometry is an integer matrix with small entries.  Each of them, with every shift of a first atom,
gives a permutation of the atoms.  Spins agree up to a rotation and a reversal when their scalar products agree.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from ase.geometry import minkowski_reduce

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration

SAME_PLACE = 1e-3
"""Å; well below any intended displacement, well above rounding in files."""
SAME_COSINE = 1e-4
"""Of products of spins: ten times the summed rounding of 6 decimals."""
SMALL_INTEGERS = (0, -1, 1, -2, 2)
"""Entries of an isometry between reduced bases are -1, 0, 1; the rest is room for bases reduced up to rounding."""


def are_equivalent(one: Configuration, other: Configuration) -> bool:
    """Return whether isometry, shift, permutation of like atoms, and spin rotation or reversal map one onto the other.

    The compositions must be equal.
    """
    both = (one, other)
    cells = [np.asarray(minkowski_reduce(item.cell_vc)[0]) for item in both]
    places = [np.linalg.solve(cell.T, item.positions_ac.T).T for cell, item in zip(cells, both, strict=True)]
    products = [item.spins_ac @ item.spins_ac.T for item in both]
    rows = [np.sort(product, axis=1) for product in products]
    first = min(range(len(one)), key=lambda atom: len(_like(one, rows[0], int(one.numbers_a[atom]), rows[0][atom])))
    targets = _like(other, rows[1], int(one.numbers_a[first]), rows[0][first])
    for map_vv in _isometries(cells[0], cells[1]):
        moved_av = places[0] @ map_vv
        for target in targets:
            order = _permutation(moved_av + (places[1][target] - moved_av[first]), places[1], cells[1])
            if order is None or not np.array_equal(one.numbers_a, other.numbers_a[order]):
                continue
            if np.max(np.abs(products[0] - products[1][np.ix_(order, order)])) <= SAME_COSINE:
                return True
    return False


def _like(configuration: Configuration, rows_aa: FloatArray, number: int, row_a: FloatArray) -> IntArray:
    """Return the atoms of a species whose sorted products with all spins are `row_a`: few, so few shifts to try."""
    near_a = np.all(np.abs(rows_aa - row_a) <= SAME_COSINE, axis=1)
    return np.flatnonzero((configuration.numbers_a == number) & near_a)


def _isometries(one_vc: FloatArray, other_vc: FloatArray) -> Iterator[IntArray]:
    """Yield integer matrices N whose N @ other has lengths and angles of `one`; the identity is tried first."""
    integers_kv = np.array(list(itertools.product(SMALL_INTEGERS, repeat=3)))
    vectors_kc = integers_kv @ other_vc
    gram_vv = one_vc @ one_vc.T
    slack_vv = SAME_PLACE * np.add.outer(*2 * [np.sqrt(np.diag(gram_vv))])
    fits_vk = np.abs(np.sum(vectors_kc**2, axis=1) - np.diag(gram_vv)[:, None]) <= np.diag(slack_vv)[:, None]
    far_vk = np.abs(integers_kv - np.eye(3)[:, None]).sum(axis=2)
    choices = [
        [k for k in np.argsort(far_k, kind="stable") if fit_k[k]] for far_k, fit_k in zip(far_vk, fits_vk, strict=True)
    ]
    for rows in itertools.product(*choices):
        chosen_vc = vectors_kc[list(rows)]
        if np.all(np.abs(chosen_vc @ chosen_vc.T - gram_vv) <= slack_vv):
            yield integers_kv[list(rows)]


def _permutation(moved_av: FloatArray, places_av: FloatArray, cell_vc: FloatArray) -> IntArray | None:
    """Return where each moved atom comes to lie, or None when one of them comes to lie on no atom."""
    gaps_aav = moved_av[:, None] - places_av[None]
    gaps_aav -= np.rint(gaps_aav)
    distances_aa = np.linalg.norm(gaps_aav @ cell_vc, axis=2)
    order = np.argmin(distances_aa, axis=1)
    if np.max(np.min(distances_aa, axis=1)) > SAME_PLACE or len(set(order.tolist())) < len(order):
        return None
    return np.asarray(order)
