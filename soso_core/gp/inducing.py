"""Inducing points: a few of the environments met, chosen by CUR."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.gp.covariance import PolynomialCovariance, unit_rows


@dataclass(frozen=True, eq=False)
class InducingPoints:
    """Normalised descriptors x_bf (b, f), their species indices, and the whitening that makes weights independent.

    `whitening_bm` satisfies Wᵀ K_bb W = 1, so weights on the columns k(x, x_b) W have prior δ²·1.
    """

    x_bf: FloatArray
    species_b: IntArray
    whitening_bm: FloatArray

    def __len__(self) -> int:
        return len(self.x_bf)


def choose_inducing_points(
    x_af: FloatArray, species_a: IntArray, n_points: int, covariance: PolynomialCovariance, rng: np.random.Generator
) -> InducingPoints:
    """Return at most `n_points` environments out of x_af, drawn by their leverage scores.

    CUR (Mahoney and Drineas, PNAS 106, 697 (2009)): the probability of a row is its squared weight in the
    leading singular vectors of the descriptor matrix; drawn without replacement, species in proportion.
    """
    unit_af, _ = unit_rows(x_af)
    chosen = [
        _draw_by_leverage(unit_af, np.flatnonzero(species_a == s), n_points, len(x_af), rng)
        for s in np.unique(species_a)
    ]
    index_b = np.concatenate(chosen)
    x_bf, species_b = unit_af[index_b], species_a[index_b]
    return InducingPoints(x_bf, species_b, whitening(covariance.between(x_bf, species_b, x_bf, species_b)))


def whitening(k_bb: FloatArray) -> FloatArray:
    """Return W with Wᵀ K W = 1, (b, m); directions below 1e-12 of the largest eigenvalue are rounding noise."""
    values, vectors = np.linalg.eigh(k_bb)
    kept = values > 1e-12 * values[-1]
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def _draw_by_leverage(
    unit_af: FloatArray, rows: IntArray, n_points: int, n_total: int, rng: np.random.Generator
) -> IntArray:
    n_here = min(len(rows), max(1, round(n_points * len(rows) / n_total)))
    left, singular, _ = np.linalg.svd(unit_af[rows], full_matrices=False)
    rank = max(1, min(n_here, int(np.sum(singular > 1e-8 * singular[0]))))
    leverage = np.sum(left[:, :rank] ** 2, axis=1) + 1e-12
    return np.asarray(rng.choice(rows, size=n_here, replace=False, p=leverage / leverage.sum()))
