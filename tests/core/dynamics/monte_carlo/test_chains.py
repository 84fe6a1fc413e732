"""Chains follow their slow twin, keep the energy they say, and depend on the seed alone."""

import numpy as np
import pytest
from ase.units import kB
from compiled_models import fitted, iron_model, large_cell
from reference.monte_carlo import chain, legendre_energy
from spin_cells import iron_germanium, random_spins, skewed_iron

from soso_core import InputError
from soso_core.dynamics.monte_carlo.simulation import Chain, MonteCarloSettings, sample
from soso_core.dynamics.spin_energy import SpinEnergy, SpinModel
from soso_core.kernels.monte_carlo.sweeps import linear_field

TEMPERATURE, COLD, WIDTH = 400.0, 20.0, 0.6
BONDS = np.array([[0, 1], [1, 2], [0, 3], [3, 2], [1, 3]])
COUPLINGS = 0.02 * np.random.default_rng(5).normal(size=(5, 4))
FIELD = 0.03 * np.random.default_rng(6).normal(size=(4, 3))
START = random_spins(4, np.random.default_rng(7))
COVARIANCE_BOUND = 1e-5
"""eV per atom that a compiled covariance may be off: `Accuracy.gp_meV_per_atom`, as the documentation states it."""
ROUNDING = 1e-11
"""eV: some thousand additions of energies of some eV, each rounded at 1e-16 of it."""


def linear_part(i, e_ac):
    """The field of the terms linear in u: J_1 + those of P_3 = (5u³ - 3u)/2."""
    pulls = COUPLINGS[:, 1] - 1.5 * COUPLINGS[:, 3]
    ends = [(pull, b if a == i else a) for pull, (a, b) in zip(pulls, BONDS, strict=True) if i in (a, b)]
    return FIELD[i] - sum(pull * e_ac[j] for pull, j in ends)


@pytest.mark.parametrize("proposal", ["gaussian", "heat-bath"])
def test_pairs_follow_the_twin(proposal):
    energy = SpinEnergy.of_bonds(4, BONDS, COUPLINGS, FIELD)
    mine = Chain(energy, START, np.random.default_rng(8), proposal, WIDTH)
    n_accepted = mine.sweep(TEMPERATURE, 50).n_accepted
    field = linear_part if proposal == "heat-bath" else None
    slow_ac, n_slow = chain(
        lambda e_ac: legendre_energy(BONDS, COUPLINGS, FIELD, e_ac),
        field,
        START,
        range(4),
        kB * TEMPERATURE,
        WIDTH,
        200,
        np.random.default_rng(8),
    )
    assert 20 < n_accepted == n_slow
    # 200 steps in which rounding is passed on; a wrong energy sends the chains apart within a few.
    np.testing.assert_allclose(mine.spins_ac, slow_ac, atol=1e-9)


@pytest.mark.parametrize("proposal", ["gaussian", "heat-bath"])
@pytest.mark.parametrize("case", ["three-body alone", "pairs of zeta 4"])
def test_environments_follow_the_twin(case, proposal):
    """The twin asks the fitted model for the energy of the whole cell, twice for every proposal."""
    model, cell = fitted(case), iron_germanium(9)
    energy = SpinModel.of(model).on(cell)
    mine = Chain(energy, cell.spins_ac, np.random.default_rng(10), proposal, WIDTH)
    field = (lambda i, e_ac: np.array(linear_field(i, energy.pairs, e_ac))) if proposal == "heat-bath" else None
    n_accepted = mine.sweep(TEMPERATURE, 10).n_accepted
    slow_ac, n_slow = chain(
        lambda e_ac: model.predict(cell.with_spins(e_ac), with_std=False).energy,
        field,
        cell.spins_ac,
        range(3),
        kB * TEMPERATURE,
        WIDTH,
        30,
        np.random.default_rng(10),
    )
    assert 5 < n_accepted == n_slow
    np.testing.assert_allclose(mine.spins_ac, slow_ac, atol=1e-9)
    assert np.all(mine.spins_ac[3] == 0.0), "germanium has no spin"


@pytest.mark.parametrize("case", ["pairs of zeta 4", "three-body of zeta 3", "all channels", "five functions, l 4"])
def test_energy_is_conserved_by_differences(case):
    model, cell = fitted(case), large_cell(3)
    energy = SpinModel.of(model).on(cell)
    mine = Chain(energy, cell.spins_ac, np.random.default_rng(11))
    before = mine.energy
    mine.warm_up(COLD, 40)
    mine.sweep(COLD, 20)
    assert mine.energy < before - 0.05, "random spins have cooled down"
    assert mine.energy == pytest.approx(energy.of_spins(mine.spins_ac), abs=ROUNDING)
    slow = model.predict(cell.with_spins(mine.spins_ac), with_std=False).energy
    assert mine.energy == pytest.approx(slow, abs=COVARIANCE_BOUND * len(cell))


def test_atoms_among_their_own_images():
    """Cells shorter than the reach: an atom is in its own environment, and turns there with itself."""
    cell = skewed_iron(4, n_atoms=2)
    energy = SpinModel.of(iron_model()).on(cell)
    mine = Chain(energy, cell.spins_ac, np.random.default_rng(12))
    mine.sweep(TEMPERATURE, 100)
    assert mine.energy == pytest.approx(energy.of_spins(mine.spins_ac), abs=ROUNDING)
    slow = iron_model().predict(cell.with_spins(mine.spins_ac), with_std=False).energy
    assert mine.energy == pytest.approx(slow, abs=COVARIANCE_BOUND * len(cell))


def test_a_pair_model_and_a_field():
    """The pair-only baseline is a model too; a field adds -Σ b·e."""
    model, cell = iron_model().baseline, skewed_iron(5)
    energy = SpinModel.of(model).on(cell, FIELD)
    expected = model.predict(cell, with_std=False).energy - float(np.sum(FIELD * cell.spins_ac))
    assert energy.environments is None
    assert energy.of_spins(cell.spins_ac) == pytest.approx(expected, abs=ROUNDING)


def test_threads_change_nothing_and_seeds_do():
    energy = SpinEnergy.of_bonds(4, BONDS, COUPLINGS, FIELD)
    plan = MonteCarloSettings(n_warmup=20, n_sweeps=30, n_between=12)
    one, two, other = (
        sample(energy, START, [100.0, 300.0, 900.0], plan, np.random.default_rng(seed), n_threads=n)
        for seed, n in ((0, 1), (0, 2), (1, 2))
    )
    for left, right, third in zip(one, two, other, strict=True):
        assert left.spins_kac.shape == (3, 4, 3)
        assert left.energies_k.shape == (30,)
        np.testing.assert_array_equal(left.spins_kac, right.spins_kac)
        assert not np.allclose(left.spins_kac, third.spins_kac)
        np.testing.assert_allclose(left.moments_kc[-1], left.spins_kac[-1].sum(axis=0), atol=1e-12)
        assert energy.of_spins(left.spins_kac[-1]) == pytest.approx(left.energies_k[-1], abs=ROUNDING)


def test_the_width_is_adjusted():
    """Half of the proposals are accepted, however cold it is."""
    energy = SpinEnergy.of_bonds(4, BONDS, -0.05 * np.ones((5, 2)))
    plan = MonteCarloSettings(n_warmup=2000, n_sweeps=1000)
    for found in sample(energy, START, [5.0, 20.0, 80.0], plan, np.random.default_rng(0)):
        assert found.acceptance_rate == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("spins_ac", "temperature", "said"),
    [(START[:3], 300.0, "shape"), (2.0 * START, 300.0, "unit vectors"), (START, 0.0, "above zero")],
)
def test_what_makes_no_sense_is_refused(spins_ac, temperature, said):
    energy = SpinEnergy.of_bonds(4, BONDS, COUPLINGS)
    with pytest.raises(InputError, match=said):
        sample(energy, spins_ac, [temperature], MonteCarloSettings(), np.random.default_rng(0))


def test_a_bond_to_nowhere_is_refused():
    with pytest.raises(InputError, match="not one of the 4"):
        SpinEnergy.of_bonds(4, [[0, 4]], [[0.0, 1.0]])
