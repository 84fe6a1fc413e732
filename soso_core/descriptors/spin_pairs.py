"""SpinPairs and ImagePairs: the pairs of a configuration with the periodic images of each pair grouped."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.descriptors.radial_basis import RadialBasis
from soso_core.kernels.exact.legendre import legendre
from soso_core.kernels.exact.pair_density import sum_images
from soso_core.kernels.exact.three_body import PairGroups
from soso_core.neighbours import Neighbours


@dataclass(frozen=True, eq=False)
class SpinPairs:
    """Pairs (i, j) with summed radial functions and Legendre polynomials of the angle between their spins.

    Images of one pair share their spins, so their radial functions are added first: a 16-atom cell has
    some 1900 pairs within 7 Å and only 256 of these.

    Attributes: i_p, j_p, s_p (p,) centre, neighbour, species index of the neighbour; h_pn (p, n);
    values_pl, slopes_pl (p, l) P_λ and P'_λ, zero for λ > 0 unless both atoms carry a spin.
    """

    i_p: IntArray
    j_p: IntArray
    s_p: IntArray
    h_pn: FloatArray
    values_pl: FloatArray
    slopes_pl: FloatArray


@dataclass(frozen=True, eq=False)
class ImagePairs:
    """Pairs p sorted by (i, j) and their groups q of periodic images, which share spins and species.

    vectors_pc (p, c) Å, distances_p (p,) Å; group q is pairs starts_q[q]:starts_q[q + 1], with centre,
    neighbour and species index of the neighbour i_q, j_q, s_q.  Groups of centre i are offsets_a[i]:offsets_a[i + 1].
    """

    vectors_pc: FloatArray
    distances_p: FloatArray
    starts_q: IntArray
    i_q: IntArray
    j_q: IntArray
    s_q: IntArray
    offsets_a: IntArray

    @property
    def groups(self) -> PairGroups:
        """The groups as the kernels take them."""
        return PairGroups(self.starts_q, self.i_q, self.j_q, self.s_q)

    def sum_radial(self, basis: RadialBasis) -> FloatArray:
        """Return the radial functions summed over the images of every group, (q, n)."""
        return sum_images(self.starts_q, basis.evaluate(self.distances_p)[0])

    @classmethod
    def of(cls, neighbours: Neighbours, species_a: IntArray) -> "ImagePairs":
        """Return the groups of a neighbour list."""
        n_atoms = len(species_a)
        key_p = neighbours.i_p * n_atoms + neighbours.j_p
        order_p = np.argsort(key_p, kind="stable")
        key_p = key_p[order_p]
        first_q = np.flatnonzero(np.diff(key_p, prepend=-1))
        i_q, j_q = (part.astype(np.int64) for part in np.divmod(key_p[first_q], n_atoms))
        return cls(
            np.ascontiguousarray(neighbours.vectors_pc[order_p]),
            np.ascontiguousarray(neighbours.distances_p[order_p]),
            np.append(first_q, len(key_p)).astype(np.int64),
            i_q,
            j_q,
            species_a[j_q],
            np.searchsorted(i_q, np.arange(n_atoms + 1)).astype(np.int64),
        )


def neighbours_within(neighbours: Neighbours, cutoff: float) -> Neighbours:
    """Return the pairs of a longer list that are within `cutoff` (Å)."""
    keep_p = neighbours.distances_p < cutoff
    i_p = neighbours.i_p[keep_p]
    offsets_a = np.searchsorted(i_p, np.arange(len(neighbours.offsets_a))).astype(np.int64)
    return Neighbours(
        i_p,
        neighbours.j_p[keep_p],
        np.ascontiguousarray(neighbours.vectors_pc[keep_p]),
        np.ascontiguousarray(neighbours.distances_p[keep_p]),
        offsets_a,
        cutoff,
    )


def pair_legendre(
    configuration: Configuration, i_p: IntArray, j_p: IntArray, lambda_max: int
) -> tuple[FloatArray, FloatArray]:
    """Return P_λ(e_i·e_j) and P'_λ, (p, l); λ > 0 is zero unless both atoms carry a spin."""
    e_ac = configuration.spins_ac
    values_pl, slopes_pl = legendre(np.sum(e_ac[i_p] * e_ac[j_p], axis=1), lambda_max)
    bare_p = ~(configuration.is_magnetic_a[i_p] & configuration.is_magnetic_a[j_p])
    values_pl[bare_p, 1:] = 0.0
    slopes_pl[bare_p, 1:] = 0.0
    return values_pl, slopes_pl


def merge_images(
    configuration: Configuration, neighbours: Neighbours, species_a: IntArray, basis: RadialBasis, lambda_max: int
) -> SpinPairs:
    """Return the spin pairs of a configuration for one radial basis (neighbours within its cutoff)."""
    pairs = ImagePairs.of(neighbours, species_a)
    values_ql, slopes_ql = pair_legendre(configuration, pairs.i_q, pairs.j_q, lambda_max)
    return SpinPairs(pairs.i_q, pairs.j_q, pairs.s_q, pairs.sum_radial(basis), values_ql, slopes_ql)
