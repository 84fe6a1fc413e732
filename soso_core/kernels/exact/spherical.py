"""Real spherical harmonics of a direction and their gradients, by recurrences in Cartesian components.

Y_lm = N_lm d^m P_l(z)/dz^m · Re (x+iy)^m for m >= 0, Im (x+iy)^|m| for m < 0: products of polynomials, so nothing
happens at the poles.  Orthonormal on the unit sphere, no Condon-Shortley sign.  Axis y counts (l, m) as l² + l + m.
"""

import math

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels._jit import jit


@jit
def recurrence_factors(l_max: int) -> tuple[FloatArray, FloatArray]:
    """Return a_lm and b_lm of z_lm = a_lm (z·z_{l-1,m} - b_lm z_{l-2,m}), each (l, m), m < l; z_lm = N_lm d^m P_l/dz^m.

    On the diagonal a_mm is z_mm itself.  From DLMF 14.10.3, the norms folded in so that no factor grows with l.
    """
    a_lm = np.zeros((l_max + 1, l_max + 1))
    b_lm = np.zeros((l_max + 1, l_max + 1))
    a_lm[0, 0] = math.sqrt(0.25 / math.pi)
    for m in range(1, l_max + 1):
        a_lm[m, m] = a_lm[m - 1, m - 1] * math.sqrt((2.0 * m + 1.0) / (2.0 * m if m > 1 else 1.0))
    for order in range(1, l_max + 1):
        for m in range(order):
            a_lm[order, m] = math.sqrt((4.0 * order**2 - 1.0) / (order**2 - m**2))
            if m < order - 1:
                previous = float(order - 1)
                b_lm[order, m] = math.sqrt((previous**2 - m**2) / (4.0 * previous**2 - 1.0))
    return a_lm, b_lm


@jit
def polar_parts(z: float, a_lm: FloatArray, b_lm: FloatArray, out_lm: FloatArray) -> None:
    """Write N_lm d^m P_l(z)/dz^m, m >= 0, into out_lm (l, m)."""
    for m in range(len(out_lm)):
        out_lm[m, m] = a_lm[m, m]
        for order in range(m + 1, len(out_lm)):
            earlier = out_lm[order - 2, m] if order > m + 1 else 0.0
            out_lm[order, m] = a_lm[order, m] * (z * out_lm[order - 1, m] - b_lm[order, m] * earlier)


@jit
def azimuthal_parts(x: float, y: float, out_km: FloatArray) -> None:
    """Write Re (x+iy)^m into row 0 and Im (x+iy)^m into row 1 of out_km (2, m)."""
    out_km[0, 0] = 1.0
    out_km[1, 0] = 0.0
    for m in range(1, out_km.shape[1]):
        out_km[0, m] = x * out_km[0, m - 1] - y * out_km[1, m - 1]
        out_km[1, m] = x * out_km[1, m - 1] + y * out_km[0, m - 1]


@jit
def spherical_harmonics(vectors_pc: FloatArray, r_p: FloatArray, l_max: int) -> FloatArray:
    """Return Y_lm of the directions of vectors_pc (p, 3) with lengths r_p (p,), (p, y)."""
    a_lm, b_lm = recurrence_factors(l_max)
    z_lm, w_km = np.zeros_like(a_lm), np.zeros((2, l_max + 1))
    values_py = np.zeros((len(r_p), (l_max + 1) ** 2))
    for p in range(len(r_p)):
        polar_parts(vectors_pc[p, 2] / r_p[p], a_lm, b_lm, z_lm)
        azimuthal_parts(vectors_pc[p, 0] / r_p[p], vectors_pc[p, 1] / r_p[p], w_km)
        for order in range(l_max + 1):
            centre = order * order + order
            values_py[p, centre] = z_lm[order, 0]
            for m in range(1, order + 1):
                values_py[p, centre + m] = z_lm[order, m] * w_km[0, m]
                values_py[p, centre - m] = z_lm[order, m] * w_km[1, m]
    return values_py


@jit
def spherical_harmonics_gradient(vectors_pc: FloatArray, r_p: FloatArray, l_max: int) -> FloatArray:
    """Return ∂Y_lm(r/|r|)/∂r, 1/Å, (p, y, c): the tangential part of the polynomial's gradient, over r."""
    a_lm, b_lm = recurrence_factors(l_max)
    z_lm, w_km = np.zeros_like(a_lm), np.zeros((2, l_max + 1))
    slopes_pyc = np.zeros((len(r_p), (l_max + 1) ** 2, 3))
    for p in range(len(r_p)):
        polar_parts(vectors_pc[p, 2] / r_p[p], a_lm, b_lm, z_lm)
        azimuthal_parts(vectors_pc[p, 0] / r_p[p], vectors_pc[p, 1] / r_p[p], w_km)
        for order in range(l_max + 1):
            _polynomial_gradient(order, z_lm, w_km, slopes_pyc[p])
        _keep_tangential(vectors_pc[p], r_p[p], slopes_pyc[p])
    return slopes_pyc


@jit
def _polynomial_gradient(order: int, z_lm: FloatArray, w_km: FloatArray, out_yc: FloatArray) -> None:
    """Write the gradients by x, y, z of all Y_lm of one order l; d z_lm/dz = sqrt((l-m)(l+m+1)) z_{l,m+1}."""
    centre = order * order + order
    for m in range(order + 1):
        slope = 0.0
        if m < order:
            # N_lm of m > 0 holds a factor sqrt(2) that the one of m = 0 has not.
            slope = math.sqrt((order - m) * (order + m + 1.0) * (1.0 if m else 0.5)) * z_lm[order, m + 1]
        out_yc[centre + m, 2] = slope * w_km[0, m]
        if m:
            m_z = m * z_lm[order, m]
            out_yc[centre + m, 0] = m_z * w_km[0, m - 1]
            out_yc[centre + m, 1] = -m_z * w_km[1, m - 1]
            out_yc[centre - m, 0] = m_z * w_km[1, m - 1]
            out_yc[centre - m, 1] = m_z * w_km[0, m - 1]
            out_yc[centre - m, 2] = slope * w_km[1, m]


@jit
def _keep_tangential(vector_c: FloatArray, r: float, slopes_yc: FloatArray) -> None:
    """Take the part along the direction off every gradient and divide by r."""
    for y in range(len(slopes_yc)):
        along = 0.0
        for c in range(3):
            along += slopes_yc[y, c] * vector_c[c] / r
        for c in range(3):
            slopes_yc[y, c] = (slopes_yc[y, c] - along * vector_c[c] / r) / r
