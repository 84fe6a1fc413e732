"""Moves of one spin for Monte Carlo: a trial direction and whether it is taken.

Random numbers are drawn in a fixed order, so that the slow twin can follow the same chain.
"""

import math
from typing import NamedTuple

import numpy as np

from soso_core.kernels._jit import inner_jit, jit

Direction = tuple[float, float, float]


class Move(NamedTuple):
    """How spins move: per_kt 1/k_BT (1/eV), width of the cone; heat_bath: trials from the field of pairs instead."""

    per_kt: float
    cone: float
    heat_bath: bool


@jit
def cone_trial(x: float, y: float, z: float, cone: float, rng: np.random.Generator) -> Direction:
    """Return the direction of e + cone·ξ, ξ normal: the angle to e alone decides, so there and back are as likely."""
    x += cone * rng.standard_normal()
    y += cone * rng.standard_normal()
    z += cone * rng.standard_normal()
    factor = 1.0 / math.sqrt(x * x + y * y + z * z)
    return x * factor, y * factor, z * factor


@jit
def heat_bath_trial(x: float, y: float, z: float, rng: np.random.Generator) -> Direction:
    """Return a direction e' drawn from exp(b·e'), b = (x, y, z) the field over k_BT.

    The cosine w with b has density ∝ exp(|b| w) on [-1, 1]; its distribution function inverts in closed form.
    """
    kappa = math.sqrt(x * x + y * y + z * z)
    xi, turn = rng.random(), 2.0 * math.pi * rng.random()
    if kappa < 1e-12:
        return around(0.0, 0.0, 1.0, 2.0 * xi - 1.0, turn)
    w = max(1.0 + math.log1p(xi * math.expm1(-2.0 * kappa)) / kappa, -1.0)
    return around(x / kappa, y / kappa, z / kappa, w, turn)


@inner_jit
def around(x: float, y: float, z: float, w: float, turn: float) -> Direction:
    """Return the unit vector at cosine w from the unit vector (x, y, z), turned by an angle about it."""
    sign = math.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    s = math.sqrt(max(1.0 - w * w, 0.0))
    left, right = s * math.cos(turn), s * math.sin(turn)
    ex = w * x + left * (1.0 + sign * x * x * a) + right * b
    ey = w * y + left * sign * b + right * (sign + y * y * a)
    ez = w * z - left * sign * x - right * y
    factor = 1.0 / math.sqrt(ex * ex + ey * ey + ez * ez)
    return ex * factor, ey * factor, ez * factor


@jit
def is_taken(change: float, rng: np.random.Generator) -> bool:
    """Return True with the probability of Metropolis, min(1, exp(-change)); change is over k_BT."""
    return bool(rng.random() < math.exp(-change))
