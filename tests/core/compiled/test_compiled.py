"""The compiled model says what the fitted model says, and its derivatives are those of its own energy."""

from dataclasses import replace

import numpy as np
import pytest
from compiled_models import CASES, fitted, iron_model, large_cell
from spin_cells import iron_germanium, skewed_iron

from soso_core import Configuration, Dataset, InputError, LabelledConfiguration
from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.model import CompiledModel
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.settings import FitSettings
from soso_core.testing import assert_derivative

TIGHT = Accuracy(skin=0.1, pair_energy=1e-10, radial=1e-9, gp_meV_per_atom=1e-6)


def assert_same(compiled, model, cell, **how):
    """Radial functions agree to 1e-9 of their size, so sums of some hundred of them do to 1e-6."""
    fast, exact = compiled.predict(cell, **how), model.predict(cell, with_std=False)
    scale = max(float(np.max(np.abs(exact.forces_ac))), float(np.max(np.abs(exact.effective_fields_ac))))
    assert scale > 1e-3
    assert fast.energy == pytest.approx(exact.energy, abs=1e-8 * len(cell))
    np.testing.assert_allclose(fast.effective_fields_ac, exact.effective_fields_ac, atol=1e-6 * scale)
    np.testing.assert_allclose(fast.forces_ac, exact.forces_ac, atol=1e-6 * scale)
    np.testing.assert_allclose(fast.stress_cc, exact.stress_cc, atol=1e-6 * scale)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_fitted_model(case):
    compiled = CompiledModel.of(fitted(case), TIGHT)
    for cell in (iron_germanium(77), large_cell(5)):
        assert_same(compiled, fitted(case), cell)


def test_equals_the_pair_only_baseline():
    baseline = fitted("pairs of zeta 4").baseline
    assert_same(CompiledModel.of(baseline, TIGHT), baseline, iron_germanium(77))


@pytest.mark.parametrize("n_atoms", [2, 4, 8])
def test_equals_the_fitted_model_in_skewed_cells_that_see_themselves(n_atoms):
    assert_same(CompiledModel.of(iron_model(), TIGHT), iron_model(), skewed_iron(8, n_atoms))


def test_threads_change_nothing():
    """Many times, as what threads share by mistake they seldom touch at the same time."""
    compiled = CompiledModel.of(fitted("three-body of zeta 2"))
    cell = large_cell(3)
    one = compiled.predict(cell, n_threads=1)
    for n_threads in (2, 3, 8) * 20:
        several = compiled.predict(cell, n_threads=n_threads)
        for name in ("energy", "effective_fields_ac", "forces_ac", "stress_cc"):
            assert np.array_equal(getattr(one, name), getattr(several, name)), name


@pytest.mark.parametrize("case", ["pairs of zeta 4", "all channels"])
class TestDerivatives:
    cell = iron_germanium(31)

    def test_fields(self, case):
        compiled, magnetic = CompiledModel.of(fitted(case)), self.cell.is_magnetic_a

        def energy(spins_ac):
            moved = np.zeros((len(self.cell), 3))
            moved[magnetic] = spins_ac / np.linalg.norm(spins_ac, axis=1, keepdims=True)
            return compiled.predict(self.cell.with_spins(moved)).energy

        effective_fields_ac = compiled.predict(self.cell).effective_fields_ac
        assert_derivative(energy, self.cell.spins_ac[magnetic], -effective_fields_ac[magnetic], 1e-3, 1e-7)

    def test_forces_and_stress(self, case):
        compiled, cell = CompiledModel.of(fitted(case)), self.cell

        def energy(positions_ac, strain_cc):
            deform = np.eye(3) + 0.5 * (strain_cc + strain_cc.T)
            moved = Configuration(cell.numbers_a, positions_ac @ deform, cell.cell_vc @ deform, cell.spins_ac)
            return compiled.predict(moved).energy

        # A step of 2e-4 seldom crosses from one polynomial to the next, where the energy jumps by 1e-8.
        predicted, zero = compiled.predict(cell), np.zeros((3, 3))
        assert_derivative(lambda at: energy(at, zero), cell.positions_ac, -predicted.forces_ac, 1e-3, 1e-5)
        stress_cc = predicted.stress_cc * cell.volume
        assert_derivative(lambda at: energy(cell.positions_ac, at), zero, stress_cc, 1e-3, 1e-5)


def test_an_atom_alone():
    alone = Configuration([26], [[0, 0, 0]], 20 * np.eye(3), [[0, 0, 1.0]])
    model = fitted("three-body of zeta 2")
    predicted = CompiledModel.of(model, TIGHT).predict(alone)
    assert predicted.energy == pytest.approx(model.predict(alone, with_std=False).energy, abs=1e-6)
    assert not predicted.forces_ac.any()


def test_truncation_is_within_its_bound():
    model = fitted("three-body of zeta 2")
    rough = CompiledModel.of(model, Accuracy(gp_meV_per_atom=1.0))
    exact = CompiledModel.of(model, TIGHT)
    assert max(covariance.n_terms for covariance in rough.many_body.covariances) < max(
        covariance.n_terms for covariance in exact.many_body.covariances
    )
    bound = max(covariance.bound_meV for covariance in rough.many_body.covariances)
    cell = large_cell(1)
    error_meV = 1e3 * abs(rough.predict(cell).energy - exact.predict(cell).energy) / len(cell)
    assert 0.0 < error_meV <= bound <= 1.0
    assert "low rank" in rough.describe()


def test_faults_are_one_line():
    compiled = CompiledModel.of(iron_model())
    cell = skewed_iron(1)
    with pytest.raises(InputError, match="element Ge is unknown"):
        compiled.predict(iron_germanium(1))
    positions_ac = cell.positions_ac.copy()
    positions_ac[1] = positions_ac[0] + [1.2, 0.0, 0.0]
    with pytest.raises(InputError, match=r"1\.2 Å apart; this compiled model holds from 1\.5 Å"):
        compiled.predict(cell.with_positions(positions_ac))
    with pytest.raises(InputError, match="skin 2 Å"):
        compiled.neighbours(cell, skin=2.0)
    with pytest.raises(InputError, match="threads"):
        compiled.predict(cell, n_threads=0)


def test_steep_pair_energies_where_no_data_were_are_held_to_their_size():
    """Models of displaced cells have hundreds of eV below the shortest distance of their data."""
    mild = iron_model().baseline
    weights_m = mild.weights_m.copy()
    weights_m[mild.basis.pair_columns.start] = 500.0  # eV: J_0 at 1.5 Å and around
    steep = replace(mild, weights_m=weights_m)
    compiled = CompiledModel.of(steep)
    fit = compiled.pairs.fit
    assert fit.value_error <= 1e-6
    assert fit.largest > 100.0
    assert f"reaches {fit.largest:.3g} eV" in compiled.describe()
    assert "reaches" not in CompiledModel.of(mild).describe()
    distances = np.linspace(1.55, 3.5, 40)
    cells = [Configuration([26, 26], [[0, 0, 0], [r, 0, 0]], 20 * np.eye(3), [[0, 0, 1.0]] * 2) for r in distances]
    predicted = [(compiled.predict(cell), steep.predict(cell, with_std=False)) for cell in cells]
    exact = np.array([each.energy for _, each in predicted]) - 2 * steep.species_energies_s[0]
    errors = np.array([fast.energy - each.energy for fast, each in predicted])
    larger = np.maximum.accumulate(np.abs(exact)[::-1])[::-1]
    # Four orders λ, each with its own error.
    assert np.all(np.abs(errors) <= 4 * fit.value_error * np.maximum(1.0, larger))
    slopes = np.array([abs(fast.forces_ac - each.forces_ac).max() for fast, each in predicted])
    assert np.all(slopes <= 4 * fit.slope_error * np.maximum(1.0, larger))


def test_pairs_that_never_met_compile_as_the_zeros_they_are():
    """One manganese atom per cell, further from its image than the cutoff: its pair functions have no weight."""
    rng = np.random.default_rng(0)
    numbers_a = np.array([25, *[26] * 7])
    corners_ac = 2.85 * np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    spins_kac = rng.normal(size=(5, 8, 3))
    spins_kac /= np.linalg.norm(spins_kac, axis=2, keepdims=True)
    cells = [Configuration(numbers_a, corners_ac, 5.7 * np.eye(3), spins_ac) for spins_ac in spins_kac]
    labels = Dataset(tuple(LabelledConfiguration(cell, energy=float(rng.normal())) for cell in cells))
    settings = FitSettings(
        pair={"cutoff_angstrom": 5.0, "n_max": 4},
        descriptor=None,
        three_body={"cutoff_angstrom": 4.0, "n_max": 2, "l_max": 2},
        n_inducing=10,
    )
    model = fit(labels, settings, rng)
    fast, exact = CompiledModel.of(model, TIGHT).predict(cells[0]), model.predict(cells[0], with_std=False)
    assert fast.energy == pytest.approx(exact.energy, abs=1e-7)
    np.testing.assert_allclose(fast.effective_fields_ac, exact.effective_fields_ac, atol=1e-6)
