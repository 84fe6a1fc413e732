"""Neighbour densities d[a, s, n, λ] = Σ_pairs h_n(r) q_λ(e_i·e_j) and their exact adjoints.

Pairs are (i, j, s): centre, neighbour, species index of the neighbour.  Arrays end in their axis
letters: p pair, a atom, s species, n radial, l Legendre order λ, c Cartesian.
"""

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import jit
from soso_core.kernels.exact.jacobian import add_radial_gradient


@jit
def sum_images(starts_q: IntArray, h_pn: FloatArray) -> FloatArray:
    """Return the sums of h over the pairs starts_q[q]:starts_q[q + 1] of every group of periodic images, (q, n)."""
    h_qn = np.zeros((len(starts_q) - 1, h_pn.shape[1]))
    for q in range(len(h_qn)):
        for p in range(starts_q[q], starts_q[q + 1]):
            for n in range(h_pn.shape[1]):
                h_qn[q, n] += h_pn[p, n]
    return h_qn


@jit
def density(
    i_p: IntArray, s_p: IntArray, h_pn: FloatArray, q_pl: FloatArray, n_atoms: int, n_species: int
) -> FloatArray:
    """Return the density of every centre, (a, s, n, l)."""
    d_asnl = np.zeros((n_atoms, n_species, h_pn.shape[1], q_pl.shape[1]))
    for p in range(len(i_p)):
        target_nl = d_asnl[i_p[p], s_p[p]]
        for n in range(h_pn.shape[1]):
            for m in range(q_pl.shape[1]):
                target_nl[n, m] += h_pn[p, n] * q_pl[p, m]
    return d_asnl


@jit
def spin_density(
    i_p: IntArray, j_p: IntArray, s_p: IntArray, h_pn: FloatArray, dq_pl: FloatArray, e_ac: FloatArray, n_species: int
) -> FloatArray:
    """Return Σ_pairs h_n q'_λ e_j, the derivative of d_i by e_i, (a, c, s, n, l)."""
    v_acsnl = np.zeros((len(e_ac), 3, n_species, h_pn.shape[1], dq_pl.shape[1]))
    for p in range(len(i_p)):
        for c in range(3):
            target_nl = v_acsnl[i_p[p], c, s_p[p]]
            for n in range(h_pn.shape[1]):
                weight = h_pn[p, n] * e_ac[j_p[p], c]
                for m in range(dq_pl.shape[1]):
                    target_nl[n, m] += weight * dq_pl[p, m]
    return v_acsnl


@jit
def density_spin_adjoint(
    i_p: IntArray,
    j_p: IntArray,
    s_p: IntArray,
    h_pn: FloatArray,
    dq_pl: FloatArray,
    e_ac: FloatArray,
    g_asnl: FloatArray,
) -> FloatArray:
    """Return ∂E/∂e (a, c) from g = ∂E/∂d (a, s, n, l).

    Each pair moves both ends: v = Σ_nλ g h_n q'_λ adds v e_j to centre i and v e_i to neighbour j.
    """
    out_ac = np.zeros((len(e_ac), 3))
    for p in range(len(i_p)):
        i, j = i_p[p], j_p[p]
        g_nl, value = g_asnl[i, s_p[p]], 0.0
        for n in range(h_pn.shape[1]):
            for m in range(dq_pl.shape[1]):
                value += h_pn[p, n] * dq_pl[p, m] * g_nl[n, m]
        for c in range(3):
            out_ac[i, c] += value * e_ac[j, c]
            out_ac[j, c] += value * e_ac[i, c]
    return out_ac


@jit
def density_position_adjoint(
    i_p: IntArray,
    j_p: IntArray,
    s_p: IntArray,
    vectors_pc: FloatArray,
    r_p: FloatArray,
    dh_pn: FloatArray,
    q_pl: FloatArray,
    g_asnl: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return ∂E/∂position (a, c) and the strain derivative ∂E/∂ε (c, c) from g = ∂E/∂d (a, s, n, l)."""
    gradient_ac = np.zeros((len(g_asnl), 3))
    strain_cc = np.zeros((3, 3))
    for p in range(len(i_p)):
        slope = 0.0
        g_nl = g_asnl[i_p[p], s_p[p]]
        for n in range(dh_pn.shape[1]):
            for m in range(q_pl.shape[1]):
                slope += g_nl[n, m] * dh_pn[p, n] * q_pl[p, m]
        for c in range(3):
            along = slope * vectors_pc[p, c] / r_p[p]
            gradient_ac[j_p[p], c] += along
            gradient_ac[i_p[p], c] -= along
            for k in range(3):
                strain_cc[c, k] += along * vectors_pc[p, k]
    return gradient_ac, strain_cc


@jit
def position_density(
    starts_q: IntArray,
    i_q: IntArray,
    s_q: IntArray,
    vectors_pc: FloatArray,
    r_p: FloatArray,
    dh_pn: FloatArray,
    values_ql: FloatArray,
    n_atoms: int,
    n_species: int,
) -> FloatArray:
    """Return Σ_pairs q_λ times the derivative of h_n by the vector (3) and by strain (6) of a centre, (a, d, s, n, l).

    Pairs starts_q[q]:starts_q[q+1] are periodic images and share q_λ; strains as in `jacobian.strain_index`.
    """
    n_max, n_l = dh_pn.shape[1], values_ql.shape[1]
    out_adsnl = np.zeros((n_atoms, 9, n_species, n_max, n_l))
    move_nd = np.zeros((n_max, 9))
    for q in range(len(i_q)):
        move_nd[:] = 0.0
        for p in range(starts_q[q], starts_q[q + 1]):
            add_radial_gradient(vectors_pc[p], r_p[p], dh_pn[p], move_nd)
        for d in range(9):
            target_nl = out_adsnl[i_q[q], d, s_q[q]]
            for n in range(n_max):
                for m in range(n_l):
                    target_nl[n, m] += move_nd[n, d] * values_ql[q, m]
    return out_adsnl
