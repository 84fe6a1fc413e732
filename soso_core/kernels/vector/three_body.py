"""A and p of one atom and their adjoints in vector code; formulas of `kernels.exact.three_body`.

Columns of a_yx are (species, component t, n), n padded to a multiple of four.  Products of densities lie in p_rx, rows
(channel pair, l, X), columns X', X = (species, n padded); features are picked out of it.
"""

from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import inlined_jit, inner_jit, jit
from soso_core.kernels.channels import channel_value
from soso_core.kernels.vector import layout, near
from soso_core.kernels.vector.harmonics import (
    Harmonics,
    HarmonicWork,
    harmonic_gradient,
    harmonic_rows,
    make_harmonic_work,
)
from soso_core.kernels.vector.products import contract, expand_columns, expand_rows
from soso_core.kernels.vector.simd import broadcast, get, item, load, put, splat, store


class ThreeBody(NamedTuple):
    """Parameters and index tables of the descriptor.

    kinds_t: kind of component t, see `kernels.channels`.
    pairs_wk: first t, first t', number of components, first row of p_rx, one row for each channel pair.
    products_qk: the same with source and target of the adjoint.  Feature f is p_rx[row_f, column_f] scale_f; its
    adjoint times back_f goes to (row_f, column_f) and (mirror_row_f, mirror_column_f).
    """

    radial: near.Radial
    harmonics: Harmonics
    kinds_t: IntArray
    pairs_wk: IntArray
    products_qk: IntArray
    row_f: IntArray
    column_f: IntArray
    scale_f: FloatArray
    mirror_row_f: IntArray
    mirror_column_f: IntArray
    back_f: FloatArray
    n_species: int
    n_pad: int


class ThreeBodyWork(NamedTuple):
    """Scratch: products p_rx and their adjoint g_rx, weights w_xk = c_t h_n, adjoints gw_xk, gy_yk, ga_yx of A."""

    p_rx: FloatArray
    g_rx: FloatArray
    w_xk: FloatArray
    gw_xk: FloatArray
    gy_yk: FloatArray
    ga_yx: FloatArray
    harmonic: HarmonicWork


@jit
def count_product_rows(model: ThreeBody) -> int:
    """Return the number of rows of p_rx."""
    return int(max(model.row_f.max(), model.mirror_row_f.max()) + model.n_pad + 1)


@jit
def make_three_body_work(model: ThreeBody, n_most: int, n_angular: int) -> ThreeBodyWork:
    """Return scratch for atoms with at most n_most entries; rows of g_rx that no feature reaches stay zero."""
    n_x = model.n_species * model.n_pad
    n_columns = len(model.kinds_t) * model.n_pad
    n_rows = count_product_rows(model)
    return ThreeBodyWork(
        np.zeros((n_rows, n_x)),
        np.zeros((n_rows, n_x)),
        np.zeros((n_columns, n_most)),
        np.zeros((n_columns, n_most)),
        np.zeros((n_angular, n_most)),
        np.zeros((n_angular, n_columns * model.n_species)),
        make_harmonic_work(len(model.harmonics.a_lm) - 1),
    )


@inlined_jit
def _fetch_spins(i: int, source: near.NearList, around: layout.Layout, k: int):  # type: ignore[no-untyped-def]
    """Return e_i·e_j, the factor 1 where both have a spin, and the components of e_j of four neighbours."""
    atoms_a8, place_rk = source.atoms_a8, around.place_rk
    x, y = load(place_rk, layout.SPIN_X, k), load(place_rk, layout.SPIN_Y, k)
    z, both = load(place_rk, layout.SPIN_Z, k), load(place_rk, layout.BOTH_SPINS, k)
    return x * atoms_a8[i, 4] + y * atoms_a8[i, 5] + z * atoms_a8[i, 6], both, x, y, z


@inner_jit
def weight_rows(
    i: int, source: near.NearList, model: ThreeBody, around: layout.Layout, n: int, w_xk: FloatArray
) -> None:
    """Write c_t h_n of n columns into w_xk, row t n_pad + n."""
    for k in range(0, n, 4):
        u, both, x, y, z = _fetch_spins(i, source, around, k)
        for t in range(len(model.kinds_t)):
            c, _ = channel_value(model.kinds_t[t], splat(1.0), u, both, x, y, z)
            for m in range(model.n_pad):
                store(w_xk, t * model.n_pad + m, k, c * load(around.h_nk, m, k))


@inner_jit
def three_body_forward(
    i: int,
    source: near.NearList,
    model: ThreeBody,
    around: layout.Layout,
    work: ThreeBodyWork,
    a_yx: FloatArray,
    out_f: FloatArray,
) -> None:
    """Lay atom i out, write its densities into a_yx and p into out_f."""
    n = layout.lay_out(i, source, model.radial, around)
    harmonic_rows(model.harmonics, work.harmonic, around, n)
    weight_rows(i, source, model, around, n, work.w_xk)
    n_segments, first = len(model.radial.maps_g2), source.starts_ab[i, 0]
    n_columns = len(work.w_xk)
    for s in range(model.n_species):
        start = source.starts_ab[i, s * n_segments] - first
        stop = source.starts_ab[i, (s + 1) * n_segments] - first
        contract(work.w_xk, around.y_yk, n_columns, len(around.y_yk), start, stop, a_yx, s * n_columns)
    products(model, a_yx, work.p_rx)
    for f in range(len(model.row_f)):
        out_f[f] = get(work.p_rx, item(model.row_f, f), item(model.column_f, f)) * item(model.scale_f, f)


@inner_jit
def products(model: ThreeBody, a_yx: FloatArray, p_rx: FloatArray) -> None:
    """Write Σ_m A^q_{Xlm} A^{q'}_{X'lm} of every channel pair and l."""
    n_pad, n_t, n_x = model.n_pad, len(model.kinds_t), model.n_species * model.n_pad
    for w in range(len(model.pairs_wk)):
        left, right, n_k, row = model.pairs_wk[w]
        for order in range(len(model.harmonics.a_lm)):
            for x in range(0, n_x, 4):
                c = (x // n_pad * n_t + left) * n_pad + x % n_pad
                for x2 in range(0, n_x, 4):
                    c2 = (x2 // n_pad * n_t + right) * n_pad + x2 % n_pad
                    _four_products(a_yx, order, n_k, n_pad, c, c2, p_rx, row + order * n_x + x, x2)


@inlined_jit
def _four_products(
    a_yx: FloatArray, order: int, n_k: int, n_pad: int, c: int, c2: int, p_rx: FloatArray, row: int, x2: int
) -> None:
    """Write the products of columns c to c + 3 with columns c2 to c2 + 3, summed over components and m."""
    p0 = p1 = p2 = p3 = splat(0.0)
    for _ in range(n_k):
        for y in range(order * order, (order + 1) * (order + 1)):
            right = load(a_yx, y, c2)
            p0, p1 = p0 + right * broadcast(a_yx, y, c), p1 + right * broadcast(a_yx, y, c + 1)
            p2, p3 = p2 + right * broadcast(a_yx, y, c + 2), p3 + right * broadcast(a_yx, y, c + 3)
        c, c2 = c + n_pad, c2 + n_pad
    store(p_rx, row, x2, p0)
    store(p_rx, row + 1, x2, p1)
    store(p_rx, row + 2, x2, p2)
    store(p_rx, row + 3, x2, p3)


@inner_jit
def products_adjoint(model: ThreeBody, a_yx: FloatArray, g_f: FloatArray, g_rx: FloatArray, ga_yx: FloatArray) -> None:
    """Write ∂E/∂A into ga_yx from g_f = ∂E/∂p."""
    for f in range(len(model.row_f)):
        value = g_f[f] * item(model.back_f, f)
        put(g_rx, item(model.row_f, f), item(model.column_f, f), value)
        put(g_rx, item(model.mirror_row_f, f), item(model.mirror_column_f, f), value)
    ga_yx[:] = 0.0
    n_pad, n_t, n_x = model.n_pad, len(model.kinds_t), model.n_species * model.n_pad
    for q in range(len(model.products_qk)):
        source, target, n_k, row = model.products_qk[q]
        for order in range(len(model.harmonics.a_lm)):
            for x2 in range(0, n_x, 4):
                c2 = (x2 // n_pad * n_t + target) * n_pad + x2 % n_pad
                for x in range(0, n_x, 4):
                    c = (x // n_pad * n_t + source) * n_pad + x % n_pad
                    _four_back(g_rx, row + order * n_x + x, x2, order, n_k, n_pad, c, c2, a_yx, ga_yx)


@inlined_jit
def _four_back(
    g_rx: FloatArray,
    row: int,
    x2: int,
    order: int,
    n_k: int,
    n_pad: int,
    c: int,
    c2: int,
    a_yx: FloatArray,
    ga_yx: FloatArray,
) -> None:
    """Add Σ_X A[y, X] g[X, X'] of four X (columns from c) and four X' (columns from c2), every component and m."""
    g0, g1, g2, g3 = load(g_rx, row, x2), load(g_rx, row + 1, x2), load(g_rx, row + 2, x2), load(g_rx, row + 3, x2)
    for _ in range(n_k):
        for y in range(order * order, (order + 1) * (order + 1)):
            more = (
                g0 * broadcast(a_yx, y, c)
                + g1 * broadcast(a_yx, y, c + 1)
                + (g2 * broadcast(a_yx, y, c + 2) + g3 * broadcast(a_yx, y, c + 3))
            )
            store(ga_yx, y, c2, load(ga_yx, y, c2) + more)
        c, c2 = c + n_pad, c2 + n_pad


@inner_jit
def three_body_adjoint(
    i: int,
    source: near.NearList,
    model: ThreeBody,
    around: layout.Layout,
    work: ThreeBodyWork,
    a_yx: FloatArray,
    g_f: FloatArray,
    gradient_a8: FloatArray,
    centre_r4: FloatArray,
) -> None:
    """Add the gradients of the environment of atom i, laid out before, from g = ∂E/∂p."""
    products_adjoint(model, a_yx, g_f, work.g_rx, work.ga_yx)
    n_segments, first = len(model.radial.maps_g2), source.starts_ab[i, 0]
    n, n_columns = source.starts_ab[i, model.n_species * n_segments] - first, len(work.w_xk)
    weight_rows(i, source, model, around, n, work.w_xk)
    for s in range(model.n_species):
        start = source.starts_ab[i, s * n_segments] - first
        stop = source.starts_ab[i, (s + 1) * n_segments] - first
        x0 = s * n_columns
        expand_columns(work.ga_yx, x0, n_columns, around.y_yk, len(around.y_yk), start, stop, work.gw_xk)
        expand_rows(work.ga_yx, x0, n_columns, work.w_xk, len(around.y_yk), start, stop, work.gy_yk)
    for k in range(0, n, 4):
        _add_column_gradients(i, source, model, around, work, k, gradient_a8, centre_r4)


@inlined_jit
def _add_column_gradients(
    i: int,
    source: near.NearList,
    model: ThreeBody,
    around: layout.Layout,
    work: ThreeBodyWork,
    k: int,
    gradient_a8: FloatArray,
    centre_r4: FloatArray,
) -> None:
    """Add the gradients by positions and spins of four neighbours, from ∂E/∂(c h) and ∂E/∂Y."""
    u, both, sx, sy, sz = _fetch_spins(i, source, around, k)
    radial, cosine_slope = splat(0.0), splat(0.0)
    tx, ty, tz = splat(0.0), splat(0.0), splat(0.0)
    for t in range(len(model.kinds_t)):
        kind = model.kinds_t[t]
        c, slope = channel_value(kind, splat(1.0), u, both, sx, sy, sz)
        along, by_c = splat(0.0), splat(0.0)
        for m in range(model.n_pad):
            g = load(work.gw_xk, t * model.n_pad + m, k)
            along = along + g * load(around.dh_nk, m, k)
            by_c = by_c + g * load(around.h_nk, m, k)
        radial = radial + along * c
        cosine_slope = cosine_slope + by_c * slope
        if kind == -1:
            tx = tx + by_c
        elif kind == -2:
            ty = ty + by_c
        elif kind == -3:
            tz = tz + by_c
    gx, gy, gz = harmonic_gradient(model.harmonics, work.harmonic, around, k, work.gy_yk)
    x, y = load(around.place_rk, layout.UNIT_X, k), load(around.place_rk, layout.UNIT_Y, k)
    z, per_r = load(around.place_rk, layout.UNIT_Z, k), load(around.place_rk, layout.PER_R, k)
    along = radial - (gx * x + gy * y + gz * z) * per_r
    force = (gx * per_r + along * x, gy * per_r + along * y, gz * per_r + along * z)
    layout.add_gradients(i, source, around, k, force, (tx, ty, tz), cosine_slope, gradient_a8, centre_r4)
