"""Normal equations of one target: everything the evidence and the posterior need of the data."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Sums over the rows of one target (energies, fields): Φᵀ Φ (m, m), Φᵀ y (m,), yᵀ y, number of rows."""

    gram_mm: FloatArray
    projection_m: FloatArray
    square: float
    n_rows: int

    @classmethod
    def from_rows(cls, rows_km: FloatArray, targets_k: FloatArray) -> "NormalEquations":
        """Return the sums over rows k."""
        return cls(rows_km.T @ rows_km, rows_km.T @ targets_k, float(targets_k @ targets_k), len(targets_k))

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        return NormalEquations(
            self.gram_mm + other.gram_mm,
            self.projection_m + other.projection_m,
            self.square + other.square,
            self.n_rows + other.n_rows,
        )

    def restricted(self, columns: IntArray) -> "NormalEquations":
        """Return the sums for a selection of columns."""
        return NormalEquations(
            self.gram_mm[np.ix_(columns, columns)], self.projection_m[columns], self.square, self.n_rows
        )

    def misfit(self, weights_m: FloatArray) -> float:
        """Return |y - Φ w|², never below zero by rounding."""
        value = self.square - 2.0 * weights_m @ self.projection_m + weights_m @ self.gram_mm @ weights_m
        return max(float(value), 0.0)
