"""How well a model predicts each configuration from all the others, in closed form.

For a linear Gaussian model, with rows and residuals of configuration k divided by their noise,
R = Φ_k A⁻¹ Φ_kᵀ and r = y_k - Φ_k w, leaving k out gives the residual (1-R)⁻¹ r with covariance
(1-R)⁻¹ (the block form of Rasmussen and Williams, Gaussian Processes for Machine Learning, eq. 5.10-5.12).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from soso_core.arrays import FloatArray
from soso_core.gp.evidence import Scales

TargetRows = Mapping[str, tuple[FloatArray, FloatArray]]
"""Rows (k, m) and values (k,) of each target of one configuration."""


def leave_one_out_log_density(
    configurations: Sequence[TargetRows], weights_m: FloatArray, lower_mm: FloatArray, scales: Scales
) -> float:
    """Return Σ_k log p(labels of k | labels of the others)."""
    return sum(_log_density(item, weights_m, lower_mm, scales) for item in configurations if item)


def _log_density(item: TargetRows, weights_m: FloatArray, lower_mm: FloatArray, scales: Scales) -> float:
    rows_km = np.concatenate([rows / scales.noise[target] for target, (rows, _) in item.items()])
    values_k = np.concatenate([values / scales.noise[target] for target, (_, values) in item.items()])
    noise_k = np.concatenate([np.full(len(values), scales.noise[target]) for target, (_, values) in item.items()])
    half_mk = solve_triangular(lower_mm, rows_km.T, lower=True)
    kept_kk = cholesky(np.eye(len(values_k)) - half_mk.T @ half_mk + 1e-12 * np.eye(len(values_k)), lower=True)
    residual_k = values_k - rows_km @ weights_m
    misfit = float(residual_k @ cho_solve((kept_kk, True), residual_k))
    spread = float(np.sum(np.log(np.diag(kept_kk))) - np.sum(np.log(noise_k)))
    return spread - 0.5 * misfit - 0.5 * len(values_k) * float(np.log(2.0 * np.pi))
