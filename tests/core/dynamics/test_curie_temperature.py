"""The bcc Heisenberg magnet with nearest neighbours orders at k_B T_c = 2.054 |J|."""

import numpy as np
import pytest
from ase.units import kB

from soso_core.active.cells import supercell
from soso_core.configuration import Configuration
from soso_core.dynamics.monte_carlo import MonteCarloSettings, sample
from soso_core.dynamics.spin_energy import SpinEnergy
from soso_core.neighbours import find_neighbours

EXCHANGE = 0.01
"""eV"""
KNOWN = 2.054
"""k_B T_c / |J| per bond of unit spins: high-temperature series, Butera and Comi, Phys. Rev. B 56, 8212 (1997)."""
SMALL, LARGE = 4, 8


def bcc_magnet(n):
    iron = Configuration([26, 26], [[0, 0, 0], [1.5, 1.5, 1.5]], 3.0 * np.eye(3), [[0, 0, 1.0]] * 2)
    cell = supercell(iron, (n, n, n))
    bonds = find_neighbours(cell, 2.8)
    once_p = bonds.i_p < bonds.j_p
    bonds_k2 = np.stack([bonds.i_p[once_p], bonds.j_p[once_p]], axis=1)
    assert len(bonds_k2) == 4 * len(cell), "eight neighbours, each bond once"
    return SpinEnergy.of_bonds(len(cell), bonds_k2, np.tile([0.0, -EXCHANGE], (len(bonds_k2), 1))), cell.spins_ac


def binder_cumulants(n, temperatures, n_sweeps, rng):
    """Return 1 - <M⁴>/3<M²>² at every temperature (in units of |J|)."""
    energy, spins_ac = bcc_magnet(n)
    plan = MonteCarloSettings(n_warmup=2000, n_sweeps=n_sweeps, move="heat-bath")
    chains = sample(energy, spins_ac, [t * EXCHANGE / kB for t in temperatures], plan, rng)
    squares = [np.sum(item.moments_kc**2, axis=1) for item in chains]
    return np.array([1.0 - np.mean(m2**2) / (3.0 * np.mean(m2) ** 2) for m2 in squares])


@pytest.mark.slow
def test_curie_temperature_of_the_bcc_heisenberg_magnet():
    """Cumulants of two sizes cross at T_c; straight lines through four temperatures within 3 % of it."""
    temperatures = np.array([2.0, 2.04, 2.08, 2.12])
    small, large = np.random.default_rng(20).spawn(2)
    difference = binder_cumulants(LARGE, temperatures, 20_000, large) - binder_cumulants(
        SMALL, temperatures, 60_000, small
    )
    slope, level = np.polyfit(temperatures, difference, 1)
    assert difference[0] > 0.02 > -0.02 > difference[-1], "ordered below, disordered above"
    assert -level / slope == pytest.approx(KNOWN, rel=0.01)
