"""Calibration: left-out errors by brute force, calibration factors and reliability of errors whose size is known."""

import numpy as np
import pytest
from refits import refit
from scipy.linalg import solve_triangular
from spin_cells import complete_dataset, complete_label, graded, iron_germanium, skewed_iron

from soso_core import Dataset, LabelledConfiguration
from soso_core.gp.assessment.evaluation import calibrate, compare, evaluate, predict_dataset
from soso_core.gp.inference.calibration import (
    calibration_factor,
    calibration_factors,
    left_out_errors,
    pick_evenly,
    reliability,
)
from soso_core.gp.inference.regression import fit, select_energy_targets
from soso_core.gp.inference.targets import compute_rows
from soso_core.gp.model.settings import FitSettings

SETTINGS = FitSettings(
    pair={"cutoff_angstrom": 4.0, "n_max": 4, "lambda_max": 2},
    descriptor=None,
    three_body={"cutoff_angstrom": 3.5, "n_max": 2, "l_max": 2, "decay": 2.0},
    zeta=2,
    n_inducing=6,
)


def recalibrate(model, blind):
    return calibrate(model, compare(predict_dataset(model, blind), blind, model.hyperparameters))


def noisy(label, rng, width=2e-3):
    """Add noise to every label: eV, eV/μB, eV/Å, μB, and eV/Å³ of about the cell's volume less."""
    magnetic, strain_cc = label.configuration.is_magnetic_a, rng.normal(size=(3, 3))
    return LabelledConfiguration(
        label.configuration,
        label.energy + width * rng.normal(),
        label.exchange_fields_ac + width * rng.normal(size=(4, 3)) * magnetic[:, None],
        label.moment_magnitudes_a + width * rng.normal(size=4),
        label.forces_ac + width * rng.normal(size=(4, 3)),
        label.stress_cc + 0.01 * width * (strain_cc + strain_cc.T),
    )


def noisy_dataset(seeds):
    return Dataset(
        tuple(
            noisy(complete_label(iron_germanium(seed), field_scale=1.05), np.random.default_rng(seed)) for seed in seeds
        )
    )


@pytest.fixture(scope="module")
def dataset():
    return noisy_dataset(range(6))


@pytest.fixture(scope="module")
def model(dataset):
    return fit(dataset, SETTINGS, np.random.default_rng(0))


def brute_force(rows, weights_m, cholesky_mm, hyperparameters, target):
    """Errors over deviations of labels that are not part of the fit."""
    rows_km, values_k = rows[target]
    phi_km = hyperparameters.factor(target) * rows_km
    half_mk = solve_triangular(cholesky_mm, phi_km.T, lower=True)
    variance_k = np.sum(half_mk**2, axis=0) + hyperparameters.noise[target] ** 2
    return (values_k - phi_km @ weights_m) / np.sqrt(variance_k)


@pytest.mark.parametrize("grades", [" ", "CBDA"])
@pytest.mark.parametrize("left_out", [0, 3])
def test_left_out_errors_are_those_of_a_fit_without_the_configuration(dataset, left_out, grades):
    dataset = graded(dataset, grades)
    model = fit(dataset, SETTINGS, np.random.default_rng(0))
    rows = compute_rows(dataset[left_out], model.basis, model.references)
    moments, rows = {"moment": rows["moment"]}, select_energy_targets(rows)
    others = refit(model, dataset.subset(k for k in range(len(dataset)) if k != left_out))
    assert model.hyperparameters.field_scale != 1.0
    found = left_out_errors(rows, model.weights_m, model.cholesky_mm, model.hyperparameters)
    assert set(found) == {"energy", "field", "force", "stress"}
    for target, z_k in found.items():
        expected = brute_force(rows, others.weights_m, others.cholesky_mm, model.hyperparameters, target)
        np.testing.assert_allclose(z_k, expected, rtol=0, atol=1e-8 * np.abs(expected).max())
    fitted = model.moment_model
    found = left_out_errors(moments, fitted.weights_m, fitted.cholesky_mm, fitted.hyperparameters)
    other = others.moment_model
    expected = brute_force(moments, other.weights_m, other.cholesky_mm, fitted.hyperparameters, "moment")
    np.testing.assert_allclose(found["moment"], expected, rtol=0, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_the_calibration_factor_is_the_width_of_the_errors(width):
    z_k = width * np.random.default_rng(1).normal(size=20000)
    # The 90 % quantile of |z| of 20000 normal errors is known to 1 %; three of them.
    assert calibration_factor(z_k) == pytest.approx(width, rel=0.03)


def test_a_few_errors_change_the_calibration_factor_little():
    wild = calibration_factor(np.full(2, 3.0))
    assert 1.0 < wild < 3.0 / 1.645
    assert calibration_factor(np.zeros(0)) == 1.0
    assert calibration_factor(np.full(1000, 1e6)) == 5.0
    assert calibration_factor(np.full(1000, 1e-6)) == 0.2


def test_few_configurations_widen_as_students_t_does():
    errors = np.random.default_rng(2).normal(size=(200, 50))
    many = calibration_factors([{"energy": row} for row in errors])["energy"]
    few = calibration_factors([{"energy": errors[:100].ravel()}, {"energy": errors[100:].ravel()}])["energy"]
    assert many == pytest.approx(1.0, rel=0.05)
    # Two configurations: t with one degree of freedom, limited to twice the normal.
    assert few == pytest.approx(2.0 * calibration_factor(errors.ravel()), rel=1e-12)


@pytest.mark.parametrize("width", [1.0, 2.0])
def test_reliability_of_true_deviations_is_the_diagonal(width):
    expected, observed = reliability(width * np.random.default_rng(3).normal(size=4000))
    # A share p of 4000 is known to sqrt(p (1-p) / 4000); four of them at every level.
    within = np.abs(observed - expected) < 4.0 * np.sqrt(expected * (1.0 - expected) / 4000)
    assert within.all() == (width == 1.0)


def test_calibrated_deviations_are_those_of_the_model_times_the_factor(model, dataset):
    cell = iron_germanium(40)
    doubled = {target: 2.0 * value for target, value in model.calibration.items()}
    once, twice = model.predict(cell, with_force_std=True), fit_with(model, doubled).predict(cell, with_force_std=True)
    for name in ("energy_std", "energy_model_std", "effective_fields_std_ac", "forces_std_ac", "moments_std_a"):
        np.testing.assert_allclose(getattr(twice, name), 2.0 * np.asarray(getattr(once, name)), rtol=1e-13)
    assert twice.energy == once.energy
    other = iron_germanium(41)
    differences = [m.energy_difference(cell, other)[1] for m in (model, fit_with(model, doubled))]
    assert differences[1] == pytest.approx(2.0 * differences[0], rel=1e-13)


def fit_with(model, calibration):
    return type(model)(**{**vars_of(model), "calibration": calibration})


def vars_of(model):
    return {name: getattr(model, name) for name in model.__dataclass_fields__}


def test_a_blind_test_recalibrates_and_the_curve_follows(model):
    """Deviations four times too small, then calibrated on half of the blind labels, tested on the other half."""
    sure = fit_with(model, {target: 0.25 * value for target, value in model.calibration.items()})
    blind = noisy_dataset(range(200, 230))
    first, second = blind.subset(range(15)), blind.subset(range(15, 30))
    better = fit_with(sure, recalibrate(sure, first))
    before, after = (evaluate(each, second).reliability for each in (sure, better))
    for target in ("field", "force"):
        assert abs(after[target].coverage_90 - 0.9) < abs(before[target].coverage_90 - 0.9)
        # The errors of one cell are alike: 15 of them fix a coverage to about 8 %.
        assert after[target].coverage_90 == pytest.approx(0.9, abs=0.09)
    assert "stress" not in after
    assert recalibrate(sure, first).keys() == sure.calibration.keys()


def test_stresses_keep_their_factor_and_moments_get_theirs(model):
    blind = Dataset(tuple(complete_label(iron_germanium(seed)) for seed in range(300, 304)))
    found = recalibrate(model, blind)
    assert found["stress"] == model.calibration["stress"]
    z_k = compare(predict_dataset(model, blind), blind, model.hyperparameters)["moment"].z
    assert len(z_k) == 12
    assert found["moment"] == pytest.approx(calibration_factor(z_k * model.calibration["moment"]), rel=1e-12)
    again = recalibrate(fit_with(model, found), blind)
    assert again == pytest.approx(found, rel=1e-12), "calibrating twice changes nothing"


def test_pick_evenly():
    assert pick_evenly(list(range(10)), 3) == [0, 4, 9]
    assert pick_evenly(list(range(3)), 100) == [0, 1, 2]


def test_energies_alone_are_calibrated_too():
    data = complete_dataset([skewed_iron(seed) for seed in range(5)])
    bare = Dataset(tuple(type(item)(item.configuration, item.energy) for item in data))
    assert set(fit(bare, SETTINGS, np.random.default_rng(0)).calibration) == {"energy"}
