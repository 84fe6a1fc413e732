"""Decorated neighbour densities A, their power spectrum, and the exact adjoints of both.

    A[a, t, x, y] = Σ_j W[k, s_j] h_n(r) Y_lm(r̂) c_t(i, j),    x = (k, n), y = (l, m)
    p[a, f]       = Σ_k Σ_m A[a, t+k, x, y] A[a, t'+k, x', y] / sqrt(2l+1)

A component t is a scalar channel or one Cartesian component of a vector channel.  Pairs p are sorted by centre
and neighbour; images of one pair (i, j) share their spins, so they are groups q: pairs starts_q[q]:starts_q[q+1].
mix_ks is W, what a neighbour of species s gives to the density of element channel k; zeros in it are skipped.
Table terms_wk, one row for each channel pair: first t, first t', number of components k, first column f; when
t = t', only x <= x' is kept and off-diagonals carry sqrt(2), so that dot products of p are unchanged.
"""

import math

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import jit


@jit
def add_images(start: int, stop: int, h_pn: FloatArray, y_py: FloatArray, out_ny: FloatArray) -> None:
    """Write Σ_images h_n Y_lm of one pair into out_ny."""
    out_ny[:] = 0.0
    for p in range(start, stop):
        for n in range(h_pn.shape[1]):
            for y in range(y_py.shape[1]):
                out_ny[n, y] += h_pn[p, n] * y_py[p, y]


@jit
def decorated_density(
    starts_q: IntArray,
    i_q: IntArray,
    s_q: IntArray,
    mix_ks: FloatArray,
    h_pn: FloatArray,
    y_py: FloatArray,
    c_qt: FloatArray,
    n_atoms: int,
) -> FloatArray:
    """Return A of every centre, (a, t, x, y)."""
    n_max = h_pn.shape[1]
    a_atxy = np.zeros((n_atoms, c_qt.shape[1], len(mix_ks) * n_max, y_py.shape[1]))
    shape_ny = np.zeros((n_max, y_py.shape[1]))
    for q in range(len(i_q)):
        add_images(starts_q[q], starts_q[q + 1], h_pn, y_py, shape_ny)
        for t in range(c_qt.shape[1]):
            for k in range(len(mix_ks)):
                weight = c_qt[q, t] * mix_ks[k, s_q[q]]
                if weight == 0.0:
                    continue
                for n in range(n_max):
                    for y in range(y_py.shape[1]):
                        a_atxy[i_q[q], t, k * n_max + n, y] += weight * shape_ny[n, y]
    return a_atxy


@jit
def power_spectrum(a_atxy: FloatArray, terms_wk: IntArray, l_max: int, n_features: int) -> FloatArray:
    """Return p of every centre, (a, f)."""
    n_x = a_atxy.shape[2]
    p_af = np.zeros((len(a_atxy), n_features))
    for a in range(len(a_atxy)):
        for w in range(len(terms_wk)):
            same = terms_wk[w, 0] == terms_wk[w, 1]
            f = terms_wk[w, 3]
            for x in range(n_x):
                for x2 in range(x if same else 0, n_x):
                    twice = 2.0 if same and x2 != x else 1.0
                    for order in range(l_max + 1):
                        total = 0.0
                        for k in range(terms_wk[w, 2]):
                            left_y = a_atxy[a, terms_wk[w, 0] + k, x]
                            right_y = a_atxy[a, terms_wk[w, 1] + k, x2]
                            for y in range(order * order, (order + 1) ** 2):
                                total += left_y[y] * right_y[y]
                        p_af[a, f] = total * math.sqrt(twice / (2 * order + 1))
                        f += 1
    return p_af


@jit
def power_spectrum_adjoint(a_atxy: FloatArray, terms_wk: IntArray, l_max: int, g_afb: FloatArray) -> FloatArray:
    """Return ∂E_b/∂A, (a, t, x, y, b), from g = ∂E_b/∂p (a, f, b): each product gives to both its factors."""
    n_atoms, n_t, n_x, n_y = a_atxy.shape
    n_columns = g_afb.shape[2]
    out_atxyb = np.zeros((n_atoms, n_t, n_x, n_y, n_columns))
    for a in range(n_atoms):
        for w in range(len(terms_wk)):
            same = terms_wk[w, 0] == terms_wk[w, 1]
            f = terms_wk[w, 3]
            for x in range(n_x):
                for x2 in range(x if same else 0, n_x):
                    twice = 2.0 if same and x2 != x else 1.0
                    for order in range(l_max + 1):
                        scale = math.sqrt(twice / (2 * order + 1))
                        for k in range(terms_wk[w, 2]):
                            left, right = terms_wk[w, 0] + k, terms_wk[w, 1] + k
                            for y in range(order * order, (order + 1) ** 2):
                                to_left = scale * a_atxy[a, right, x2, y]
                                to_right = scale * a_atxy[a, left, x, y]
                                for b in range(n_columns):
                                    out_atxyb[a, left, x, y, b] += to_left * g_afb[a, f, b]
                                for b in range(n_columns):
                                    out_atxyb[a, right, x2, y, b] += to_right * g_afb[a, f, b]
                        f += 1
    return out_atxyb


@jit
def decorated_spin_adjoint(
    starts_q: IntArray,
    i_q: IntArray,
    j_q: IntArray,
    s_q: IntArray,
    mix_ks: FloatArray,
    h_pn: FloatArray,
    y_py: FloatArray,
    slope_qt: FloatArray,
    axis_t: IntArray,
    e_ac: FloatArray,
    g_atxyb: FloatArray,
) -> FloatArray:
    """Return ∂E_b/∂e (a, c, b) from g = ∂E_b/∂A: one sweep for all columns b.

    axis_t < 0: c_t is a function of e_i·e_j with slope slope_qt, and moves both ends; otherwise c_t is the
    component axis_t of e_j with slope 1 or, where slope_qt is zero, absent.
    """
    n_max, n_columns = h_pn.shape[1], g_atxyb.shape[4]
    out_acb = np.zeros((len(e_ac), 3, n_columns))
    shape_ny = np.zeros((n_max, y_py.shape[1]))
    v_b = np.zeros(n_columns)
    for q in range(len(i_q)):
        i, j = i_q[q], j_q[q]
        add_images(starts_q[q], starts_q[q + 1], h_pn, y_py, shape_ny)
        for t in range(len(axis_t)):
            if slope_qt[q, t] == 0.0:
                continue
            v_b[:] = 0.0
            for k in range(len(mix_ks)):
                weight = slope_qt[q, t] * mix_ks[k, s_q[q]]
                if weight != 0.0:
                    _project(shape_ny, weight, g_atxyb[i, t], k * n_max, v_b)
            if axis_t[t] >= 0:
                for b in range(n_columns):
                    out_acb[j, axis_t[t], b] += v_b[b]
                continue
            for c in range(3):
                for b in range(n_columns):
                    out_acb[i, c, b] += v_b[b] * e_ac[j, c]
                    out_acb[j, c, b] += v_b[b] * e_ac[i, c]
    return out_acb


@jit
def _project(shape_ny: FloatArray, slope: float, g_xyb: FloatArray, first_x: int, out_b: FloatArray) -> None:
    """Add slope · Σ_ny g[first_x + n, y] shape[n, y] to out_b."""
    for n in range(shape_ny.shape[0]):
        for y in range(shape_ny.shape[1]):
            weight = slope * shape_ny[n, y]
            for b in range(len(out_b)):
                out_b[b] += weight * g_xyb[first_x + n, y, b]


@jit
def decorated_position_adjoint(
    starts_q: IntArray,
    i_q: IntArray,
    j_q: IntArray,
    s_q: IntArray,
    mix_ks: FloatArray,
    vectors_pc: FloatArray,
    r_p: FloatArray,
    h_pn: FloatArray,
    dh_pn: FloatArray,
    y_py: FloatArray,
    dy_pyc: FloatArray,
    c_qt: FloatArray,
    g_atxy: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return ∂E/∂position (a, c) and the strain derivative ∂E/∂ε (c, c) from g = ∂E/∂A (a, t, x, y)."""
    n_max = h_pn.shape[1]
    gradient_ac = np.zeros((len(g_atxy), 3))
    strain_cc = np.zeros((3, 3))
    g_ny = np.zeros((n_max, y_py.shape[1]))
    pull_c = np.zeros(3)
    for q in range(len(i_q)):
        g_ny[:] = 0.0
        for t in range(c_qt.shape[1]):
            for k in range(len(mix_ks)):
                weight = c_qt[q, t] * mix_ks[k, s_q[q]]
                if weight == 0.0:
                    continue
                for n in range(n_max):
                    for y in range(y_py.shape[1]):
                        g_ny[n, y] += weight * g_atxy[i_q[q], t, k * n_max + n, y]
        for p in range(starts_q[q], starts_q[q + 1]):
            _pull(g_ny, h_pn[p], dh_pn[p], y_py[p], dy_pyc[p], vectors_pc[p], r_p[p], pull_c)
            for c in range(3):
                gradient_ac[j_q[q], c] += pull_c[c]
                gradient_ac[i_q[q], c] -= pull_c[c]
                for k in range(3):
                    strain_cc[c, k] += pull_c[c] * vectors_pc[p, k]
    return gradient_ac, strain_cc


@jit
def _pull(
    g_ny: FloatArray,
    h_n: FloatArray,
    dh_n: FloatArray,
    y_y: FloatArray,
    dy_yc: FloatArray,
    vector_c: FloatArray,
    r: float,
    out_c: FloatArray,
) -> None:
    """Write the derivative of Σ_ny g h_n(r) Y_lm(r̂) by the vector into out_c."""
    radial = 0.0
    out_c[:] = 0.0
    for y in range(len(y_y)):
        tangential = 0.0
        for n in range(len(h_n)):
            radial += g_ny[n, y] * dh_n[n] * y_y[y]
            tangential += g_ny[n, y] * h_n[n]
        for c in range(3):
            out_c[c] += tangential * dy_yc[y, c]
    for c in range(3):
        out_c[c] += radial * vector_c[c] / r
