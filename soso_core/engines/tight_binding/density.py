"""Charge and spin of each atom, and bond orders between atoms, from the occupied states."""

from typing import TypeVar

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.engines.tight_binding.crystal import ComplexArray, Crystal, bloch_phases
from soso_core.engines.tight_binding.slater_koster import N_ORBITALS

AnyArray = TypeVar("AnyArray", FloatArray, ComplexArray)


def site_densities(states_kxb: ComplexArray, occupations_kb: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return electrons (a,) and moment vectors (a, 3), μB, from states (k, 10a, b) ordered (spin, atom, orbital)."""
    n_points, n_basis, n_bands = states_kxb.shape
    states_ksaob = states_kxb.reshape(n_points, 2, n_basis // (2 * N_ORBITALS), N_ORBITALS, n_bands)
    up_kaob, down_kaob = states_ksaob[:, 0], states_ksaob[:, 1]
    weights_kb = occupations_kb / n_points
    up_a = _sum_weighted(np.abs(up_kaob) ** 2, weights_kb)
    down_a = _sum_weighted(np.abs(down_kaob) ** 2, weights_kb)
    mixed_a = _sum_weighted(up_kaob * down_kaob.conj(), weights_kb)
    moments_ac = np.stack([2.0 * mixed_a.real, -2.0 * mixed_a.imag, up_a - down_a], axis=1)
    return up_a + down_a, moments_ac


def bond_orders(crystal: Crystal, states_kxb: ComplexArray, occupations_kb: FloatArray) -> FloatArray:
    """Return the (p, 5, 5) real bond orders, summed over spin: the derivative of the band energy by each hopping."""
    pairs, n_atoms, n_points = crystal.neighbours, len(crystal.configuration), len(crystal.points_kc)
    phases_kp = bloch_phases(crystal)
    orders_pab = np.zeros((len(pairs), N_ORBITALS, N_ORBITALS))
    for point in range(n_points):
        spin_sxb = states_kxb[point].reshape(2, N_ORBITALS * n_atoms, -1)
        density_xx = sum((s_xb * occupations_kb[point]) @ s_xb.conj().T for s_xb in spin_sxb)
        density_iajb = np.asarray(density_xx).reshape(n_atoms, N_ORBITALS, n_atoms, N_ORBITALS)
        blocks_pba = density_iajb[pairs.j_p, :, pairs.i_p, :]
        orders_pab += (phases_kp[point, :, None, None] * blocks_pba).real.transpose(0, 2, 1)
    return orders_pab / n_points


def _sum_weighted(values_kaob: AnyArray, weights_kb: FloatArray) -> AnyArray:
    return np.asarray(np.einsum("kab,kb->a", values_kaob.sum(axis=2), weights_kb))
