"""The covariance of two environments: a sum of monomials of block kernels, each with a prior of its own.

    k_t(x, x') = k_q1 k_q2 ... k_q_zeta,  k_q = x_q · x'_q,  q1 <= q2 <= ... <= q_zeta;  0 between different species

symbol    variable                        meaning
x_q       x_af[:, features[q]]            block q of the features: the pair descriptor, or one channel pair
k_q       s_qab                           kernel of block q between environments a and b, (q, a, b)
t         monomials                       indices of the blocks of each monomial
k_t       ProductCovariance.values        covariance of monomial t, (t, a, b)
∂k_t/∂k_q BlockSlopes.slopes_akb          derivative of the monomials that contain block q, (a, k, b)

(Σ_q k_q)^zeta is the sum of the monomials with their multiplicities.  Here each monomial spans columns of its own, so
that the evidence determines the weight of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels.exact.rows import add_monomial_rows


@dataclass(frozen=True, eq=False)
class Points:
    """Environments: x_af (a, f) and the species index of each, species_a (a,)."""

    x_af: FloatArray
    species_a: IntArray


def join_points(points: Sequence[Points]) -> Points:
    """Return the environments of several sets as one."""
    return Points(np.concatenate([each.x_af for each in points]), np.concatenate([each.species_a for each in points]))


@dataclass(frozen=True, eq=False)
class ProductCovariance:
    """Monomials of degree zeta in the block kernels; `features` has the columns of x of each named block."""

    features: Mapping[str, slice]
    zeta: int

    @cached_property
    def monomials(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the blocks of every monomial t, ascending."""
        return tuple(combinations_with_replacement(range(len(self.features)), self.zeta))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of every monomial."""
        blocks = tuple(self.features)
        return tuple(" ".join(blocks[q] for q in monomial) for monomial in self.monomials)

    def values(self, left: Points, right: Points) -> FloatArray:
        """Return k_t (t, a, b), dimensionless, between the environments a of `left` and b of `right`."""
        s_qab, same_ab = self._block_kernels(left, right)
        return np.array([np.where(same_ab, _product(s_qab, monomial), 0.0) for monomial in self.monomials])

    def columns(self, left: Points, right: Points) -> "ProductColumns":
        """Return the columns k_t(x_a, x_b), in the order [t, b], for design rows."""
        s_qab, same_ab = self._block_kernels(left, right)
        slopes = []
        for q in range(len(self.features)):
            members = [t for t, monomial in enumerate(self.monomials) if q in monomial]
            slopes_kab = [np.where(same_ab, _slope(s_qab, self.monomials[t], q), 0.0) for t in members]
            slopes.append(BlockSlopes(np.array(members), np.stack(slopes_kab, axis=1)))
        return ProductColumns(tuple(self.features.values()), right.x_af, slopes, len(self.monomials))

    def weighted_gradient(self, left: Points, right: Points, weights_tb: FloatArray) -> FloatArray:
        """Return Σ_tb weights_tb ∂k_t(x_a, x_b)/∂x_a, (a, f)."""
        s_qab, same_ab = self._block_kernels(left, right)
        gradient_af = np.zeros_like(left.x_af)
        for q, block in enumerate(self.features.values()):
            slope_ab = np.zeros(same_ab.shape)
            for t, monomial in enumerate(self.monomials):
                if q in monomial:
                    slope_ab += _slope(s_qab, monomial, q) * weights_tb[t]
            gradient_af[:, block] = np.where(same_ab, slope_ab, 0.0) @ right.x_af[:, block]
        return gradient_af

    def _block_kernels(self, left: Points, right: Points) -> tuple[FloatArray, IntArray]:
        """Return the kernels of the blocks, (q, a, b), and which species are equal, (a, b)."""
        same_ab = left.species_a[:, None] == right.species_a[None, :]
        return np.array([left.x_af[:, block] @ right.x_af[:, block].T for block in self.features.values()]), same_ab


@dataclass(frozen=True, eq=False)
class BlockSlopes:
    """∂k_t/∂k_q of one block q, slopes_akb (a, k, b), for the monomials t_k that contain it."""

    t_k: IntArray
    slopes_akb: FloatArray


@dataclass(frozen=True, eq=False)
class ProductColumns:
    """Columns (`descriptors.rows.Columns`) with g = Σ_q slope_{tq,ab} x_bq, kept as its factors.

    `slopes` are those of every block q.
    """

    blocks: Sequence[slice]
    x_bf: FloatArray
    slopes: Sequence[BlockSlopes]
    n_monomials: int

    @property
    def n_columns(self) -> int:
        """Number of columns [t, b]."""
        return self.n_monomials * len(self.x_bf)

    def times(self, centre: int, features: slice, jacobian_fd: FloatArray) -> FloatArray:
        """Return Σ_f jacobian_fd g_f over these features of a centre, (d, [t, b])."""
        n_points = len(self.x_bf)
        rows_dtb = np.zeros((jacobian_fd.shape[1], self.n_monomials, n_points))
        for block, slopes in zip(self.blocks, self.slopes, strict=True):
            shared = slice(max(block.start, features.start), min(block.stop, features.stop))
            if shared.start >= shared.stop:
                continue
            inside = slice(shared.start - features.start, shared.stop - features.start)
            moves_db = jacobian_fd[inside].T @ self.x_bf[:, shared].T
            add_monomial_rows(moves_db, slopes.t_k, slopes.slopes_akb[centre], rows_dtb)
        return rows_dtb.reshape(len(rows_dtb), self.n_columns)


def _product(s_qab: FloatArray, monomial: Sequence[int]) -> FloatArray:
    return np.asarray(np.prod(s_qab[list(monomial)], axis=0))


def _slope(s_qab: FloatArray, monomial: Sequence[int], q: int) -> FloatArray:
    """Return the derivative of a monomial by the kernel of block q."""
    rest = list(monomial)
    rest.remove(q)
    return monomial.count(q) * _product(s_qab, rest)
