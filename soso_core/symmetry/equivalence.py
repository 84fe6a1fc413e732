"""Configurations that are symmetry-equivalent: one energy model cannot distinguish them.

Without spin-orbit coupling an energy depends on distances and on angles between spins only.  It stays the same when
all spins are rotated or reversed, when the crystal is rotated, reflected or shifted, and when like atoms are
renumbered.  A fingerprint has the same invariances.  It consists of sorted lists, which change no more than their
entries do: of weights w(r) of all pairs, of w(r) e_i·e_j, and of the eigenvalues of the matrices
w(r) z_i z_j (1 + s e_i·e_j) with s = 0, 1 and z a number of the species.  The lists detect every displacement and
rotation to first order; the eigenvalues detect how the pairs are connected.  Configurations with the same fingerprint
are compared exactly, by soso_core.symmetry.match.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.neighbours import find_neighbours
from soso_core.symmetry.match import are_equivalent

REACH = 5.5
"""Å; several shells of any crystal.  In larger cells the eigenvalues relate atoms that are farther apart."""
TOLERANCE = 1e-5
"""Of weights between 0 and 1: 1e-4 Å and 1e-5 in a cosine, ten times the rounding of 6 decimals in a file."""


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """The composition, and lists in descending order that symmetry does not change."""

    composition: tuple[int, ...]
    lists: tuple[FloatArray, ...]

    @property
    def bin_index(self) -> int:
        """Index by the largest eigenvalue with spins; it differs by at most one for equal fingerprints."""
        return int(np.floor(float(self.lists[-1][0]) / TOLERANCE))


Firsts = dict[tuple[tuple[int, ...], int], list[tuple[int, Fingerprint]]]
"""The first members of all classes, in bins by composition and `bin_index`."""


def equivalence_classes(configurations: Sequence[Configuration]) -> IntArray:
    """Return the class of every configuration, (k,): the index of its first symmetry-equivalent configuration.

    Raises InputError for atoms that nearly coincide.
    """
    firsts: Firsts = {}
    return np.array([_class_of(k, configurations, firsts) for k in range(len(configurations))], dtype=np.int64)


def _class_of(k: int, configurations: Sequence[Configuration], firsts: Firsts) -> int:
    """Return the first configuration that `k` is equivalent to; without one, add `k` to `firsts`."""
    mine = fingerprint(configurations[k])
    for near in (mine.bin_index - 1, mine.bin_index, mine.bin_index + 1):
        for first, theirs in firsts.get((mine.composition, near), ()):
            if same_fingerprint(mine, theirs) and are_equivalent(configurations[k], configurations[first]):
                return first
    firsts.setdefault((mine.composition, mine.bin_index), []).append((k, mine))
    return k


def fingerprint(configuration: Configuration) -> Fingerprint:
    """Return the fingerprint of a configuration.  Raises InputError for atoms that nearly coincide."""
    near = find_neighbours(configuration, REACH)
    weights_p = (1.0 - (near.distances_p / REACH) ** 2) ** 2
    z_a = 1.0 + 0.01 * configuration.numbers_a
    kinds_p = weights_p * z_a[near.i_p] * z_a[near.j_p] / z_a.max() ** 2
    cosines_p = np.sum(configuration.spins_ac[near.i_p] * configuration.spins_ac[near.j_p], axis=1)
    spectra = []
    for share in (0.0, 1.0):
        matrix_aa = np.zeros((len(configuration), len(configuration)))
        np.add.at(matrix_aa, (near.i_p, near.j_p), kinds_p * (1.0 + share * cosines_p))
        spectra.append(_spectrum(matrix_aa))
    composition = tuple(sorted(configuration.numbers_a.tolist()))
    return Fingerprint(composition, (_descending(kinds_p), _descending(kinds_p * cosines_p), *spectra))


def _spectrum(matrix_aa: FloatArray) -> FloatArray:
    """Return eigenvalues, descending, in units of the largest sum of a row, which bounds them."""
    scale = max(float(np.abs(matrix_aa).sum(axis=1).max()), 1e-300)
    return _descending(np.asarray(np.linalg.eigvalsh(matrix_aa), dtype=np.float64) / scale)


def _descending(values: FloatArray) -> FloatArray:
    return np.asarray(np.sort(values)[::-1])


def same_fingerprint(one: Fingerprint, other: Fingerprint) -> bool:
    """Return whether two fingerprints of one composition agree within the tolerance."""
    return all(_distance(a, b) <= TOLERANCE for a, b in zip(one.lists, other.lists, strict=True))


def _distance(one: FloatArray, other: FloatArray) -> float:
    """Return the largest difference; the lengths of lists differ by pairs at the cutoff, of weight zero."""
    short, long = sorted((one, other), key=len)
    if len(short) < len(long):
        zeros = np.zeros(len(long) - len(short))
        short, long = _descending(np.concatenate([short, zeros])), _descending(long)
    return float(np.max(np.abs(short - long), initial=0.0))
