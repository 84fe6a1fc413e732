"""Legendre polynomials of the angle between spins, by recurrence."""

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels._jit import inner_jit, jit


@inner_jit
def legendre_values(u: float, out_l: FloatArray) -> None:
    """Write P_λ(u): (λ+1) P_{λ+1} = (2λ+1) u P_λ - λ P_{λ-1}  (DLMF 18.9)."""
    out_l[0] = 1.0
    if len(out_l) > 1:
        out_l[1] = u
    for m in range(1, len(out_l) - 1):
        out_l[m + 1] = ((2 * m + 1) * u * out_l[m] - m * out_l[m - 1]) / (m + 1)


@jit
def legendre(u_p: FloatArray, lambda_max: int) -> tuple[FloatArray, FloatArray]:
    """Return P_λ(u) and P'_λ(u), λ = 0..lambda_max, each (p, λ): P'_{λ+1} = P'_{λ-1} + (2λ+1) P_λ."""
    values_pl = np.zeros((len(u_p), lambda_max + 1))
    slopes_pl = np.zeros((len(u_p), lambda_max + 1))
    for p in range(len(u_p)):
        legendre_values(u_p[p], values_pl[p])
        for m in range(lambda_max):
            slopes_pl[p, m + 1] = (slopes_pl[p, m - 1] if m > 0 else 0.0) + (2 * m + 1) * values_pl[p, m]
    return values_pl, slopes_pl
