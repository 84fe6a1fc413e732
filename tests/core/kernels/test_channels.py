"""The algebra of the channels, and a channel that is added by one entry of the table."""

import numpy as np
from compiled_models import DENSITY, PAIRS, THREE
from scipy.special import eval_legendre
from spin_cells import heisenberg_dataset, iron_germanium

from soso_core.compiled.model import CompiledModel
from soso_core.descriptors.channels import CHANNELS, Channel
from soso_core.dynamics.monte_carlo.simulation import Chain
from soso_core.dynamics.spin_energy import SpinModel
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.settings import FitSettings
from soso_core.kernels.channels import channel_components
from soso_core.testing import assert_derivative

CELL = iron_germanium(1)
I_Q, J_Q = (part.ravel() for part in np.indices((4, 4)))
ORDERS = np.arange(7)


def components(spins_ac, kinds_t):
    return channel_components(I_Q, J_Q, np.asarray(kinds_t), spins_ac, CELL.is_magnetic_a)


def test_legendre_polynomials_of_two_spins():
    values_qt, _ = components(CELL.spins_ac, ORDERS)
    u_q = np.sum(CELL.spins_ac[I_Q] * CELL.spins_ac[J_Q], axis=1)
    both_q = CELL.is_magnetic_a[I_Q] & CELL.is_magnetic_a[J_Q]
    expected_qt = np.where(both_q[:, None] | (ORDERS == 0), eval_legendre(ORDERS, u_q[:, None]), 0.0)
    np.testing.assert_allclose(values_qt, expected_qt, atol=1e-13)


def test_slopes_by_the_cosine():
    """Spins of any length: u = e_i·e_j with e_i along z moves by the z component of e_j alone."""
    spins_ac = np.array(CELL.spins_ac)
    spins_ac[0] = [0.0, 0.0, 1.0]
    weights_t = np.random.default_rng(0).normal(size=len(ORDERS))
    pair = int(np.flatnonzero((I_Q == 0) & (J_Q == 1))[0])

    def total(z_1):
        moved_ac = spins_ac.copy()
        moved_ac[1, 2] = z_1[0]
        return float(components(moved_ac, ORDERS)[0][pair] @ weights_t)

    slope = components(spins_ac, ORDERS)[1][pair] @ weights_t
    assert_derivative(total, spins_ac[1, 2:], np.array([slope]), 1e-3, 1e-7)


def test_the_vector_needs_a_spin_at_the_neighbour():
    values_qt, slopes_qt = components(CELL.spins_ac, [-1, -2, -3])
    np.testing.assert_array_equal(values_qt, CELL.spins_ac[J_Q])
    np.testing.assert_array_equal(slopes_qt, np.repeat(CELL.is_magnetic_a[J_Q][:, None], 3, axis=1))


def test_a_new_channel_is_one_entry(monkeypatch):
    """Fits, compiled models and Monte Carlo take it."""
    monkeypatch.setitem(CHANNELS, "P3", Channel("e_i.e_j", (3,)))
    pairs = [["1", "1"], ["P1", "P3"], ["P3", "P3"]]
    settings = FitSettings(
        pair=PAIRS, descriptor=DENSITY, three_body=THREE | {"channel_pairs": pairs}, zeta=2, n_inducing=12
    )
    model = fit(heisenberg_dataset([iron_germanium(seed) for seed in range(6)]), settings, np.random.default_rng(0))
    exact, compiled = model.predict(CELL, with_std=False), CompiledModel.of(model).predict(CELL)
    assert abs(compiled.energy - exact.energy) < 4e-5, "1e-5 eV per atom from the compressed covariance"
    scale = np.abs(exact.effective_fields_ac).max()
    np.testing.assert_allclose(compiled.effective_fields_ac, exact.effective_fields_ac, atol=1e-3 * scale)
    energy = SpinModel.of(model).on(CELL)
    chain = Chain(energy, CELL.spins_ac, np.random.default_rng(2))
    chain.sweep(300.0, 5)
    slow = model.predict(CELL.with_spins(chain.spins_ac), with_std=False).energy
    assert abs(chain.energy - slow) < 4e-5, "1e-5 eV per atom from the compressed covariance"
