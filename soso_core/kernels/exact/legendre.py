"""Legendre polynomials of the angle between spins, by recurrence."""

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels._jit import jit


@jit
def legendre(u_p: FloatArray, lambda_max: int) -> tuple[FloatArray, FloatArray]:
    """Return P_λ(u) and P'_λ(u), λ = 0..lambda_max, each (p, λ).

    (λ+1) P_{λ+1} = (2λ+1) u P_λ - λ P_{λ-1};  P'_{λ+1} = P'_{λ-1} + (2λ+1) P_λ  (DLMF 18.9).
    """
    values_pl = np.zeros((len(u_p), lambda_max + 1))
    slopes_pl = np.zeros((len(u_p), lambda_max + 1))
    for p in range(len(u_p)):
        u = u_p[p]
        values_pl[p, 0] = 1.0
        if lambda_max == 0:
            continue
        values_pl[p, 1] = u
        slopes_pl[p, 1] = 1.0
        for m in range(1, lambda_max):
            values_pl[p, m + 1] = ((2 * m + 1) * u * values_pl[p, m] - m * values_pl[p, m - 1]) / (m + 1)
            slopes_pl[p, m + 1] = slopes_pl[p, m - 1] + (2 * m + 1) * values_pl[p, m]
    return values_pl, slopes_pl
