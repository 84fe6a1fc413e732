"""Radial basis functions of a neighbour distance and their derivatives."""

import math

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels._jit import jit

DECAY_REFERENCE = 2.5
"""Å: where the envelope (2.5 Å / r)^decay is 1, about the nearest distance of 3d metals; it sets the unit of h only."""


@jit
def cosine_taper(distance: float, cutoff: float, taper: float) -> tuple[float, float]:
    """Return f_c(r) and its derivative: 1 inside, a half cosine over the last `taper` Å, 0 outside."""
    if distance >= cutoff:
        return 0.0, 0.0
    if distance <= cutoff - taper:
        return 1.0, 0.0
    phase = math.pi * (distance - cutoff + taper) / taper
    return 0.5 * (1.0 + math.cos(phase)), -0.5 * math.pi / taper * math.sin(phase)


@jit
def gaussian_overlap(distance: float, centre: float, sharpness: float) -> tuple[float, float]:
    """Return ∫₀^∞ x² exp(-a(x-centre)²) exp(-a(x-distance)²) dx and its derivative by `distance`.

    The product is one Gaussian of sharpness b = 2a about the midpoint m, times exp(-a(centre-distance)²/2);
    its second moment over the half line is closed: (m² + 1/2b) √(π/b) (1 + erf(√b m))/2 + m exp(-b m²)/2b.
    """
    b = 2.0 * sharpness
    middle = 0.5 * (centre + distance)
    tail = math.exp(-b * middle * middle)
    half_line = math.sqrt(math.pi / b) * (1.0 + math.erf(math.sqrt(b) * middle))
    moment = 0.5 * (middle * middle + 0.5 / b) * half_line + 0.5 * middle / b * tail
    slope = middle * half_line + tail / b
    separation = centre - distance
    factor = math.exp(-0.5 * sharpness * separation * separation)
    return factor * moment, factor * (sharpness * separation * moment + 0.5 * slope)


@jit
def overlap_basis(
    r_p: FloatArray, centres_n: FloatArray, sharpness: float, mix_nn: FloatArray, cutoff: float, taper: float
) -> tuple[FloatArray, FloatArray]:
    """Return h_pn = f_c(r) Σ_m mix_nm S(r_m, r) and dh_pn/dr, S being `gaussian_overlap`.

    Shapes: r_p (p,) Å, centres_n (n,) Å, mix_nn (n, n); returns two (p, n).
    """
    n_max = len(centres_n)
    h_pn = np.zeros((len(r_p), n_max))
    dh_pn = np.zeros((len(r_p), n_max))
    for p in range(len(r_p)):
        fc, dfc = cosine_taper(r_p[p], cutoff, taper)
        for m in range(n_max):
            value, slope = gaussian_overlap(r_p[p], centres_n[m], sharpness)
            for n in range(n_max):
                h_pn[p, n] += mix_nn[n, m] * fc * value
                dh_pn[p, n] += mix_nn[n, m] * (fc * slope + dfc * value)
    return h_pn, dh_pn


@jit
def decaying_gaussians(
    r_p: FloatArray, centres_n: FloatArray, width: float, decay: float, cutoff: float, taper: float
) -> tuple[FloatArray, FloatArray]:
    """Return h_pn = f_c(r) (2.5 Å / r)^decay exp(-(r-r_n)²/2width²) and dh_pn/dr; shapes as in `overlap_basis`."""
    n_max = len(centres_n)
    h_pn = np.zeros((len(r_p), n_max))
    dh_pn = np.zeros((len(r_p), n_max))
    for p in range(len(r_p)):
        r = r_p[p]
        fc, dfc = cosine_taper(r, cutoff, taper)
        envelope = (DECAY_REFERENCE / r) ** decay
        for n in range(n_max):
            offset = (r - centres_n[n]) / width
            gauss = envelope * math.exp(-0.5 * offset * offset)
            h_pn[p, n] = fc * gauss
            dh_pn[p, n] = dfc * gauss - fc * gauss * (offset / width + decay / r)
    return h_pn, dh_pn
