"""Noise and prior scales by evidence maximisation, with analytic gradients.

Bayesian linear regression y_t = Φ_t w + noise σ_t, w_c ~ N(0, δ_block²).  With A = Λ + Σ_t Φ_tᵀΦ_t/σ_t²,
w = A⁻¹ Σ_t Φ_tᵀy_t/σ_t²:

    -2 log p(y) = Σ_t [n_t log 2πσ_t² + |y_t - Φ_t w|²/σ_t²] + wᵀΛw + log|A| - log|Λ|

(MacKay, Neural Computation 4, 415 (1992); Bishop, PRML, section 3.5).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

from soso_core.arrays import FloatArray
from soso_core.gp.normal_equations import NormalEquations

LOG_WIDTH = 2.0
"""A scale is expected within a factor exp(2) of its centre."""


@dataclass(frozen=True, eq=False)
class Scales:
    """Prior standard deviation of each block and noise standard deviation of each target (eV)."""

    prior: Mapping[str, float]
    noise: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Hyperprior:
    """A Gaussian belief in the logarithm of each scale: its centre, and how sure; keeps few data from extremes.

    `log_width` holds the widths (by block or target) that differ from LOG_WIDTH.
    """

    centre: Scales
    log_width: Mapping[str, float] = field(default_factory=dict)


def posterior(
    equations: Mapping[str, NormalEquations], blocks: Mapping[str, slice], scales: Scales
) -> tuple[FloatArray, FloatArray]:
    """Return the mean weights (m,) and the lower Cholesky factor (m, m) of the posterior precision.

    Solved for w/δ, whose precision 1 + δ Φᵀ Φ δ/σ² has no eigenvalue below 1.
    """
    prior_m = _prior_deviation(blocks, scales)
    a_mm, b_m = np.eye(len(prior_m)), np.zeros(len(prior_m))
    for target, equation in equations.items():
        a_mm += prior_m[:, None] * equation.gram_mm * prior_m / scales.noise[target] ** 2
        b_m += prior_m * equation.projection_m / scales.noise[target] ** 2
    lower_mm = cholesky(a_mm, lower=True)
    return prior_m * cho_solve((lower_mm, True), b_m), lower_mm / prior_m[:, None]


def log_evidence(
    equations: Mapping[str, NormalEquations], blocks: Mapping[str, slice], scales: Scales
) -> tuple[float, Scales]:
    """Return log p(y) and its derivatives by the logarithm of every scale."""
    precision_m = _prior_deviation(blocks, scales) ** -2.0
    weights_m, lower_mm = posterior(equations, blocks, scales)
    covariance_mm = cho_solve((lower_mm, True), np.eye(len(weights_m)))
    value = -np.sum(np.log(np.diag(lower_mm))) + 0.5 * np.sum(np.log(precision_m))
    value -= 0.5 * float(weights_m @ (precision_m * weights_m))
    noise_slopes = {}
    for target, equation in equations.items():
        variance = scales.noise[target] ** 2
        misfit = equation.misfit(weights_m)
        value -= 0.5 * (equation.n_rows * np.log(2.0 * np.pi * variance) + misfit / variance)
        noise_slopes[target] = (misfit + np.sum(covariance_mm * equation.gram_mm)) / variance - equation.n_rows
    spread_m = (weights_m**2 + np.diag(covariance_mm)) * precision_m
    prior_slopes = {name: float(np.sum(spread_m[block] - 1.0)) for name, block in blocks.items()}
    return float(value), Scales(prior_slopes, {name: float(slope) for name, slope in noise_slopes.items()})


def maximise_evidence(
    equations: Mapping[str, NormalEquations],
    blocks: Mapping[str, slice],
    hyperprior: Hyperprior,
    fixed: frozenset[str] = frozenset(),
) -> Scales:
    """Return the scales of highest evidence times hyperprior; blocks in `fixed` keep the hyperprior's centre."""
    prior_names = [name for name in blocks if name not in fixed]
    noise_names = list(equations)
    centre_k = np.log(
        [hyperprior.centre.prior[n] for n in prior_names] + [hyperprior.centre.noise[n] for n in noise_names]
    )
    width_k = np.array([hyperprior.log_width.get(name, LOG_WIDTH) for name in (*prior_names, *noise_names)])

    def scales_at(log_k: FloatArray) -> Scales:
        values = np.exp(log_k).tolist()
        prior = dict(hyperprior.centre.prior) | dict(zip(prior_names, values, strict=False))
        return Scales(prior, dict(zip(noise_names, values[len(prior_names) :], strict=True)))

    def objective(log_k: FloatArray) -> tuple[float, FloatArray]:
        value, slopes = log_evidence(equations, blocks, scales_at(log_k))
        slope_k = np.array([slopes.prior[n] for n in prior_names] + [slopes.noise[n] for n in noise_names])
        offset_k = (log_k - centre_k) / width_k
        return -value + 0.5 * float(offset_k @ offset_k), -slope_k + offset_k / width_k

    bounds = list(zip(centre_k - 3.0 * width_k, centre_k + 3.0 * width_k, strict=True))
    best = minimize(objective, centre_k, jac=True, method="L-BFGS-B", bounds=bounds)
    return scales_at(best.x)


def _prior_deviation(blocks: Mapping[str, slice], scales: Scales) -> FloatArray:
    deviation_m = np.zeros(max(block.stop for block in blocks.values()))
    for name, block in blocks.items():
        deviation_m[block] = scales.prior[name]
    return deviation_m
