"""Slater-Koster d-d hopping blocks and their contraction with bond orders, in closed tensor form.

A real d orbital is a traceless symmetric 3 x 3 matrix Q_a with Tr(Q_a Q_b) = δ_ab.  For a bond along the unit
vector n, with s_a = n·Q_a·n and v_a = Q_a·n, the projectors onto σ, π and δ symmetry about the bond are

    P_σ = 3/2 s_a s_b,    P_π = 2 (v_a·v_b - s_a s_b),    P_δ = δ_ab - P_σ - P_π

and the block is V_σ P_σ + V_π P_π + V_δ P_δ: the table of Slater and Koster, Phys. Rev. 94, 1498 (1954), for all
directions at once, with polynomials as derivatives.
"""

import numpy as np

from soso_core.arrays import FloatArray

N_ORBITALS = 5


def _orbital_matrices() -> FloatArray:
    """Return Q of xy, yz, zx, x²-y², 3z²-r²: (orbital, 3, 3)."""
    q_oxy = np.zeros((N_ORBITALS, 3, 3))
    for orbital, (x, y) in enumerate(((0, 1), (1, 2), (2, 0))):
        q_oxy[orbital, x, y] = q_oxy[orbital, y, x] = np.sqrt(0.5)
    q_oxy[3] = np.diag([1.0, -1.0, 0.0]) / np.sqrt(2.0)
    q_oxy[4] = np.diag([-1.0, -1.0, 2.0]) / np.sqrt(6.0)
    return q_oxy


ORBITALS_OXY = _orbital_matrices()


def hopping_blocks(directions_pc: FloatArray, hoppings_ph: FloatArray) -> FloatArray:
    """Return the (p, 5, 5) blocks, eV, for unit vectors (p, 3) and (p, 3) hoppings V_σ, V_π, V_δ in eV."""
    v_poc, s_po = _bond_factors(directions_pc)
    identity_p, dot_p, square_p = _coefficients(hoppings_ph)
    return np.asarray(
        identity_p[:, None, None] * np.eye(N_ORBITALS)
        + dot_p[:, None, None] * np.einsum("pac,pbc->pab", v_poc, v_poc)
        + square_p[:, None, None] * np.einsum("pa,pb->pab", s_po, s_po)
    )


def bond_gradients(
    vectors_pc: FloatArray, hoppings_ph: FloatArray, slopes_ph: FloatArray, orders_pab: FloatArray
) -> FloatArray:
    """Return (p, 3), eV/Å: the gradient of `sum_ab order_ab block_ab` with respect to each bond vector.

    `vectors_pc` in Å; `slopes_ph` are the radial derivatives of the hoppings, eV/Å; `orders_pab` the (p, 5, 5) bond
    orders, held fixed.
    """
    distances_p = np.linalg.norm(vectors_pc, axis=1)
    n_pc = vectors_pc / distances_p[:, None]
    v_poc, s_po = _bond_factors(n_pc)
    symmetric_pab = 0.5 * (orders_pab + orders_pab.transpose(0, 2, 1))
    order_v_pac = np.einsum("pab,pbc->pac", symmetric_pab, v_poc)
    order_s_pa = np.einsum("pab,pb->pa", symmetric_pab, s_po)
    contractions_pk = np.stack(
        [
            np.einsum("paa->p", symmetric_pab),
            np.einsum("pac,pac->p", order_v_pac, v_poc),
            np.einsum("pa,pa->p", order_s_pa, s_po),
        ],
        axis=1,
    )
    radial_p = np.sum(np.stack(_coefficients(slopes_ph), axis=1) * contractions_pk, axis=1)
    _, dot_p, square_p = _coefficients(hoppings_ph)
    angular_pc = 2.0 * dot_p[:, None] * np.einsum("axy,pay->px", ORBITALS_OXY, order_v_pac)
    angular_pc += 4.0 * square_p[:, None] * np.einsum("pa,pac->pc", order_s_pa, v_poc)
    angular_pc -= np.sum(angular_pc * n_pc, axis=1, keepdims=True) * n_pc
    return np.asarray(radial_p[:, None] * n_pc + angular_pc / distances_p[:, None])


def _bond_factors(directions_pc: FloatArray) -> tuple[FloatArray, FloatArray]:
    v_poc = np.einsum("oxy,py->pox", ORBITALS_OXY, directions_pc)
    return v_poc, np.einsum("pox,px->po", v_poc, directions_pc)


def _coefficients(hoppings_ph: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the weights of δ_ab, v_a·v_b and s_a s_b."""
    sigma_p, pi_p, delta_p = hoppings_ph.T
    return delta_p, 2.0 * (pi_p - delta_p), 1.5 * sigma_p - 2.0 * pi_p + 0.5 * delta_p
