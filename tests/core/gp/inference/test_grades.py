"""Labels of different grades in one fit: a worse label counts less, an A label as one without a grade."""

from dataclasses import replace

import numpy as np
import pytest
from spin_cells import complete_dataset, complete_label, graded, iron_germanium

from soso_core import Dataset
from soso_core.gp.assessment.evaluation import assess
from soso_core.gp.inference.regression import fit, update
from soso_core.gp.inference.sums import equations_of
from soso_core.gp.inference.targets import find_references, mean_moments, reference_energies
from soso_core.gp.model.model_file import save_model
from soso_core.gp.model.normal_equations import NormalEquations
from soso_core.gp.model.settings import FitSettings
from soso_core.quality import NOISE_FACTORS

SETTINGS = FitSettings(
    pair={"cutoff_angstrom": 4.0, "n_max": 4, "lambda_max": 2},
    descriptor=None,
    three_body={"cutoff_angstrom": 3.5, "n_max": 2, "l_max": 2, "decay": 2.0},
    zeta=2,
    n_inducing=6,
)


def fitted(dataset):
    return fit(dataset, SETTINGS, np.random.default_rng(0))


def labels(seeds):
    return complete_dataset([iron_germanium(seed) for seed in seeds])


def noisy_label(seed, grade):
    """A label whose every number scatters by 1 meV (1 mμB, ...) times the factor of its grade."""
    label, rng, width = complete_label(iron_germanium(seed)), np.random.default_rng(seed), 1e-3 * NOISE_FACTORS[grade]
    return replace(
        label,
        energy=label.energy + width * rng.normal(),
        exchange_fields_ac=label.exchange_fields_ac + width * rng.normal(size=(4, 3)),
        forces_ac=label.forces_ac + width * rng.normal(size=(4, 3)),
        stress_cc=None,
        info={"label_grade": grade},
    )


def model_bytes(model, path):
    save_model(path, model)
    return path.read_bytes()


def test_an_a_label_is_one_without_a_grade_bit_for_bit(tmp_path):
    plain, with_grades = (fitted(graded(labels(range(4)), grades)) for grades in (" ", "A"))
    assert model_bytes(plain, tmp_path / "plain") == model_bytes(with_grades, tmp_path / "graded")


def test_rows_of_worse_labels_count_by_their_inverse_variance():
    """Σ 1/s² of the noise factors s = 1, 2, 4, 8 of grades A to D, and the mean square that follows from it."""
    rows_km, values_k, factors_k = np.ones((4, 1)), np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 8.0])
    sums = NormalEquations.from_rows(rows_km / factors_k[:, None], values_k / factors_k, factors_k)
    assert sums.effective_count == pytest.approx(1.0 + 1.0 / 4.0 + 1.0 / 16.0 + 1.0 / 64.0, rel=1e-15)
    assert sums.yty / sums.effective_count == pytest.approx(np.average(values_k**2, weights=factors_k**-2.0), rel=1e-14)
    assert sums.log_factors == pytest.approx(6.0 * np.log(2.0), rel=1e-15)


@pytest.mark.parametrize("grades", ["A", "ABCD", "D"])
def test_the_sums_of_a_data_set_count_by_grade(grades):
    dataset = graded(labels(range(4)), grades)
    basis = fitted(labels(range(4))).basis
    sums = equations_of(dataset, basis, find_references(dataset))
    for target, per_cell in (("energy", 1), ("field", 6), ("force", 12), ("stress", 6), ("moment", 3)):
        factors_k = np.repeat([item.noise_factor for item in dataset], per_cell)
        assert sums[target].n_rows == len(factors_k)
        assert sums[target].effective_count == pytest.approx(np.sum(factors_k**-2.0), rel=1e-14)
        assert sums[target].log_factors == pytest.approx(np.sum(np.log(factors_k)), rel=1e-14, abs=1e-15)


def test_the_digest_tells_grades_apart():
    digests = {grade: graded(labels([0]), grade)[0].digest for grade in " ABCD"}
    assert digests[" "] == digests["A"]
    assert len(set(digests.values())) == 4
    model = fitted(graded(labels(range(3)), "B"))
    assert update(model, graded(labels(range(3)), "B")) is model
    assert update(model, graded(labels(range(3)), "C")).record.n_configurations == 6


def test_equal_grades_are_noise_of_another_size():
    """All labels of grade C: the model of A labels, the noise of an A label a quarter of theirs."""
    same = Dataset(tuple(noisy_label(seed, "C") for seed in range(10)))
    best, worse = (fitted(graded(same, grade)) for grade in "AC")
    for target, n_rows in (("field", 60), ("force", 120)):
        # The belief is in the noise of an A label and shifts by log 4; against its width of 2 the rows weigh n/2 of
        # the curvature 2 n, so that the answers differ by log 4 / (8 n).
        ratio = worse.hyperparameters.noise[target] / best.hyperparameters.noise[target]
        assert ratio == pytest.approx(0.25, rel=3.0 * np.log(4.0) / (8.0 * n_rows) + 0.02)
    probe = iron_germanium(50)
    mine, other = (model.predict(probe) for model in (best, worse))
    assert other.energy == pytest.approx(mine.energy, abs=0.5 * mine.energy_std)


def test_weighed_labels_teach_more_than_the_same_labels_unweighed():
    """Labels of which half scatter by 8 meV: the fit that knows which is nearer to the truth."""
    grades = ["A", "D"] * 6
    noisy = Dataset(tuple(noisy_label(seed, grade) for seed, grade in enumerate(grades)))
    truth = labels(range(100, 106))
    errors = [
        assess(fitted(dataset), truth)[0] for dataset in (noisy, Dataset(tuple(replace(x, info={}) for x in noisy)))
    ]
    for name in ("field_rmse_meV", "force_rmse_meV_per_angstrom", "energy_rmse_meV_per_spin"):
        assert getattr(errors[0], name) < 0.9 * getattr(errors[1], name), name


def test_the_fitted_noise_is_that_of_an_a_label():
    noisy = Dataset(tuple(noisy_label(seed, grade) for seed, grade in enumerate("ABCD" * 4)))
    noise = fitted(noisy).hyperparameters.noise
    # 1 meV/Å on 192 components less what the 40 columns take up: known to a tenth, and the model form adds to it.
    assert 0.8e-3 < noise["force"] < 1.5e-3


def test_levels_lean_on_the_better_labels():
    wrong = replace(
        labels([1])[0], energy=labels([1])[0].energy + 1.0, moment_magnitudes_a=labels([1])[0].moment_magnitudes_a + 0.5
    )
    for grade, share in (("A", 1.0 / 2.0), ("D", 1.0 / 65.0)):
        dataset = labels([0]) + graded(Dataset((wrong,)), grade)
        plain = labels([0, 1])
        iron = mean_moments(dataset)[0] - mean_moments(graded(plain, f"A{grade}"))[0]
        assert iron == pytest.approx(0.5 * share, abs=1e-9)
        shift_s = reference_energies(dataset) - reference_energies(graded(plain, f"A{grade}"))
        assert np.dot([3, 1], shift_s) == pytest.approx(share, abs=1e-9)


def test_a_label_is_expected_to_scatter_by_its_grade():
    model, cell = fitted(Dataset(tuple(noisy_label(seed, "A") for seed in range(8)))), iron_germanium(60)
    one, eight = (model.predict(cell, with_force_std=True, noise_factor=factor) for factor in (1.0, 8.0))
    noise, factors = model.hyperparameters.noise, model.calibration
    more = (factors["energy"] * noise["energy"]) ** 2 * 63.0 * cell.n_magnetic
    assert eight.energy_std**2 - one.energy_std**2 == pytest.approx(more, rel=1e-9)
    more = (factors["force"] * noise["force"]) ** 2 * 63.0
    np.testing.assert_allclose(eight.forces_std_ac**2 - one.forces_std_ac**2, more, rtol=1e-9)
    assert np.all(eight.effective_fields_std_ac[:3] > one.effective_fields_std_ac[:3])
    assert np.all(eight.moments_std_a[:3] > one.moments_std_a[:3])
    assert eight.energy_model_std == one.energy_model_std
    label = complete_label(cell)
    expected = [assess(model, graded(Dataset((label,)), grade))[0].energy_std_meV_per_spin for grade in "AD"]
    assert expected == pytest.approx([1e3 * one.energy_std / 3, 1e3 * eight.energy_std / 3], rel=1e-12)
