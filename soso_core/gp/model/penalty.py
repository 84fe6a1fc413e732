"""Energies that still hold the penalty of their constraint: how much of it, by the model that fits them.

A penalty holds a moment like a spring: pulling with the field B it stores an energy κ |B|², with κ = 1/(2 LAMBDA) where
LAMBDA is its stiffness.  Programs print it within the total energy, and files made from their output often leave it
there.  It belongs to the calculation, not to the crystal: slopes of such energies are not the fields beside them.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import erfcx

from soso_core.arrays import FloatArray
from soso_core.labels import LabelledConfiguration, transverse

ENGINE_KEY = "engine"
"""A label with this fact was made by an engine behind `soso label` or a campaign; they all take the penalty off."""


def may_hold_penalty(item: LabelledConfiguration) -> bool:
    """Tell whether an energy may hold the penalty of the fields beside it."""
    return item.energy is not None and item.exchange_fields_ac is not None and ENGINE_KEY not in item.info


def square_of_fields(item: LabelledConfiguration, level: float = 0.0) -> float:
    """Return Σ_i (|B_i|² - level) over the spins, transverse fields, eV²/μB²; zero for a label without a penalty."""
    if item.exchange_fields_ac is None or not may_hold_penalty(item):
        return 0.0
    effective_fields_ac = transverse(item.exchange_fields_ac, item.configuration.spins_ac)
    return float(np.sum(effective_fields_ac**2)) - level * item.configuration.n_magnetic


def mean_square(items: Sequence[LabelledConfiguration]) -> float:
    """Return the mean of |B_i|² over all spins of labels that may hold a penalty, eV²/μB².

    What a penalty of this size adds is left in all energies alike, so that those of the model stay the labels' own.
    """
    held = [item for item in items if may_hold_penalty(item)]
    n_spins = sum(item.configuration.n_magnetic for item in held)
    return sum(map(square_of_fields, held)) / n_spins if n_spins else 0.0


def all_may_hold(items: Sequence[LabelledConfiguration]) -> bool:
    """Tell whether every energy among the labels may hold a penalty; else nothing is asked."""
    held = [may_hold_penalty(item) for item in items if item.energy is not None]
    return bool(held) and all(held)


def learnt_penalty(
    rows_km: FloatArray,
    values_k: FloatArray,
    squares_k: FloatArray,
    solved: tuple[FloatArray, FloatArray],
    noise: float,
    width: float,
) -> float:
    """Return κ, μB²/eV, from rows (k, m) and values (k,) of energies as the fit takes them, and Σ|B|² (k,) likewise.

    κ is one more weight of the fit beside those that are `solved`: weights (m,) and the Cholesky factor (m, m) of their
    precision.  Its prior is half a Gaussian of `width`, as no spring stores less than nothing; what is returned is its
    posterior mean, given the `noise` (eV) of energies and all other scales.
    """
    weights_m, cholesky_mm = solved
    explained_m = solve_triangular(cholesky_mm, squares_k @ rows_km, lower=True) / noise
    precision = (squares_k @ squares_k - explained_m @ explained_m) / noise**2 + width**-2.0
    slope = squares_k @ (values_k - rows_km @ weights_m) / noise**2
    return _mean_above_zero(float(slope / precision), float(precision) ** -0.5)


def _mean_above_zero(mean: float, deviation: float) -> float:
    """Return the mean of a Gaussian of which only the part above zero is left."""
    alpha = mean / deviation
    # φ(α)/Φ(α) by the scaled complementary error function, which does not underflow.
    return max(mean + deviation * float(np.sqrt(2.0 / np.pi) / erfcx(-alpha / np.sqrt(2.0))), 0.0)
