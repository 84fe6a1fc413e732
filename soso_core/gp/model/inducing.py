"""Inducing points: representative environments of the data, chosen by CUR."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import block_diag

from soso_core.arrays import FloatArray, IntArray
from soso_core.gp.model.covariance import Points, ProductCovariance


@dataclass(frozen=True, eq=False)
class InducingPoints:
    """Environments of the data, and the whitening that makes the weights of each monomial independent.

    `whitening_t` holds a matrix W (b, m_t) for every monomial t with Wᵀ K_t W = 1, so that weights on the columns
    k_t(x, x_b) W have prior δ_t²·1.
    """

    points: Points
    whitening_t: tuple[FloatArray, ...]

    def __len__(self) -> int:
        return len(self.points.x_af)

    @cached_property
    def whitening(self) -> FloatArray:
        """All whitening matrices as one, ([t, b], m)."""
        return np.asarray(block_diag(*self.whitening_t))

    def weights_tb(self, weights_m: FloatArray) -> FloatArray:
        """Return the weights of the columns k_t(x, x_b), (t, b), from those of the whitened columns (m,)."""
        return np.asarray((self.whitening @ weights_m).reshape(len(self.whitening_t), -1))


def choose_inducing_points(
    points: Points, n_points: int, covariance: ProductCovariance, rng: np.random.Generator
) -> InducingPoints:
    """Return at most `n_points` of the environments, drawn by their leverage scores.

    CUR (Mahoney and Drineas, PNAS 106, 697 (2009)): the probability of a row is its squared weight in the
    leading singular vectors of the descriptor matrix; drawn without replacement, species in proportion.
    """
    species_a = points.species_a
    chosen = [
        _draw_by_leverage(points.x_af, np.flatnonzero(species_a == s), n_points, len(species_a), rng)
        for s in np.unique(species_a)
    ]
    index_b = np.concatenate(chosen)
    drawn = Points(points.x_af[index_b], species_a[index_b])
    return InducingPoints(drawn, tuple(compute_whitening(k_bb) for k_bb in covariance.values(drawn, drawn)))


def compute_whitening(k_bb: FloatArray) -> FloatArray:
    """Return W with Wᵀ K W = 1, (b, m); directions below 1e-12 of the largest eigenvalue are rounding noise."""
    values, vectors = np.linalg.eigh(k_bb)
    kept = values > 1e-12 * max(values[-1], 1e-300)
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def _draw_by_leverage(
    x_af: FloatArray, rows: IntArray, n_points: int, n_total: int, rng: np.random.Generator
) -> IntArray:
    n_here = min(len(rows), max(1, round(n_points * len(rows) / n_total)))
    values_g, vectors_fg = np.linalg.eigh(x_af[rows].T @ x_af[rows])
    rank = max(1, min(n_here, int(np.sum(values_g > 1e-14 * values_g[-1]))))
    leading_ag = x_af[rows] @ vectors_fg[:, -rank:] / np.sqrt(np.maximum(values_g[-rank:], 1e-300))
    leverage = np.sum(leading_ag**2, axis=1) + 1e-12
    return np.asarray(rng.choice(rows, size=n_here, replace=False, p=leverage / leverage.sum()))
