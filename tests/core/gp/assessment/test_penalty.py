"""A penalty in the energies of labels: estimated, and subtracted before a fit."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import truncnorm
from spin_cells import complete_dataset, graded, skewed_iron

from soso_core.app.cli import main
from soso_core.dataset import Dataset
from soso_core.descriptors.parameters import PairDescriptorParameters
from soso_core.formats import read_dataset, write_dataset
from soso_core.gp.assessment import penalty
from soso_core.gp.assessment.penalty import (
    SUBTRACTED_KEY,
    _moments_above_zero,
    estimate_penalty,
    penalty_posterior,
    subtract_penalty,
    sum_of_squares,
)
from soso_core.gp.model.settings import FitSettings, PairPartSettings
from soso_core.labels import transverse

KAPPA = 2.0
"""μB²/eV: a soft spring; the fields of these cells are of a few meV/μB."""
SETTINGS = FitSettings(
    pair=PairPartSettings(cutoff_angstrom=3.5, n_max=4),
    descriptor=PairDescriptorParameters(cutoff_angstrom=3.5, n_max=3),
    n_inducing=8,
    zeta=2,
)


def add_penalty(dataset, kappa=KAPPA):
    return Dataset(tuple(replace(item, energy=item.energy + kappa * sum_of_squares(item)) for item in dataset))


@pytest.fixture(scope="module")
def pure():
    """Labels of a model of the very form, so that energies without penalty are fitted to a fraction of it."""
    return complete_dataset([skewed_iron(seed) for seed in range(30)])


@pytest.fixture(autouse=True)
def small_settings(monkeypatch):
    monkeypatch.setattr(penalty, "choose_settings", lambda dataset: SETTINGS)


def test_sum_of_squares_is_that_across_the_spins(pure):
    item = pure[0]
    spins_ac = item.configuration.spins_ac
    along = replace(item, exchange_fields_ac=item.exchange_fields_ac + 3.0 * spins_ac)
    expected = sum(float(b @ b) for b in transverse(item.exchange_fields_ac, spins_ac))
    assert sum_of_squares(along) == pytest.approx(expected, rel=1e-9)
    assert expected > 0.0


def test_the_penalty_is_estimated_and_subtracted(pure):
    dataset = add_penalty(pure)
    estimate = estimate_penalty(dataset, np.random.default_rng(0), width=5.0)
    assert estimate.is_determined
    assert estimate.kappa == pytest.approx(KAPPA, rel=0.1)
    assert abs(estimate.kappa - KAPPA) < 3.0 * estimate.deviation
    for item, expected in zip(subtract_penalty(dataset, KAPPA), pure, strict=True):
        assert item.energy == pytest.approx(expected.energy, abs=1e-12)
        assert item.info[SUBTRACTED_KEY] == KAPPA


def test_the_estimate_of_worse_labels_is_the_same(pure):
    estimate = estimate_penalty(graded(add_penalty(pure), "D"), np.random.default_rng(0), width=5.0)
    assert estimate.kappa == pytest.approx(KAPPA, rel=0.1)


def test_it_is_subtracted_once(pure):
    once = subtract_penalty(add_penalty(pure[:4]), KAPPA)
    assert [item.digest for item in subtract_penalty(once, KAPPA)] == [item.digest for item in once]
    assert estimate_penalty(once, np.random.default_rng(0)).kappa == 0.0


@pytest.mark.parametrize("changes", [{"info": {"engine": "tight-binding"}}, {"exchange_fields_ac": None}])
def test_labels_of_engines_and_labels_without_fields_keep_their_energies(pure, changes):
    dataset = Dataset((*pure[:7], replace(pure[7], **changes)))
    foreign = estimate_penalty(Dataset(pure[:7]), np.random.default_rng(0))
    assert estimate_penalty(dataset, np.random.default_rng(0)) == foreign
    assert subtract_penalty(dataset, KAPPA)[7] is dataset[7]
    assert subtract_penalty(dataset, KAPPA)[6] is not dataset[6]


def test_labels_that_do_not_narrow_the_prior_do_not_determine_kappa(pure):
    estimate = estimate_penalty(add_penalty(pure), np.random.default_rng(0), width=1e-3)
    assert not estimate.is_determined
    assert estimate.deviation == pytest.approx(1e-3 * np.sqrt(1.0 - 2.0 / np.pi), rel=0.1)


def run(*arguments):
    return CliRunner().invoke(main, ["data", "subtract-penalty", *map(str, arguments)])


def test_command(pure, tmp_path, monkeypatch):
    """Half of the labels are those of an engine, without penalty; a second run finds nothing to subtract."""
    monkeypatch.setattr(penalty, "estimate_penalty", partial(estimate_penalty, width=5.0))
    made = [replace(item, info={"engine": "tight-binding"}) for item in pure[20:]]
    dataset = Dataset((*add_penalty(pure)[:20], *made))
    source, target = tmp_path / "labels.extxyz", tmp_path / "clean.extxyz"
    write_dataset(source, dataset)
    found = run(source, "-o", target)
    assert found.exit_code == 0, found.output
    written = read_dataset(target)
    kappa = written[0].info[SUBTRACTED_KEY]
    assert kappa == pytest.approx(KAPPA, rel=0.1)
    assert re.search(rf"κ = {kappa:.4g} ± 0.\d+ μB²/eV subtracted from 20 of 30 energies", found.output)
    assert [item.energy for item in written[20:]] == [item.energy for item in made]
    assert all(SUBTRACTED_KEY not in item.info for item in written[20:])
    again = run(target, "-o", source, "--kappa", "1")
    assert again.exit_code == 2
    assert "no energy can contain a penalty" in again.output


def test_command_refuses_what_the_labels_do_not_determine(pure, tmp_path):
    source, target = tmp_path / "labels.extxyz", tmp_path / "clean.extxyz"
    write_dataset(source, graded(add_penalty(pure[:8]), "D"))
    refused = run(source, "-o", target)
    assert refused.exit_code == 2
    assert "the labels do not determine kappa (estimate: 0.0" in refused.output
    assert not target.exists()
    assert "κ = 2 μB²/eV subtracted from 8 of 8" in run(source, "-o", target, "--kappa", "2").output
    write_dataset(source, [replace(item, info={"engine": "gpaw"}) for item in pure[:3]])
    refused = run(source, "-o", target)
    assert refused.exit_code == 2
    assert "all labels were made by SOSO's engines, which store energies without the penalty" in refused.output


def test_it_is_one_more_weight_of_the_fit():
    """Bayesian linear regression with the column among the others, far above zero where the cut takes nothing off."""
    rng, noise, width = np.random.default_rng(5), 0.1, 2.0
    rows_km, squares_k = rng.normal(size=(20, 4)), rng.normal(size=20) + 2.0
    values_k = rows_km @ rng.normal(size=4) + 1.5 * squares_k + noise * rng.normal(size=20)
    cholesky_mm = np.linalg.cholesky(rows_km.T @ rows_km / noise**2 + np.eye(4))
    weights_m = np.linalg.solve(cholesky_mm @ cholesky_mm.T, rows_km.T @ values_k / noise**2)
    kappa, deviation = penalty_posterior(rows_km, values_k, squares_k, (weights_m, cholesky_mm), noise, width)
    joint_kn = np.column_stack([rows_km, squares_k])
    precision = joint_kn.T @ joint_kn / noise**2 + np.diag([1.0, 1.0, 1.0, 1.0, width**-2])
    expected = np.linalg.solve(precision, joint_kn.T @ values_k / noise**2)[4]
    assert expected > 1.0
    assert kappa == pytest.approx(expected, rel=1e-9)
    assert deviation == pytest.approx(np.sqrt(np.linalg.inv(precision)[4, 4]), rel=1e-6)


@pytest.mark.parametrize("mean", [-0.3, -0.05, 0.0, 0.02, 1.0])
def test_moments_of_what_is_left_above_zero(mean):
    left = truncnorm(-mean / 0.03, np.inf, loc=mean, scale=0.03)
    assert _moments_above_zero(mean, 0.03) == pytest.approx((left.mean(), left.std()), rel=1e-6)
    assert 0.0 <= _moments_above_zero(-1.0, 1e-9)[0] < 1e-9
