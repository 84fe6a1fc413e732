"""Proposals of one spin for Monte Carlo, and the rule that accepts them.

    gaussian    e' = (e + w ξ) / |e + w ξ|, ξ standard normal; symmetric, as its density depends on e·e' alone
    heat bath   e' drawn from exp(b·e'), b the field over k_BT
    Metropolis  P(accept) = min(1, exp(-ΔE/k_BT) q(e)/q(e')), q the density of the proposal

Random numbers are drawn in a fixed order, so that the slow reference of the tests can follow the same chain.
"""

import math
from typing import NamedTuple

import numpy as np

from soso_core.kernels._jit import inner_jit, jit

Direction = tuple[float, float, float]


class Proposal(NamedTuple):
    """per_kt 1/k_BT (1/eV), width w of the Gaussian proposal, or heat_bath: propose from the field of the pairs."""

    per_kt: float
    width: float
    heat_bath: bool


@jit
def propose_gaussian(x: float, y: float, z: float, width: float, rng: np.random.Generator) -> Direction:
    """Return the direction of e + width·ξ, ξ standard normal."""
    x += width * rng.standard_normal()
    y += width * rng.standard_normal()
    z += width * rng.standard_normal()
    factor = 1.0 / math.sqrt(x * x + y * y + z * z)
    return x * factor, y * factor, z * factor


@jit
def propose_heat_bath(x: float, y: float, z: float, rng: np.random.Generator) -> Direction:
    """Return a direction e' drawn from exp(b·e'), b = (x, y, z) the field over k_BT.

    The cosine w with b has density ∝ exp(|b| w) on [-1, 1]; its distribution function inverts in closed form.
    """
    kappa = math.sqrt(x * x + y * y + z * z)
    xi, angle = rng.random(), 2.0 * math.pi * rng.random()
    if kappa < 1e-12:
        return direction_around(0.0, 0.0, 1.0, 2.0 * xi - 1.0, angle)
    w = max(1.0 + math.log1p(xi * math.expm1(-2.0 * kappa)) / kappa, -1.0)
    return direction_around(x / kappa, y / kappa, z / kappa, w, angle)


@inner_jit
def direction_around(x: float, y: float, z: float, w: float, angle: float) -> Direction:
    """Return the unit vector at cosine w from the unit vector (x, y, z), at an azimuth `angle` about it."""
    sign = math.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    s = math.sqrt(max(1.0 - w * w, 0.0))
    left, right = s * math.cos(angle), s * math.sin(angle)
    ex = w * x + left * (1.0 + sign * x * x * a) + right * b
    ey = w * y + left * sign * b + right * (sign + y * y * a)
    ez = w * z - left * sign * x - right * y
    factor = 1.0 / math.sqrt(ex * ex + ey * ey + ez * ez)
    return ex * factor, ey * factor, ez * factor


@jit
def metropolis_accept(change: float, rng: np.random.Generator) -> bool:
    """Return True with probability min(1, exp(-change)); change is (ΔE - k_BT log q(e)/q(e')) / k_BT."""
    return bool(rng.random() < math.exp(-change))
