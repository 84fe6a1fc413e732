"""Random directions: uniform, in a cone around one axis, or each around a direction of its own."""

import numpy as np
from scipy.optimize import brentq

from soso_core.arrays import FloatArray

NEARLY_ONE = 1.0 - 1e-6
"""Mean cosine beyond which coth(kappa) is 1 to the last digit, so that kappa has a closed form."""


def uniform_directions(n: int, rng: np.random.Generator) -> FloatArray:
    """Return n unit vectors, uniform on the sphere, (n, 3)."""
    vectors_ac = rng.standard_normal((n, 3))
    return np.asarray(vectors_ac / np.linalg.norm(vectors_ac, axis=1, keepdims=True))


def cone_directions(n: int, mean_cosine: float, rng: np.random.Generator) -> FloatArray:
    """Return n unit vectors, (n, 3), von Mises-Fisher around one random axis with the given mean cosine."""
    return directions_around(np.tile(uniform_directions(1, rng), (n, 1)), mean_cosine, rng)


def directions_around(axes_ac: FloatArray, mean_cosine: float, rng: np.random.Generator) -> FloatArray:
    """Return one unit vector, (a, 3), von Mises-Fisher around each axis (a, 3), of the given mean cosine with it."""
    n = len(axes_ac)
    kappa = concentration(mean_cosine)
    # The cosine w has density ∝ exp(kappa w) on [-1, 1]; its distribution function inverts in closed form.
    w_a = 1.0 + np.log1p(rng.random(n) * np.expm1(-2.0 * kappa)) / kappa
    w_a = np.clip(w_a, -1.0, 1.0)
    around_ac = rng.standard_normal((n, 3))
    around_ac -= np.sum(around_ac * axes_ac, axis=1, keepdims=True) * axes_ac
    around_ac /= np.linalg.norm(around_ac, axis=1, keepdims=True)
    spins_ac = w_a[:, None] * axes_ac + np.sqrt(1.0 - w_a**2)[:, None] * around_ac
    return np.asarray(spins_ac / np.linalg.norm(spins_ac, axis=1, keepdims=True))


def concentration(mean_cosine: float) -> float:
    """Return kappa with coth(kappa) - 1/kappa = mean_cosine, for 0 < mean_cosine <= 1 (a cosine may round to 1)."""
    if mean_cosine > NEARLY_ONE:
        return 1.0 / max(1.0 - mean_cosine, float(np.finfo(float).epsneg))
    # Since 1 - 1/kappa < coth(kappa) - 1/kappa < kappa/3, the root lies between these two.
    low, high = 3.0 * mean_cosine, 1.0 / (1.0 - mean_cosine)
    return float(brentq(lambda kappa: _langevin(kappa) - mean_cosine, 0.999 * low, 1.001 * max(low, high)))


def _langevin(kappa: float) -> float:
    if kappa < 1e-3:
        return kappa / 3.0 - kappa**3 / 45.0
    return float(1.0 / np.tanh(kappa) - 1.0 / kappa)
