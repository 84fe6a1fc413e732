"""A penalty left in the energies of labels: found, taken off, and put back where labels are predicted."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import truncnorm
from spin_cells import complete_dataset, skewed_iron

from soso_core.active.offline.pool import energy_errors, fit_part, make_pool
from soso_core.dataset import Dataset
from soso_core.descriptors.parameters import PairDescriptorParameters
from soso_core.gp.assessment.comparison import compare, rms
from soso_core.gp.assessment.evaluation import predictions_for
from soso_core.gp.inference.regression import fit, refit, update
from soso_core.gp.model.model_file import load_model, save_model
from soso_core.gp.model.penalty import _mean_above_zero, learnt_penalty, square_of_fields
from soso_core.gp.model.settings import FitSettings, PairPartSettings
from soso_core.labels import transverse

KAPPA = 2.0
"""μB²/eV: a soft spring; the fields of these cells are of a few meV/μB."""
SETTINGS = FitSettings(
    pair=PairPartSettings(cutoff_angstrom=3.5, n_max=4),
    descriptor=PairDescriptorParameters(cutoff_angstrom=3.5, n_max=3),
    n_inducing=8,
    zeta=2,
    penalty_width=5.0,
)


def holding(dataset, kappa=KAPPA, **changes):
    """Return the labels with energies that hold κ Σ|B|²."""
    return Dataset(tuple(replace(i, energy=i.energy + kappa * square_of_fields(i), **changes) for i in dataset))


def fitted(dataset, **settings):
    return fit(dataset, SETTINGS.model_copy(update=settings), np.random.default_rng(0))


@pytest.fixture(scope="module")
def pure():
    """Labels of a model of the very form, so that energies without penalty are fitted to a fraction of it."""
    return complete_dataset([skewed_iron(seed) for seed in range(30)])


@pytest.fixture(scope="module")
def model(pure):
    return fitted(holding(pure))


def test_square_of_fields_is_that_across_the_spins(pure):
    item = pure[0]
    spins_ac = item.configuration.spins_ac
    along = replace(item, exchange_fields_ac=item.exchange_fields_ac + 3.0 * spins_ac)
    expected = sum(float(b @ b) for b in transverse(item.exchange_fields_ac, spins_ac))
    assert square_of_fields(along) == pytest.approx(expected, rel=1e-9)
    assert expected > 0.0
    assert square_of_fields(replace(item, info={"engine": "vasp"})) == 0.0
    assert square_of_fields(replace(item, energy=None)) == 0.0


def test_the_penalty_put_in_is_found_and_taken_off(pure, model):
    assert model.scales.penalty == pytest.approx(KAPPA, rel=0.1)
    without = fitted(holding(pure), penalty_width=0.0)
    assert without.scales.penalty == 0.0
    level = np.mean([square_of_fields(item) / item.configuration.n_magnetic for item in pure])
    assert model.scales.penalty_level == pytest.approx(level, rel=1e-12)
    new = complete_dataset([skewed_iron(seed) for seed in range(100, 112)])
    errors = compare(predictions_for(model, new), new)["energy"].errors
    # The mean of the penalty stays in the energies, and only that.
    assert np.mean(errors) == pytest.approx(KAPPA * level, rel=0.15)
    assert np.std(errors) < 0.1 * np.mean(errors)


def test_labels_are_predicted_with_their_penalty(model):
    new = holding(complete_dataset([skewed_iron(seed) for seed in range(100, 112)]))
    predictions = predictions_for(model, new)
    with_it = compare(predictions, new, model.scales)["energy"]
    without = compare(predictions, new)["energy"]
    for item, said, one, two in zip(new, predictions, with_it.predictions, without.predictions, strict=True):
        effective_fields_ac = said.effective_fields_ac / model.scales.field_scale / item.moment_magnitudes_a[:, None]
        added = model.scales.penalty * (
            np.sum(effective_fields_ac**2) / item.configuration.n_magnetic - model.scales.penalty_level
        )
        assert one - two == pytest.approx(added, rel=1e-8)
        assert added != 0.0
    assert rms(with_it.errors) < 0.5 * rms(without.errors)


def test_engines_and_labels_without_fields_are_not_asked(pure):
    engine = Dataset(tuple(replace(item, info={"engine": "tight-binding"}) for item in pure[:8]))
    assert fitted(engine).scales.penalty == 0.0
    mixed = Dataset((*pure[:7], replace(pure[7], exchange_fields_ac=None)))
    assert fitted(mixed).scales.penalty == 0.0


def test_an_update_keeps_the_penalty(pure, model, tmp_path):
    old, new = holding(Dataset(pure[:20])), holding(Dataset(pure[20:]))
    first = fitted(old)
    whole, updated = refit(first, old + new), update(first, new)
    assert first.scales.penalty == updated.scales.penalty > 0.0
    probe = skewed_iron(77)
    assert updated.predict(probe).energy == pytest.approx(whole.predict(probe).energy, rel=1e-8)
    save_model(tmp_path / "m.soso", updated)
    assert load_model(tmp_path / "m.soso").scales.penalty == first.scales.penalty


def test_a_pool_says_the_same(pure):
    dataset = holding(pure)
    pool = make_pool(dataset, SETTINGS, np.random.default_rng(0))
    model, part = fitted(dataset), fit_part(pool, range(len(dataset)))
    # The climbs to the scales end within 1e-6 of the evidence, not at the same place; κ is known to 3 %.
    assert part.scales.penalty == pytest.approx(model.scales.penalty, rel=1e-2)
    errors = compare(predictions_for(model, dataset), dataset, model.scales)["energy"].errors
    # Energies are fitted to what the two values of κ leave of a penalty of hundreds of these errors.
    np.testing.assert_allclose(energy_errors(pool, part), errors, rtol=0, atol=0.05 * np.abs(errors).max())


def test_it_is_one_more_weight_of_the_fit():
    """Bayesian linear regression with the column among the others, far above zero where the cut takes nothing off."""
    rng, noise, width = np.random.default_rng(5), 0.1, 2.0
    rows_km, squares_k = rng.normal(size=(20, 4)), rng.normal(size=20) + 2.0
    values_k = rows_km @ rng.normal(size=4) + 1.5 * squares_k + noise * rng.normal(size=20)
    cholesky_mm = np.linalg.cholesky(rows_km.T @ rows_km / noise**2 + np.eye(4))
    weights_m = np.linalg.solve(cholesky_mm @ cholesky_mm.T, rows_km.T @ values_k / noise**2)
    kappa = learnt_penalty(rows_km, values_k, squares_k, (weights_m, cholesky_mm), noise, width)
    joint_kn = np.column_stack([rows_km, squares_k])
    precision = joint_kn.T @ joint_kn / noise**2 + np.diag([1.0, 1.0, 1.0, 1.0, width**-2])
    expected = np.linalg.solve(precision, joint_kn.T @ values_k / noise**2)[4]
    assert expected > 1.0
    assert kappa == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("mean", [-0.3, -0.05, 0.0, 0.02, 1.0])
def test_mean_of_what_is_left_above_zero(mean):
    expected = truncnorm.mean(-mean / 0.03, np.inf, loc=mean, scale=0.03)
    assert _mean_above_zero(mean, 0.03) == pytest.approx(expected, rel=1e-6)
    assert 0.0 <= _mean_above_zero(-1.0, 1e-9) < 1e-9
