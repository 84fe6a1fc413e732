"""Sums of derivatives over centres: contributions of each to itself, to its neighbours and to strain.

Letters: a atom, c Cartesian, q group of periodic images of one neighbour of centre i, b column, d direction as in
`kernels.exact.jacobian`.
"""

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import jit


@jit
def scale_and_project(rows_db: FloatArray, scale_b: FloatArray, move_d: FloatArray, along_b: FloatArray) -> None:
    """Replace rows by rows · scale - move · along."""
    for d in range(rows_db.shape[0]):
        for b in range(rows_db.shape[1]):
            rows_db[d, b] = rows_db[d, b] * scale_b[b] - move_d[d] * along_b[b]


@jit
def add_monomial_rows(moves_db: FloatArray, t_k: IntArray, slopes_kb: FloatArray, rows_dtb: FloatArray) -> None:
    """Add to the rows of monomials t_k how a block kernel moves, times their slopes by it."""
    for d in range(moves_db.shape[0]):
        for k in range(len(t_k)):
            for b in range(moves_db.shape[1]):
                rows_dtb[d, t_k[k], b] += moves_db[d, b] * slopes_kb[k, b]


@jit
def add_product_rows(i: int, j_q: IntArray, e_ac: FloatArray, u_qb: FloatArray, out_acb: FloatArray) -> None:
    """Add derivatives u by e_i·e_j to both ends of every pair of centre i."""
    for q in range(len(j_q)):
        for c in range(3):
            for b in range(u_qb.shape[1]):
                out_acb[i, c, b] += u_qb[q, b] * e_ac[j_q[q], c]
            for b in range(u_qb.shape[1]):
                out_acb[j_q[q], c, b] += u_qb[q, b] * e_ac[i, c]


@jit
def add_neighbour_rows(j_q: IntArray, v_db: FloatArray, out_acb: FloatArray) -> None:
    """Add derivatives v by component c of every neighbour, d = (c, q)."""
    n_q = len(j_q)
    for c in range(3):
        for q in range(n_q):
            for b in range(v_db.shape[1]):
                out_acb[j_q[q], c, b] += v_db[c * n_q + q, b]


@jit
def add_position_rows(i: int, j_q: IntArray, rows_db: FloatArray, out_acb: FloatArray, strain_db: FloatArray) -> None:
    """Add derivatives by displacements to neighbours, take them off centre i, and add the six strains."""
    n_q = len(j_q)
    for q in range(n_q):
        for c in range(3):
            for b in range(rows_db.shape[1]):
                out_acb[j_q[q], c, b] += rows_db[3 * q + c, b]
            for b in range(rows_db.shape[1]):
                out_acb[i, c, b] -= rows_db[3 * q + c, b]
    for d in range(6):
        for b in range(rows_db.shape[1]):
            strain_db[d, b] += rows_db[3 * n_q + d, b]
