"""Decorated neighbour densities A, their power spectrum, and the exact adjoints of both.

    A[a, t, x, y] = Σ_j W[k, s_j] h_n(r) Y_lm(r̂) c_t(i, j),    x = (k, n), y = (l, m)
    p[a, f]       = Σ_k Σ_m A[a, t+k, x, y] A[a, t'+k, x', y] / sqrt(2l+1)

A component t is a scalar channel or one Cartesian component of a vector channel.  Pairs p are sorted by centre
and neighbour; images of one pair (i, j) share their spins, so they are groups q: pairs starts_q[q]:starts_q[q+1].
mix_ks is W, the weight of a neighbour of species s in element channel k; zeros in it are skipped.
Table terms_wk, one row for each channel pair: first t, first t', number of components k, first column f; when
t = t', only x <= x' is kept and off-diagonals carry sqrt(2), so that dot products of p are unchanged.
"""

import math
from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import jit


class PairGroups(NamedTuple):
    """Groups q of periodic images: pairs starts_q[q]:starts_q[q + 1], centre, neighbour, species of the neighbour."""

    starts_q: IntArray
    i_q: IntArray
    j_q: IntArray
    s_q: IntArray


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
    groups: PairGroups, mix_ks: FloatArray, h_pn: FloatArray, y_py: FloatArray, c_qt: FloatArray, n_atoms: int
) -> FloatArray:
    """Return A of every centre, (a, t, x, y)."""
    starts_q, i_q, s_q = groups.starts_q, groups.i_q, groups.s_q
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
def power_spectrum_adjoint(a_atxy: FloatArray, terms_wk: IntArray, l_max: int, g_af: FloatArray) -> FloatArray:
    """Return ∂E/∂A, (a, t, x, y), from g = ∂E/∂p (a, f): each product gives to both its factors."""
    n_x = a_atxy.shape[2]
    out_atxy = np.zeros_like(a_atxy)
    for a in range(len(a_atxy)):
        for w in range(len(terms_wk)):
            same = terms_wk[w, 0] == terms_wk[w, 1]
            f = terms_wk[w, 3]
            for x in range(n_x):
                for x2 in range(x if same else 0, n_x):
                    twice = 2.0 if same and x2 != x else 1.0
                    for order in range(l_max + 1):
                        g = g_af[a, f] * math.sqrt(twice / (2 * order + 1))
                        for k in range(terms_wk[w, 2]):
                            left, right = terms_wk[w, 0] + k, terms_wk[w, 1] + k
                            for y in range(order * order, (order + 1) ** 2):
                                out_atxy[a, left, x, y] += g * a_atxy[a, right, x2, y]
                                out_atxy[a, right, x2, y] += g * a_atxy[a, left, x, y]
                        f += 1
    return out_atxy


@jit
def decorated_spin_adjoint(
    groups: PairGroups,
    mix_ks: FloatArray,
    h_pn: FloatArray,
    y_py: FloatArray,
    slope_qt: FloatArray,
    kinds_t: IntArray,
    e_ac: FloatArray,
    g_atxy: FloatArray,
) -> FloatArray:
    """Return ∂E/∂e (a, c) from g = ∂E/∂A.

    A function of e_i·e_j (kinds_t >= 0, see `kernels.channels`) moves both ends, a component of e_j that one alone.
    """
    n_max = h_pn.shape[1]
    out_ac = np.zeros((len(e_ac), 3))
    shape_ny = np.zeros((n_max, y_py.shape[1]))
    for q in range(len(groups.i_q)):
        i, j = groups.i_q[q], groups.j_q[q]
        add_images(groups.starts_q[q], groups.starts_q[q + 1], h_pn, y_py, shape_ny)
        for t in range(len(kinds_t)):
            value = 0.0
            for k in range(len(mix_ks)):
                weight = slope_qt[q, t] * mix_ks[k, groups.s_q[q]]
                if weight != 0.0:
                    value += weight * _project(shape_ny, g_atxy[i, t], k * n_max)
            if kinds_t[t] < 0:
                out_ac[j, -1 - kinds_t[t]] += value
                continue
            for c in range(3):
                out_ac[i, c] += value * e_ac[j, c]
                out_ac[j, c] += value * e_ac[i, c]
    return out_ac


@jit
def _project(shape_ny: FloatArray, g_xy: FloatArray, first_x: int) -> float:
    """Return Σ_ny g[first_x + n, y] shape[n, y]."""
    total = 0.0
    for n in range(shape_ny.shape[0]):
        for y in range(shape_ny.shape[1]):
            total += shape_ny[n, y] * g_xy[first_x + n, y]
    return total


@jit
def decorated_position_adjoint(
    groups: PairGroups,
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
    starts_q, i_q, j_q, s_q = groups
    n_max = h_pn.shape[1]
    gradient_ac = np.zeros((len(g_atxy), 3))
    strain_cc = np.zeros((3, 3))
    g_ny = np.zeros((n_max, y_py.shape[1]))
    slope_c = np.zeros(3)
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
            _vector_gradient(g_ny, h_pn[p], dh_pn[p], y_py[p], dy_pyc[p], vectors_pc[p], r_p[p], slope_c)
            for c in range(3):
                gradient_ac[j_q[q], c] += slope_c[c]
                gradient_ac[i_q[q], c] -= slope_c[c]
                for k in range(3):
                    strain_cc[c, k] += slope_c[c] * vectors_pc[p, k]
    return gradient_ac, strain_cc


@jit
def _vector_gradient(
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
