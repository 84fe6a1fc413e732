"""Energies that contain the penalty of their constraint: an estimate of it, and its subtraction before a fit.

A penalty holds a moment like a spring.  Where it pulls with the exchange field B_i, it stores κ |B_i|², with κ = 1/(2Λ)
for the stiffness Λ (LAMBDA of VASP, eV/μB²).  Programs print this energy within the total one, and files made from
their output often contain it: E_label = E + κ Σ_i |B_i|².  The derivatives of such energies are not the fields beside
them.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import erfcx

from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.gp.inference.defaults import choose_settings
from soso_core.gp.inference.evidence import posterior
from soso_core.gp.inference.regression import check_labels, fit_candidate, select_energy_targets
from soso_core.gp.inference.targets import compute_rows
from soso_core.labels import LabelledConfiguration, transverse
from soso_core.threads import in_threads, one_blas_thread

WIDTH = 0.05
"""μB²/eV, of the half-Gaussian prior on κ: the κ of Λ = 10 eV/μB², a soft spring among those in use."""
ENGINE_KEY = "engine"
"""A label with this fact was made by an engine of SOSO; all of them subtract the penalty."""
SUBTRACTED_KEY = "subtracted_penalty_muB2_per_ev"
"""Fact of a label whose energy had this κ subtracted; it is not subtracted twice."""
UNDETERMINED = 0.5
"""Labels do not determine κ when its deviation is more than this share of that of the prior."""
HALF_GAUSSIAN = float(np.sqrt(1.0 - 2.0 / np.pi))
"""Standard deviation of a half-Gaussian in units of its width."""


@dataclass(frozen=True)
class PenaltyEstimate:
    """Posterior mean and standard deviation of κ, μB²/eV; `is_determined`: much narrower than its prior."""

    kappa: float
    deviation: float
    is_determined: bool


def may_contain_penalty(item: LabelledConfiguration) -> bool:
    """Return whether an energy may contain the penalty of the fields beside it."""
    has_both = item.energy is not None and item.exchange_fields_ac is not None
    return has_both and item.info.keys().isdisjoint({ENGINE_KEY, SUBTRACTED_KEY})


def sum_of_squares(item: LabelledConfiguration) -> float:
    """Return Σ_i |B_i|² of the transverse exchange fields, eV²/μB²."""
    assert item.exchange_fields_ac is not None
    return float(np.sum(transverse(item.exchange_fields_ac, item.configuration.spins_ac) ** 2))


def subtract_penalty(dataset: Dataset, kappa: float) -> Dataset:
    """Return the labels with κ Σ_i |B_i|² (`kappa` in μB²/eV) subtracted from each energy that may contain it."""
    return Dataset(
        tuple(
            replace(item, energy=item.energy - kappa * sum_of_squares(item), info={**item.info, SUBTRACTED_KEY: kappa})
            if item.energy is not None and may_contain_penalty(item)
            else item
            for item in dataset
        )
    )


def estimate_penalty(dataset: Dataset, rng: np.random.Generator, width: float = WIDTH) -> PenaltyEstimate:
    """Return the posterior of κ from the labels whose energies may contain a penalty; zero if there are none.

    A model is fitted to these labels and to those without energy.  κ is one more weight of it, with Σ|B|² of the labels
    as its column.  Its prior is half a Gaussian of `width`, as κ is not negative.  `rng` draws the inducing points.
    """
    items = [item for item in dataset if may_contain_penalty(item)]
    if not items:
        return PenaltyEstimate(0.0, 0.0, is_determined=True)
    used = Dataset(tuple(item for item in dataset if item.energy is None or may_contain_penalty(item)))
    made = fit_candidate(check_labels(used), choose_settings(used), rng)
    hyperparameters = made.fitted.best.hyperparameters

    def of(item: LabelledConfiguration) -> tuple[FloatArray, FloatArray, float]:
        bare = replace(item, exchange_fields_ac=None, moment_magnitudes_a=None, forces_ac=None, stress_cc=None)
        rows_km, values_k = compute_rows(bare, made.basis, made.references)["energy"]
        root = np.sqrt(item.configuration.n_energy_sites)
        return rows_km, values_k, sum_of_squares(item) / root / item.noise_factor

    rows, values, squares = zip(*in_threads(of, items), strict=True)
    with one_blas_thread():
        solved = posterior(select_energy_targets(made.equations), made.basis.blocks, hyperparameters)
        arrays = (np.concatenate(rows), np.concatenate(values), np.array(squares))
        kappa, deviation = penalty_posterior(*arrays, solved, hyperparameters.noise["energy"], width)
    return PenaltyEstimate(kappa, deviation, deviation <= UNDETERMINED * HALF_GAUSSIAN * width)


def penalty_posterior(
    rows_km: FloatArray,
    values_k: FloatArray,
    squares_k: FloatArray,
    solved: tuple[FloatArray, FloatArray],
    noise: float,
    width: float,
) -> tuple[float, float]:
    """Return mean and deviation of κ, μB²/eV, from rows (k, m), values (k,) and Σ|B|² (k,) of energies as fitted.

    `solved`: weights (m,) of the other columns and the Cholesky factor (m, m) of their precision, given `noise` (eV).
    """
    weights_m, cholesky_mm = solved
    explained_m = solve_triangular(cholesky_mm, squares_k @ rows_km, lower=True) / noise
    precision = (squares_k @ squares_k - explained_m @ explained_m) / noise**2 + width**-2.0
    slope = squares_k @ (values_k - rows_km @ weights_m) / noise**2
    return _moments_above_zero(float(slope / precision), float(precision) ** -0.5)


def _moments_above_zero(mean: float, deviation: float) -> tuple[float, float]:
    """Return mean and standard deviation of a Gaussian that is cut off below zero."""
    alpha = mean / deviation
    # φ(α)/Φ(α) by the scaled complementary error function, which does not underflow.
    ratio = float(np.sqrt(2.0 / np.pi) / erfcx(-alpha / np.sqrt(2.0)))
    variance = max(1.0 - ratio * (ratio + alpha), 0.0)
    return max(mean + deviation * ratio, 0.0), deviation * float(np.sqrt(variance))
