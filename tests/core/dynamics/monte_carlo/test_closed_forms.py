"""Averages that are known: one spin in a field, two spins on a bond, both also with a biquadratic term."""

import numpy as np
import pytest
from ase.units import kB

from soso_core.dynamics.monte_carlo.simulation import MonteCarloSettings, sample
from soso_core.dynamics.spin_energy import SpinEnergy

KT = kB * 300.0
UP = np.array([0.0, 0.0, 1.0])
PLAN = {"n_warmup": 300, "n_sweeps": 40_000}
MOVES = pytest.mark.parametrize("proposal", ["gaussian", "heat-bath"])


def langevin(x):
    return 1.0 / np.tanh(x) - 1.0 / x


def error_of(values_k):
    """Standard error of the mean of a correlated series, from 50 blocks."""
    blocks = values_k[: len(values_k) // 50 * 50].reshape(50, -1).mean(axis=1)
    return blocks.std(ddof=1) / np.sqrt(50)


def agrees(values_k, expected, largest_error):
    """Within five standard errors, which themselves are small enough for the test to mean something."""
    error = error_of(values_k)
    assert error < largest_error
    assert values_k.mean() == pytest.approx(expected, abs=5.0 * error)


@MOVES
@pytest.mark.parametrize("strength", [0.5, 3.0])
def test_one_spin_in_a_field(proposal, strength):
    """<e·b> = L(b/kT), and <E> = -b L."""
    energy = SpinEnergy.of_bonds(1, np.zeros((0, 2), int), np.zeros((0, 2)), strength * KT * UP[None])
    (found,) = sample(
        energy, -UP[None], [300.0], MonteCarloSettings(proposal=proposal, **PLAN), np.random.default_rng(1)
    )
    agrees(found.moments_kc[:, 2], langevin(strength), 0.01)
    np.testing.assert_allclose(found.energies_k, -strength * KT * found.moments_kc[:, 2], atol=1e-12)


@MOVES
@pytest.mark.parametrize("strength", [1.5, -4.0])
def test_two_spins_on_a_bond(proposal, strength):
    """E = J e·e': <e·e'> = -L(J/kT)."""
    energy = SpinEnergy.of_bonds(2, [[0, 1]], [[0.0, strength * KT]])
    (found,) = sample(
        energy, [UP, UP], [300.0], MonteCarloSettings(proposal=proposal, **PLAN), np.random.default_rng(2)
    )
    agrees(found.energies_k / (strength * KT), -langevin(strength), 0.01)


@MOVES
def test_two_spins_with_a_biquadratic_term(proposal):
    """The cosine u of two spins has density ∝ exp(-Σ_λ J_λ P_λ(u)/kT), an integral over one number."""
    j_l = np.array([0.3, -1.2, 2.0, 0.7]) * KT
    energy = SpinEnergy.of_bonds(2, [[0, 1]], [j_l])
    (found,) = sample(
        energy, [UP, UP], [300.0], MonteCarloSettings(proposal=proposal, **PLAN), np.random.default_rng(3)
    )
    u_r, weights_r = np.polynomial.legendre.leggauss(80)
    energy_r = np.polynomial.legendre.legval(u_r, j_l)
    boltzmann_r = weights_r * np.exp(-energy_r / KT)
    agrees(found.energies_k / KT, energy_r @ boltzmann_r / boltzmann_r.sum() / KT, 0.02)


def test_every_temperature_of_a_ladder_has_its_average():
    energy = SpinEnergy.of_bonds(2, [[0, 1]], [[0.0, -2.0 * KT]])
    ladder = [150.0, 300.0, 900.0]
    chains = sample(energy, [UP, UP], ladder, MonteCarloSettings(**PLAN), np.random.default_rng(4))
    for temperature, found in zip(ladder, chains, strict=True):
        assert found.temperature_kelvin == temperature
        agrees(found.energies_k / (-2.0 * KT), langevin(2.0 * 300.0 / temperature), 0.01)
