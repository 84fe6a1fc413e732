"""Jacobians of the descriptors of one centre: derivatives of its features f along directions d.

A direction is a change of one group q of periodic images: of e_i·e_j or e_j for spins; for positions the
displacement of j along c, d = 3q + c, followed by the six strains of `strain_index`.  With the Jacobian at hand the
design rows of many columns are one matrix product for each centre.  Letters as in `kernels.exact.three_body`.
"""

import math

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import jit
from soso_core.kernels.exact.three_body import add_images


@jit
def strain_index(c: int, k: int) -> int:
    """Return 0..5 for the strain ε_ck = ε_kc: xx, yy, zz, yz, xz, xy.

    Descriptors are invariant under rotations of the lattice, so strain derivatives are symmetric.
    """
    return c if c == k else 6 - c - k


@jit
def density_spin_slopes(
    starts_q: IntArray, s_q: IntArray, mix_ks: FloatArray, h_pn: FloatArray, y_py: FloatArray, slope_qt: FloatArray
) -> FloatArray:
    """Return slope_t W Σ_images h_n Y_lm for the groups of one centre, (t, x, y, q): ∂A by the argument of c_t."""
    n_max, n_y = h_pn.shape[1], y_py.shape[1]
    n_q, n_t = slope_qt.shape
    out_txyq = np.zeros((n_t, len(mix_ks) * n_max, n_y, n_q))
    shape_ny = np.zeros((n_max, n_y))
    for q in range(n_q):
        add_images(starts_q[q], starts_q[q + 1], h_pn, y_py, shape_ny)
        for t in range(n_t):
            for k in range(len(mix_ks)):
                weight = slope_qt[q, t] * mix_ks[k, s_q[q]]
                for n in range(n_max):
                    for y in range(n_y):
                        out_txyq[t, k * n_max + n, y, q] = weight * shape_ny[n, y]
    return out_txyq


@jit
def density_position_slopes(
    starts_q: IntArray,
    s_q: IntArray,
    mix_ks: FloatArray,
    vectors_pc: FloatArray,
    r_p: FloatArray,
    h_pn: FloatArray,
    dh_pn: FloatArray,
    y_py: FloatArray,
    dy_pyc: FloatArray,
    c_qt: FloatArray,
) -> FloatArray:
    """Return ∂A by the position of every neighbour of one centre, then by strain, (t, x, y, d), 1/Å and 1."""
    n_max, n_y = h_pn.shape[1], y_py.shape[1]
    n_q, n_t = c_qt.shape
    out_txyd = np.zeros((n_t, len(mix_ks) * n_max, n_y, 3 * n_q + 6))
    move_nyd = np.zeros((n_max, n_y, 9))
    for q in range(n_q):
        move_nyd[:] = 0.0
        for p in range(starts_q[q], starts_q[q + 1]):
            _add_gradient(vectors_pc[p], r_p[p], h_pn[p], dh_pn[p], y_py[p], dy_pyc[p], move_nyd)
        for t in range(n_t):
            for k in range(len(mix_ks)):
                weight = c_qt[q, t] * mix_ks[k, s_q[q]]
                if weight == 0.0:
                    continue
                for n in range(n_max):
                    for y in range(n_y):
                        for c in range(3):
                            out_txyd[t, k * n_max + n, y, 3 * q + c] = weight * move_nyd[n, y, c]
                        for d in range(6):
                            out_txyd[t, k * n_max + n, y, 3 * n_q + d] += weight * move_nyd[n, y, 3 + d]
    return out_txyd


@jit
def _add_gradient(
    vector_c: FloatArray,
    r: float,
    h_n: FloatArray,
    dh_n: FloatArray,
    y_y: FloatArray,
    dy_yc: FloatArray,
    out_nyd: FloatArray,
) -> None:
    """Add the derivative of h_n(r) Y_lm(r̂) by the vector and by strain to out_nyd (n, y, 3 + 6)."""
    for n in range(len(h_n)):
        for y in range(len(y_y)):
            radial = dh_n[n] * y_y[y] / r
            for c in range(3):
                slope = radial * vector_c[c] + h_n[n] * dy_yc[y, c]
                out_nyd[n, y, c] += slope
                for k in range(c, 3):
                    out_nyd[n, y, 3 + strain_index(c, k)] += slope * vector_c[k]


@jit
def power_spectrum_jacobian(
    a_txy: FloatArray, da_txyd: FloatArray, terms_wk: IntArray, l_max: int, n_features: int, by_component: bool
) -> FloatArray:
    """Return the derivatives of p of one centre along directions that move A by da_txyd, (f, d).

    With `by_component` all terms are products of vectors and da is by e_j: component c of A moves with e_jc only, and
    the directions returned are (c, d).
    """
    n_d = da_txyd.shape[3]
    out_fd = np.zeros((n_features, 3 * n_d if by_component else n_d))
    for w in range(len(terms_wk)):
        left, right, n_components, first_f = terms_wk[w]
        for k in range(n_components):
            add_products(
                a_txy[left + k], a_txy[right + k], da_txyd[left + k], da_txyd[right + k], left == right, l_max,
                first_f, k * n_d if by_component else 0, out_fd,
            )  # fmt: skip
    return out_fd


@jit
def add_products(
    left_xy: FloatArray,
    right_xy: FloatArray,
    dleft_xyd: FloatArray,
    dright_xyd: FloatArray,
    same: bool,
    l_max: int,
    first_f: int,
    first_d: int,
    out_fd: FloatArray,
) -> None:
    """Add d(Σ_m left right) / sqrt(2l+1) of every x, x', l to out_fd, from row first_f and column first_d on."""
    f = first_f
    for x in range(len(left_xy)):
        for x2 in range(x if same else 0, len(left_xy)):
            twice = 2.0 if same and x2 != x else 1.0
            for order in range(l_max + 1):
                scale = math.sqrt(twice / (2 * order + 1))
                for y in range(order * order, (order + 1) ** 2):
                    to_left = scale * right_xy[x2, y]
                    to_right = scale * left_xy[x, y]
                    for d in range(dleft_xyd.shape[2]):
                        out_fd[f, first_d + d] += to_left * dleft_xyd[x, y, d] + to_right * dright_xyd[x2, y, d]
                f += 1


@jit
def pair_spin_jacobian(s_q: IntArray, h_qn: FloatArray, slope_ql: FloatArray, n_species: int) -> FloatArray:
    """Return ∂d/∂(e_i·e_j) of one centre, (f, q), f = (s, n, λ)."""
    n_max, n_l = h_qn.shape[1], slope_ql.shape[1]
    out_fq = np.zeros((n_species * n_max * n_l, len(s_q)))
    for q in range(len(s_q)):
        for n in range(n_max):
            for m in range(n_l):
                out_fq[(s_q[q] * n_max + n) * n_l + m, q] = h_qn[q, n] * slope_ql[q, m]
    return out_fq


@jit
def pair_position_jacobian(
    starts_q: IntArray,
    s_q: IntArray,
    vectors_pc: FloatArray,
    r_p: FloatArray,
    dh_pn: FloatArray,
    values_ql: FloatArray,
    n_species: int,
) -> FloatArray:
    """Return ∂d of one centre by the position of every neighbour, then by strain, (f, d), f = (s, n, λ)."""
    n_max, n_l, n_q = dh_pn.shape[1], values_ql.shape[1], len(s_q)
    out_fd = np.zeros((n_species * n_max * n_l, 3 * n_q + 6))
    move_nd = np.zeros((n_max, 9))
    for q in range(n_q):
        move_nd[:] = 0.0
        for p in range(starts_q[q], starts_q[q + 1]):
            add_radial_gradient(vectors_pc[p], r_p[p], dh_pn[p], move_nd)
        for n in range(n_max):
            for m in range(n_l):
                f = (s_q[q] * n_max + n) * n_l + m
                for c in range(3):
                    out_fd[f, 3 * q + c] = values_ql[q, m] * move_nd[n, c]
                for d in range(6):
                    out_fd[f, 3 * n_q + d] += values_ql[q, m] * move_nd[n, 3 + d]
    return out_fd


@jit
def add_radial_gradient(vector_c: FloatArray, r: float, dh_n: FloatArray, out_nd: FloatArray) -> None:
    """Add the derivative of h_n(r) by the vector and by strain to out_nd (n, 3 + 6)."""
    for n in range(len(dh_n)):
        for c in range(3):
            slope = dh_n[n] * vector_c[c] / r
            out_nd[n, c] += slope
            for k in range(c, 3):
                out_nd[n, 3 + strain_index(c, k)] += slope * vector_c[k]
