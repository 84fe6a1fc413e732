"""The polynomial covariance of normalised descriptors and its derivative."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from soso_core.arrays import BoolArray, FloatArray, IntArray
from soso_core.kernels.rows import scale_and_project


@dataclass(frozen=True, eq=False)
class PolynomialCovariance:
    """k(x, x') = (x̂·x̂')^zeta for centres of one species, zero between species; k(x, x) = 1."""

    zeta: int

    def between(self, x_af: FloatArray, species_a: IntArray, x_bf: FloatArray, species_b: IntArray) -> FloatArray:
        """Return k, (a, b).  Rows need not be normalised."""
        cosine_ab = unit_rows(x_af)[0] @ unit_rows(x_bf)[0].T
        return np.where(_same(species_a, species_b), cosine_ab**self.zeta, 0.0)

    def gradient(self, x_af: FloatArray, species_a: IntArray, x_bf: FloatArray, species_b: IntArray) -> FloatArray:
        """Return ∂k(x_a, x_b)/∂x_a, (a, f, b), the normalisation of x_a included."""
        unit_af, length_a = unit_rows(x_af)
        unit_bf, _ = unit_rows(x_bf)
        cosine_ab = unit_af @ unit_bf.T
        slope_ab = np.where(_same(species_a, species_b), self.zeta * cosine_ab ** (self.zeta - 1), 0.0)
        slope_ab /= length_a[:, None]
        along_afb = unit_af[:, :, None] * (slope_ab * cosine_ab)[:, None, :]
        return np.asarray(slope_ab[:, None, :] * unit_bf.T[None, :, :] - along_afb)

    def columns(
        self, x_af: FloatArray, species_a: IntArray, x_bf: FloatArray, species_b: IntArray
    ) -> "CovarianceColumns":
        """Return the columns k(x_a, x_b) for design rows; their gradient (a, f, b) is never formed."""
        unit_af, length_a = unit_rows(x_af)
        unit_bf, _ = unit_rows(x_bf)
        cosine_ab = unit_af @ unit_bf.T
        slope_ab = np.where(_same(species_a, species_b), self.zeta * cosine_ab ** (self.zeta - 1), 0.0)
        slope_ab /= length_a[:, None]
        own = {int(s): np.flatnonzero(species_b == s) for s in np.unique(species_a)}
        own_fb = {s: np.ascontiguousarray(unit_bf[own_b].T) for s, own_b in own.items()}
        return CovarianceColumns(unit_af, species_a, own, own_fb, slope_ab, slope_ab * cosine_ab)

    def weighted_gradient(
        self, x_af: FloatArray, species_a: IntArray, x_bf: FloatArray, species_b: IntArray, weights_b: FloatArray
    ) -> FloatArray:
        """Return Σ_b weights_b ∂k(x_a, x_b)/∂x_a, (a, f), without forming (a, f, b)."""
        unit_af, length_a = unit_rows(x_af)
        unit_bf, _ = unit_rows(x_bf)
        cosine_ab = unit_af @ unit_bf.T
        slope_ab = np.where(_same(species_a, species_b), self.zeta * cosine_ab ** (self.zeta - 1), 0.0) * weights_b
        along_a = np.sum(slope_ab * cosine_ab, axis=1)
        return np.asarray((slope_ab @ unit_bf - along_a[:, None] * unit_af) / length_a[:, None])


@dataclass(frozen=True, eq=False)
class CovarianceColumns:
    """Columns (`descriptors.rows.Columns`) with g_afb = slope_ab x̂_bf - along_ab x̂_af, kept as its factors.

    A centre of species s has columns own_columns[s] only, whose x̂ are own_fb[s] (f, b): the others are not multiplied.
    """

    unit_af: FloatArray
    species_a: IntArray
    own_columns: Mapping[int, IntArray]
    own_fb: Mapping[int, FloatArray]
    slope_ab: FloatArray
    along_ab: FloatArray

    @property
    def n_columns(self) -> int:
        """Number of columns b."""
        return int(self.slope_ab.shape[1])

    def times(self, centre: int, features: slice, jacobian_fd: FloatArray) -> FloatArray:
        """Return Σ_f jacobian_fd g_fb over these features of a centre, (d, b)."""
        rows_db = self._products(int(self.species_a[centre]), features, jacobian_fd)
        move_d = self.unit_af[centre, features] @ jacobian_fd
        scale_and_project(rows_db, self.slope_ab[centre], move_d, self.along_ab[centre])
        return rows_db

    def _products(self, species: int, features: slice, jacobian_fd: FloatArray) -> FloatArray:
        own_db = jacobian_fd.T @ self.own_fb[species][features]
        if own_db.shape[1] == self.n_columns:
            return np.asarray(own_db)
        rows_db = np.zeros((len(own_db), self.n_columns))
        rows_db[:, self.own_columns[species]] = own_db
        return rows_db


def unit_rows(x_af: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return rows divided by their lengths, and the lengths; a zero row stays zero."""
    length_a = np.linalg.norm(x_af, axis=1)
    safe_a = np.where(length_a > 0.0, length_a, 1.0)
    return x_af / safe_a[:, None], safe_a


def _same(species_a: IntArray, species_b: IntArray) -> BoolArray:
    return np.asarray(species_a[:, None] == species_b[None, :])
