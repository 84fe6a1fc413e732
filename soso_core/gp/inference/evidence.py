"""Hyperparameters by maximising the evidence (marginal likelihood), with analytic gradients.

The model is Bayesian linear regression: y_t = f_t Φ_t w + noise σ_t for every target t, w_c ~ N(0, δ_block²).
With A = Λ + Σ_t f_t² Φ_tᵀΦ_t/σ_t² and w = A⁻¹ Σ_t f_t Φ_tᵀy_t/σ_t²:

    -2 log p(y) = Σ_t [n_t log 2πσ_t² + |y_t - f_t Φ_t w|²/σ_t²] + wᵀΛw + log|A| - log|Λ|

symbol         variable                         meaning
ΦᵀΦ, Φᵀy, yᵀy  gram_mm, projection_m, yty       sums over the rows of one target (`NormalEquations`)
σ_t, δ_block   noise, prior                     noise of a target, prior width of a block (`Hyperparameters`)
f_t            Hyperparameters.factor(target)   1/c for fields, 1 for all other targets; c is `field_scale`
w, A = L Lᵀ    weights_m, cholesky_mm = L       posterior mean of the weights and their posterior precision

Rows of a label whose noise is s times σ_t are divided by s, and Σ log s (`log_factors`) is subtracted.

The functions take `equations`, the normal equations of every target over the same m columns; `blocks`, name and
columns of every block with a prior width; and `hyperparameters`, in eV, eV/Å or μB.  Energies enter per √spin and
stresses per √atom, see `targets.compute_rows`.

Source: MacKay, Neural Computation 4, 415 (1992); Bishop, Pattern Recognition and Machine Learning, section 3.5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from soso_core.arrays import FloatArray
from soso_core.gp.model.hyperparameters import Hyperparameters
from soso_core.gp.model.normal_equations import NormalEquations

LOG_WIDTH = 2.0
"""A hyperparameter is expected within a factor exp(2) of its centre."""
FIELD_SCALE = "field scale"
FIELD_SCALE_WIDTH = 0.05
"""Labels' fields are expected to agree with their energies within 5 %: most public sets do (1.0 to 1.1)."""
FTOL = 1e-6
"""Relative change of the log evidence at which the search ends; measured: a few tenths below the maximum."""
JITTER = 1e-14
"""Largest rounding error of the Gram matrix, relative to its diagonal and the number of columns."""
CURVATURE_STEP = 1e-3
"""In the logarithm of a hyperparameter; the error of the differences is of the order of its square."""


@dataclass(frozen=True, eq=False)
class Hyperprior:
    """A Gaussian on the logarithm of each hyperparameter; it keeps few data from extreme values.

    `log_width` holds the widths (by block or target) that differ from LOG_WIDTH.
    """

    centre: Hyperparameters
    log_width: Mapping[str, float] = field(default_factory=dict)

    def width(self, name: str) -> float:
        """Return the width of the Gaussian of one hyperparameter."""
        return self.log_width.get(name, FIELD_SCALE_WIDTH if name == FIELD_SCALE else LOG_WIDTH)


@dataclass(frozen=True, eq=False)
class EvidenceMaximum:
    """Hyperparameters of highest evidence times hyperprior, and the log of that product, up to a constant."""

    hyperparameters: Hyperparameters
    log_evidence: float


def posterior(
    equations: Mapping[str, NormalEquations], blocks: Mapping[str, slice], hyperparameters: Hyperparameters
) -> tuple[FloatArray, FloatArray]:
    """Return the mean weights (m,) and the lower Cholesky factor (m, m) of the posterior precision.

    The system is solved for w/δ, whose precision 1 + δ Φᵀ Φ δ/σ² has no eigenvalue below 1.
    """
    prior_m = _prior_deviation(blocks, hyperparameters)
    cholesky_mm, b_m = _scaled_system(equations, prior_m, hyperparameters)
    return prior_m * cho_solve((cholesky_mm, True), b_m), cholesky_mm / prior_m[:, None]


def log_evidence(
    equations: Mapping[str, NormalEquations], blocks: Mapping[str, slice], hyperparameters: Hyperparameters
) -> tuple[float, Hyperparameters]:
    """Return log p(y) and its derivatives with respect to the logarithms of all hyperparameters."""
    prior_m = _prior_deviation(blocks, hyperparameters)
    cholesky_mm, b_m = _scaled_system(equations, prior_m, hyperparameters)
    scaled_m = cho_solve((cholesky_mm, True), b_m)
    weights_m, inverse_mm = prior_m * scaled_m, _inverse(cholesky_mm)
    covariance_mm = inverse_mm * (prior_m[:, None] * prior_m)
    value = -float(np.sum(np.log(np.diag(cholesky_mm)))) - 0.5 * float(scaled_m @ scaled_m)
    noise_slopes, field_slope = {}, 0.0
    for target, equation in equations.items():
        variance, factor = hyperparameters.noise[target] ** 2, hyperparameters.factor(target)
        along = factor * float(weights_m @ equation.projection_m)
        inside = factor**2 * float(weights_m @ equation.gram_mm @ weights_m)
        spread = factor**2 * float(np.vdot(covariance_mm, equation.gram_mm))
        misfit = max(equation.yty - 2.0 * along + inside, 0.0)
        value -= 0.5 * (equation.n_rows * np.log(2.0 * np.pi * variance) + misfit / variance) + equation.log_factors
        noise_slopes[target] = (misfit + spread) / variance - equation.n_rows
        if target == "field":
            field_slope = (inside + spread - along) / variance
    spread_m = scaled_m**2 + np.diag(inverse_mm)
    prior_slopes = {name: float(np.sum(spread_m[block] - 1.0)) for name, block in blocks.items()}
    return value, Hyperparameters(prior_slopes, noise_slopes, field_slope)


def maximise_evidence(
    equations: Mapping[str, NormalEquations],
    blocks: Mapping[str, slice],
    hyperprior: Hyperprior,
    fixed: frozenset[str] = frozenset(),
    start: Hyperparameters | None = None,
) -> EvidenceMaximum:
    """Return the hyperparameters of highest evidence times hyperprior.

    Parameters: `fixed`, blocks that keep the centre of the hyperprior; `start`, where the search begins (None: at the
    centre); the result for similar data saves most of the search.  The field scale is free when there are both
    energies and fields.  Returns: the hyperparameters, and the logarithm of the product up to a constant.
    """
    names = list_free(equations, blocks, fixed)
    centre = hyperprior.centre
    centre_k = np.log(_pick(centre, names))
    width_k = np.array([hyperprior.width(name) for name in names])

    def objective(log_k: FloatArray) -> tuple[float, FloatArray]:
        value, slopes = log_evidence(equations, blocks, _replace(centre, names, log_k))
        offset_k = (log_k - centre_k) / width_k
        return -value + 0.5 * float(offset_k @ offset_k), -_pick(slopes, names) + offset_k / width_k

    bounds = list(zip(centre_k - 3.0 * width_k, centre_k + 3.0 * width_k, strict=True))
    first_k = centre_k if start is None else np.clip(np.log(_pick(start, names)), *np.transpose(bounds))
    best = minimize(objective, first_k, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": FTOL})
    return EvidenceMaximum(_replace(centre, names, best.x), -float(best.fun))


def list_free(
    equations: Mapping[str, NormalEquations], blocks: Mapping[str, slice], fixed: frozenset[str] = frozenset()
) -> list[str]:
    """Return the names of the free hyperparameters: blocks, targets, and last the field scale."""
    names = [name for name in blocks if name not in fixed] + list(equations)
    return names + ([FIELD_SCALE] if {"energy", "field"} <= equations.keys() else [])


def slopes_of(
    equations: Mapping[str, NormalEquations],
    blocks: Mapping[str, slice],
    hyperparameters: Hyperparameters,
    names: Sequence[str],
) -> FloatArray:
    """Return the derivatives of log p(y) with respect to the logarithms of the named hyperparameters, (k,)."""
    return _pick(log_evidence(equations, blocks, hyperparameters)[1], names)


def curvature(
    equations: Mapping[str, NormalEquations],
    blocks: Mapping[str, slice],
    hyperprior: Hyperprior,
    hyperparameters: Hyperparameters,
    names: Sequence[str],
) -> FloatArray:
    """Return minus the second derivatives of log evidence plus log hyperprior, (k, k), by central differences.

    The variables are the logarithms of the named hyperparameters; the inverse is their covariance in Laplace's
    approximation.
    """
    at_k = np.log(_pick(hyperparameters, names))
    change_kk = [
        slopes_of(equations, blocks, _replace(hyperparameters, names, at_k + step_k), names)
        - slopes_of(equations, blocks, _replace(hyperparameters, names, at_k - step_k), names)
        for step_k in CURVATURE_STEP * np.eye(len(names))
    ]
    second_kk = np.array(change_kk) / (2.0 * CURVATURE_STEP)
    return np.diag([hyperprior.width(name) ** -2.0 for name in names]) - 0.5 * (second_kk + second_kk.T)


def _pick(hyperparameters: Hyperparameters, names: Sequence[str]) -> FloatArray:
    given = {**hyperparameters.prior, **hyperparameters.noise, FIELD_SCALE: hyperparameters.field_scale}
    return np.array([given[name] for name in names])


def _replace(hyperparameters: Hyperparameters, names: Sequence[str], log_k: FloatArray) -> Hyperparameters:
    """Return the hyperparameters with the named ones set to exp(log_k)."""
    new = dict(zip(names, np.exp(log_k).tolist(), strict=True))
    prior, noise = (
        {name: new.get(name, value) for name, value in old.items()}
        for old in (hyperparameters.prior, hyperparameters.noise)
    )
    return Hyperparameters(prior, noise, new.get(FIELD_SCALE, hyperparameters.field_scale))


def _scaled_system(
    equations: Mapping[str, NormalEquations], prior_m: FloatArray, hyperparameters: Hyperparameters
) -> tuple[FloatArray, FloatArray]:
    """Return the Cholesky factor of 1 + Σ f² δ ΦᵀΦ δ/σ² and Σ f δ Φᵀy/σ²."""
    a_mm, b_m = np.zeros((len(prior_m), len(prior_m))), np.zeros(len(prior_m))
    for target, equation in equations.items():
        weight, factor = hyperparameters.noise[target] ** -2.0, hyperparameters.factor(target)
        a_mm += (factor**2 * weight) * equation.gram_mm
        b_m += (factor * weight) * equation.projection_m
    a_mm *= prior_m[:, None] * prior_m
    diagonal_m = np.diag(a_mm)
    a_mm[np.diag_indices(len(prior_m))] += 1.0 + JITTER * len(prior_m) * diagonal_m
    return cholesky(a_mm, lower=True, overwrite_a=True, check_finite=False), prior_m * b_m


def _inverse(cholesky_mm: FloatArray) -> FloatArray:
    """Return (L Lᵀ)⁻¹."""
    half_mm, _ = dpotri(cholesky_mm, lower=1)  # the upper triangle stays as it is in L, zero
    inverse_mm: FloatArray = np.add(half_mm, half_mm.T, order="C")
    inverse_mm[np.diag_indices(len(half_mm))] *= 0.5
    return np.asarray(inverse_mm)


def _prior_deviation(blocks: Mapping[str, slice], hyperparameters: Hyperparameters) -> FloatArray:
    deviation_m = np.zeros(max(block.stop for block in blocks.values()))
    for name, block in blocks.items():
        deviation_m[block] = hyperparameters.prior[name]
    return deviation_m
