"""Monte Carlo of spins on a fixed lattice: an update sums the pairs of one spin, and the environments it is in."""

from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import inner_jit, jit
from soso_core.kernels.monte_carlo.environments import Environments, accept, energy_change
from soso_core.kernels.monte_carlo.proposals import (
    Direction,
    Proposal,
    metropolis_accept,
    propose_gaussian,
    propose_heat_bath,
)


class PairTable(NamedTuple):
    """E = ½ Σ_i Σ_q Σ_k powers_qk u^k - Σ_i b_i·e_i, u = e_i·e_j, k from 1 (column 0 is k = 1).

    Pairs of atom i are offsets_a[i]:offsets_a[i + 1], so each pair occurs twice; j_q (q,) is the other end, never i.
    powers_qk eV, field_ac b eV.
    """

    offsets_a: IntArray
    j_q: IntArray
    powers_qk: FloatArray
    field_ac: FloatArray


@inner_jit
def local_energy(i: int, x: float, y: float, z: float, table: PairTable, spins_ac: FloatArray) -> float:
    """Return the part of the energy that depends on atom i when its spin is (x, y, z), eV."""
    field_ac, powers_qk = table.field_ac, table.powers_qk
    total = -(field_ac[i, 0] * x + field_ac[i, 1] * y + field_ac[i, 2] * z)
    for q in range(table.offsets_a[i], table.offsets_a[i + 1]):
        j = table.j_q[q]
        u = x * spins_ac[j, 0] + y * spins_ac[j, 1] + z * spins_ac[j, 2]
        value = 0.0
        for k in range(powers_qk.shape[1] - 1, -1, -1):
            value = (value + powers_qk[q, k]) * u
        total += value
    return float(total)


@inner_jit
def linear_field(i: int, table: PairTable, spins_ac: FloatArray) -> Direction:
    """Return the field on spin i of the terms linear in u, eV."""
    x, y, z = table.field_ac[i, 0], table.field_ac[i, 1], table.field_ac[i, 2]
    for q in range(table.offsets_a[i], table.offsets_a[i + 1]):
        j, slope = table.j_q[q], table.powers_qk[q, 0]
        x -= slope * spins_ac[j, 0]
        y -= slope * spins_ac[j, 1]
        z -= slope * spins_ac[j, 2]
    return x, y, z


@jit
def pair_energy(table: PairTable, spins_ac: FloatArray) -> float:
    """Return the energy of all spins, eV."""
    total = 0.0
    for i in range(len(spins_ac)):
        x, y, z = spins_ac[i, 0], spins_ac[i, 1], spins_ac[i, 2]
        along = table.field_ac[i, 0] * x + table.field_ac[i, 1] * y + table.field_ac[i, 2] * z
        total += 0.5 * (local_energy(i, x, y, z, table, spins_ac) - along)
    return total


@jit
def propose(
    i: int, table: PairTable, proposal: Proposal, spins_ac: FloatArray, rng: np.random.Generator
) -> tuple[Direction, float]:
    """Return a proposed direction of spin i, and log q(e) - log q(e') of the density q that drew it."""
    x, y, z = spins_ac[i, 0], spins_ac[i, 1], spins_ac[i, 2]
    if not proposal.heat_bath:
        return propose_gaussian(x, y, z, proposal.width, rng), 0.0
    bx, by, bz = linear_field(i, table, spins_ac)
    bx, by, bz = bx * proposal.per_kt, by * proposal.per_kt, bz * proposal.per_kt
    new = propose_heat_bath(bx, by, bz, rng)
    return new, bx * (x - new[0]) + by * (y - new[1]) + bz * (z - new[2])


@jit
def sweep_spins(
    energy: float,
    table: PairTable,
    proposal: Proposal,
    sites_k: IntArray,
    spins_ac: FloatArray,
    around: Environments | None,
    rng: np.random.Generator,
    energies_s: FloatArray,
    moments_sc: FloatArray,
) -> int:
    """Make len(energies_s) sweeps of len(sites_k) single-spin updates from a state of this energy (eV).

    Write the energy and Σ_i e_i after each sweep; return the number of accepted proposals.  Every update draws its
    site at random, which detailed balance needs.  `around` is None for a model of pairs alone; Numba then compiles the
    loop without environments.
    """
    n_accepted = 0
    for s in range(len(energies_s)):
        for _ in range(len(sites_k)):
            i = sites_k[int(rng.random() * len(sites_k))]
            new, log_ratio = propose(i, table, proposal, spins_ac, rng)
            before = local_energy(i, spins_ac[i, 0], spins_ac[i, 1], spins_ac[i, 2], table, spins_ac)
            change = local_energy(i, new[0], new[1], new[2], table, spins_ac) - before
            if around is not None:
                change += energy_change(i, new, spins_ac, around)
            if metropolis_accept(proposal.per_kt * change - log_ratio, rng):
                spins_ac[i, 0], spins_ac[i, 1], spins_ac[i, 2] = new
                if around is not None:
                    accept(i, around.lattice, around.state)
                energy += change
                n_accepted += 1
        energies_s[s] = energy
        total_spin(spins_ac, moments_sc[s])
    return n_accepted


@inner_jit
def total_spin(spins_ac: FloatArray, out_c: FloatArray) -> None:
    """Write Σ_i e_i."""
    for c in range(3):
        out_c[c] = 0.0
        for i in range(len(spins_ac)):
            out_c[c] += spins_ac[i, c]
