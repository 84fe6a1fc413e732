"""Normal equations of one target: the sums over the data from which evidence and posterior are computed."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from soso_core.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Sums over the rows of one target: gram_mm Φᵀ Φ (m, m), projection_m Φᵀ y (m,), yty yᵀ y, number of rows.

    Rows and values of a label whose noise is s times that of the best are divided by s.  `effective_count` is Σ 1/s²,
    the number of rows weighted by their inverse variance; means over rows are sums over it.  `log_factors` is Σ log s,
    by which the log density of the labels is smaller than that of the divided ones.
    """

    gram_mm: FloatArray
    projection_m: FloatArray
    yty: float
    n_rows: int
    effective_count: float
    log_factors: float

    @classmethod
    def from_rows(
        cls, rows_km: FloatArray, targets_k: FloatArray, factors_k: FloatArray | None = None
    ) -> "NormalEquations":
        """Return the sums over rows k, which are divided already by the factors on their noise (None: all 1)."""
        factors_k = np.ones(len(targets_k)) if factors_k is None else factors_k
        products = (rows_km.T @ rows_km, rows_km.T @ targets_k, float(targets_k @ targets_k))
        return cls(*products, len(targets_k), float(np.sum(factors_k**-2.0)), float(np.sum(np.log(factors_k))))

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        return NormalEquations(*(mine + more for mine, more in zip(self._sums, other._sums, strict=True)))

    def __sub__(self, other: "NormalEquations") -> "NormalEquations":
        """Return the sums without rows that are among them."""
        return NormalEquations(*(mine - less for mine, less in zip(self._sums, other._sums, strict=True)))

    @property
    def _sums(self) -> tuple[Any, ...]:
        return tuple(getattr(self, each.name) for each in fields(self))

    def restrict(self, n_columns: int) -> "NormalEquations":
        """Return the sums for the first columns only."""
        gram_mm = np.ascontiguousarray(self.gram_mm[:n_columns, :n_columns])
        return replace(self, gram_mm=gram_mm, projection_m=self.projection_m[:n_columns])
