"""Normal equations of one target: everything the evidence and the posterior need of the data."""

from dataclasses import dataclass, replace

import numpy as np

from soso_core.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Sums over the rows of one target (energies, fields): Φᵀ Φ (m, m), Φᵀ y (m,), yᵀ y, number of rows.

    Rows and values of a label whose noise is s times that of the best are divided by s.  `weight` is Σ 1/s², how many
    rows of the best labels these are worth (None: as many as there are), `log_factors` Σ log s, what the density of
    the labels is smaller by than that of the divided ones.
    """

    gram_mm: FloatArray
    projection_m: FloatArray
    square: float
    n_rows: int
    weight: float | None = None
    log_factors: float = 0.0

    @classmethod
    def from_rows(
        cls, rows_km: FloatArray, targets_k: FloatArray, factors_k: FloatArray | None = None
    ) -> "NormalEquations":
        """Return the sums over rows k, which are divided already by the factors on their noise (None: all 1)."""
        weight = None if factors_k is None else float(np.sum(factors_k**-2.0))
        log_factors = 0.0 if factors_k is None else float(np.sum(np.log(factors_k)))
        products = (rows_km.T @ rows_km, rows_km.T @ targets_k, float(targets_k @ targets_k))
        return cls(*products, len(targets_k), weight, log_factors)

    @property
    def worth(self) -> float:
        """How many rows of the best labels these are worth; means over rows are sums over this."""
        return float(self.n_rows) if self.weight is None else self.weight

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        return NormalEquations(
            self.gram_mm + other.gram_mm,
            self.projection_m + other.projection_m,
            self.square + other.square,
            self.n_rows + other.n_rows,
            None if self.weight is other.weight is None else self.worth + other.worth,
            self.log_factors + other.log_factors,
        )

    def __sub__(self, other: "NormalEquations") -> "NormalEquations":
        """Return the sums without rows that are among them."""
        return NormalEquations(
            self.gram_mm - other.gram_mm,
            self.projection_m - other.projection_m,
            self.square - other.square,
            self.n_rows - other.n_rows,
            None if self.weight is other.weight is None else self.worth - other.worth,
            self.log_factors - other.log_factors,
        )

    def restricted(self, columns: IntArray) -> "NormalEquations":
        """Return the sums for a selection of columns."""
        return replace(self, gram_mm=self.gram_mm[np.ix_(columns, columns)], projection_m=self.projection_m[columns])

    def misfit(self, weights_m: FloatArray) -> float:
        """Return |y - Φ w|², never below zero by rounding."""
        value = self.square - 2.0 * weights_m @ self.projection_m + weights_m @ self.gram_mm @ weights_m
        return max(float(value), 0.0)
