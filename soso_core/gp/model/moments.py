"""Model moment magnitudes: a second output, linear in the columns of the same basis, atom by atom."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from soso_core.arrays import FloatArray
from soso_core.gp.model.hyperparameters import MOMENT, Hyperparameters


@dataclass(frozen=True, eq=False)
class MomentModel:
    """|m_i| = mean of the species + sites_m · w: weights_m (m,) μB, cholesky_mm factor of their precision."""

    weights_m: FloatArray
    cholesky_mm: FloatArray
    hyperparameters: Hyperparameters

    def predict(
        self, sites_am: FloatArray, means_a: FloatArray, noise_factor: float = 1.0
    ) -> tuple[FloatArray, FloatArray]:
        """Return magnitudes and standard deviations of new labels, each (a,) μB, from the rows of each atom."""
        half_ma = solve_triangular(self.cholesky_mm, sites_am.T, lower=True)
        variance_a = np.sum(half_ma**2, axis=0) + (noise_factor * self.hyperparameters.noise[MOMENT]) ** 2
        return means_a + sites_am @ self.weights_m, np.sqrt(variance_a)
