"""Spherical harmonics of four directions at once and the adjoint of their gradient; formulas: `exact.spherical`."""

import math
from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels._jit import inlined_jit, inner_jit, jit
from soso_core.kernels.exact.spherical import recurrence_factors
from soso_core.kernels.vector import layout
from soso_core.kernels.vector.simd import load, splat, store


class Harmonics(NamedTuple):
    """Factors a_lm, b_lm of the recurrence, slopes s_lm of z_lm by z."""

    a_lm: FloatArray
    b_lm: FloatArray
    s_lm: FloatArray


class HarmonicWork(NamedTuple):
    """Scratch for z_lm and (x + iy)^m; one for each thread."""

    z_r4: FloatArray
    w_r4: FloatArray


@jit
def make_harmonic_work(l_max: int) -> HarmonicWork:
    """Return scratch up to l_max."""
    return HarmonicWork(np.zeros(((l_max + 1) ** 2, 4)), np.zeros((2 * (l_max + 1), 4)))


@jit
def make_harmonics(l_max: int) -> Harmonics:
    """Return the tables up to l_max; d z_lm/dz = s_lm z_{l,m+1}."""
    a_lm, b_lm = recurrence_factors(l_max)
    s_lm = np.zeros_like(a_lm)
    for order in range(l_max + 1):
        for m in range(order):
            s_lm[order, m] = math.sqrt((order - m) * (order + m + 1.0) * (1.0 if m else 0.5))
    return Harmonics(a_lm, b_lm, s_lm)


@inlined_jit
def _fill(tables: Harmonics, work: HarmonicWork, at: layout.Layout, k: int) -> None:
    """Write z_lm into row l (l_max + 1) + m, Re and Im of (x + iy)^m into rows 2m, 2m + 1."""
    a_lm, b_lm, z_r4, w_r4 = tables.a_lm, tables.b_lm, work.z_r4, work.w_r4
    size = len(a_lm)
    x, y = load(at.place_rk, layout.UNIT_X, k), load(at.place_rk, layout.UNIT_Y, k)
    z = load(at.place_rk, layout.UNIT_Z, k)
    real, imaginary = splat(1.0), splat(0.0)
    for m in range(size):
        store(w_r4, 2 * m, 0, real)
        store(w_r4, 2 * m + 1, 0, imaginary)
        real, imaginary = x * real - y * imaginary, x * imaginary + y * real
        before, now = splat(0.0), splat(a_lm[m, m])
        store(z_r4, m * size + m, 0, now)
        for order in range(m + 1, size):
            before, now = now, (z * now - before * b_lm[order, m]) * a_lm[order, m]
            store(z_r4, order * size + m, 0, now)


@inner_jit
def harmonic_rows(tables: Harmonics, work: HarmonicWork, at: layout.Layout, n: int) -> None:
    """Write Y_lm of n columns into at.y_yk, row l² + l + m."""
    size = len(tables.a_lm)
    for k in range(0, n, 4):
        _fill(tables, work, at, k)
        for order in range(size):
            centre = order * order + order
            store(at.y_yk, centre, k, load(work.z_r4, order * size, 0))
            for m in range(1, order + 1):
                z = load(work.z_r4, order * size + m, 0)
                store(at.y_yk, centre + m, k, z * load(work.w_r4, 2 * m, 0))
                store(at.y_yk, centre - m, k, z * load(work.w_r4, 2 * m + 1, 0))


@inlined_jit
def harmonic_gradient(  # type: ignore[no-untyped-def]
    tables: Harmonics, work: HarmonicWork, at: layout.Layout, k: int, g_yk: FloatArray
):
    """Return Σ_y g_y ∂Y_y/∂(x, y, z) of four neighbours, Y being polynomials of the direction; not yet tangential."""
    _fill(tables, work, at, k)
    size = len(tables.a_lm)
    gx = gy = gz = splat(0.0)
    for order in range(size):
        centre = order * order + order
        for m in range(order + 1):
            plus = load(g_yk, centre + m, k)
            if m < order:
                slope = load(work.z_r4, order * size + m + 1, 0) * tables.s_lm[order, m]
                azimuthal = plus * load(work.w_r4, 2 * m, 0)
                if m > 0:
                    azimuthal = azimuthal + load(g_yk, centre - m, k) * load(work.w_r4, 2 * m + 1, 0)
                gz = gz + slope * azimuthal
            if m > 0:
                minus = load(g_yk, centre - m, k)
                real, imaginary = load(work.w_r4, 2 * m - 2, 0), load(work.w_r4, 2 * m - 1, 0)
                radial_slope = load(work.z_r4, order * size + m, 0) * float(m)
                gx = gx + radial_slope * (plus * real + minus * imaginary)
                gy = gy + radial_slope * (minus * real - plus * imaginary)
    return gx, gy, gz
