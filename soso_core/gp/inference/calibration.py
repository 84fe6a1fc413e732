"""Calibration factors on predicted standard deviations, estimated from held-out errors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.linalg import eigh, solve_triangular
from scipy.special import ndtri, stdtrit  # scipy.stats takes half a second to import, in every job

from soso_core.arrays import FloatArray
from soso_core.gp.inference.targets import Rows
from soso_core.gp.model.hyperparameters import Hyperparameters

CONFIDENCE = 0.9
"""Share of the errors inside the interval that the calibration makes true."""
PRIOR_COUNT = 5.0
"""Weight of the prior on a calibration factor of 1, in number of errors."""
MIN_FACTOR, MAX_FACTOR = 0.2, 5.0
"""Limits of a calibration factor; beyond them the model, not its deviation, is wrong."""
LEVELS = np.arange(0.05, 1.0, 0.05)
"""Expected coverages of a reliability curve."""


def calibration_factor(z_k: FloatArray) -> float:
    """Return the factor on standard deviations with which 90 % of the errors z = error / deviation are inside."""
    if not len(z_k):
        return 1.0
    quantile = float(np.quantile(np.abs(z_k), CONFIDENCE)) / ndtri(0.5 + 0.5 * CONFIDENCE)
    n = len(z_k)
    return float(np.clip(np.sqrt((n * quantile**2 + PRIOR_COUNT) / (n + PRIOR_COUNT)), MIN_FACTOR, MAX_FACTOR))


def reliability(z_k: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return expected and observed coverage, each (level,): the share of |z| within the central interval."""
    bounds = ndtri(0.5 + 0.5 * LEVELS)
    return LEVELS, np.array([np.mean(np.abs(z_k) <= bound) for bound in bounds])


def left_out_errors(
    rows: Rows, weights_m: FloatArray, cholesky_mm: FloatArray, hyperparameters: Hyperparameters
) -> dict[str, FloatArray]:
    """Return error / deviation of every label of one configuration when it is left out; hyperparameters are kept.

    With rows and values in units of the noise, H = Φ A⁻¹ Φᵀ and residuals r, the errors left out are (1-H)⁻¹ r and
    their covariance (1-H)⁻¹, noise included: a block form of the classical leave-one-out identity (Rasmussen and
    Williams, Gaussian Processes for Machine Learning, section 5.4.2).
    """
    stacked = [
        (hyperparameters.factor(t) * rows_km / hyperparameters.noise[t], y_k / hyperparameters.noise[t])
        for t, (rows_km, y_k) in rows.items()
    ]
    phi_km, y_k = (np.concatenate(parts) for parts in zip(*stacked, strict=True))
    half_mk = solve_triangular(cholesky_mm, phi_km.T, lower=True)
    left_g, vectors_kg = eigh(np.eye(len(y_k)) - half_mk.T @ half_mk)
    inverse_kk = (vectors_kg / np.maximum(left_g, 1e-10)) @ vectors_kg.T
    z_k = inverse_kk @ (y_k - phi_km @ weights_m) / np.sqrt(np.diag(inverse_kk))
    ends = np.cumsum([len(values) for _, values in rows.values()])
    return dict(zip(rows, np.split(z_k, ends[:-1]), strict=True))


def calibration_factors(errors: Iterable[Mapping[str, FloatArray]]) -> dict[str, float]:
    """Return the calibration factor of every target from the errors of several configurations left out of one fit.

    The hyperparameters were fitted to the same n configurations, which has two consequences.  Errors over a deviation
    that was estimated from n of them follow Student's t, which has a wider interval than the normal distribution.  They
    are slightly too small, so no factor is below 1 here; a blind test may give one.
    """
    pooled: dict[str, list[FloatArray]] = {}
    for each in errors:
        for target, z_k in each.items():
            pooled.setdefault(target, []).append(z_k)
    return {
        target: max(calibration_factor(np.concatenate(parts)), 1.0) * _students(len(parts))
        for target, parts in pooled.items()
    }


def _students(n_configurations: int) -> float:
    """Return how much wider the interval of Student's t is than the normal one."""
    level = 0.5 + 0.5 * CONFIDENCE
    return min(float(stdtrit(max(n_configurations - 1, 1), level) / ndtri(level)), 2.0)


def pick_evenly(items: Sequence[Any], n_most: int) -> list[Any]:
    """Return at most n_most of the items, evenly spaced."""
    return [items[int(k)] for k in np.unique(np.linspace(0, len(items) - 1, min(n_most, len(items))).round())]
