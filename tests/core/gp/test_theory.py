"""What docs/topics/theory.md says of the covariance, calibration, updates, the scale of fields and lengths."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.linalg import solve_triangular
from scipy.stats import norm, t
from spin_cells import heisenberg_dataset, heisenberg_label, skewed_iron

from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.gp.calibration import left_out_errors, reliability, stretch, stretches
from soso_core.gp.covariance import Points, ProductCovariance
from soso_core.gp.evidence import FIELD_SCALE_WIDTH, posterior
from soso_core.gp.regression import fit, refit, update
from soso_core.gp.settings import FitSettings
from soso_core.gp.sums import Levels, equations_of, labelled_rows

SMALL = FitSettings(
    pair={"cutoff_angstrom": 4.0, "n_max": 4, "lambda_max": 2},
    descriptor=None,
    three_body={"cutoff_angstrom": 3.5, "n_max": 2, "l_max": 2},
    zeta=2,
    n_inducing=8,
)


@pytest.fixture(scope="module")
def dataset():
    """Ten cells with energies, fields and lengths that vary with the spins around."""
    return Dataset(tuple(with_lengths(heisenberg_label(skewed_iron(seed))) for seed in range(10)))


@pytest.fixture(scope="module")
def model(dataset):
    return fit(dataset, SMALL, np.random.default_rng(0))


def with_lengths(item):
    """Return the label with lengths 2.2 + 0.3 e·(mean spin of the others), -∂E/∂e kept."""
    e_ac = item.configuration.spins_ac
    moments_a = 2.2 + 0.3 * (e_ac @ e_ac.sum(axis=0) - 1.0) / (len(e_ac) - 1)
    fields_ac = item.exchange_fields_ac * (item.moments_a / moments_a)[:, None]
    return replace(item, moments_a=moments_a, exchange_fields_ac=fields_ac)


@pytest.mark.parametrize("zeta", [1, 2, 3])
def test_monomials_with_their_multiplicities_are_the_power(zeta):
    """(Σ_q k_q)^zeta = Σ over all ordered products, each of which is a monomial."""
    rng = np.random.default_rng(1)
    blocks = {"d": slice(0, 2), "1-1": slice(2, 5), "P1-P1": slice(5, 6)}
    points = Points(rng.normal(size=(4, 6)), np.zeros(4, dtype=np.int64))
    covariance = ProductCovariance(blocks, zeta)
    k_tab = covariance.values(points, points)
    count_t = np.zeros(len(covariance.monomials))
    for ordered in product(range(3), repeat=zeta):
        count_t[covariance.monomials.index(tuple(sorted(ordered)))] += 1
    np.testing.assert_allclose(
        np.einsum("t,tab->ab", count_t, k_tab), (points.x_af @ points.x_af.T) ** zeta, rtol=1e-12
    )
    assert covariance.names[0] == " ".join(["d"] * zeta)


def test_different_species_have_no_covariance():
    points = Points(np.ones((2, 3)), np.array([0, 1]))
    (k_ab,) = ProductCovariance({"d": slice(0, 3)}, 1).values(points, points)
    np.testing.assert_array_equal(k_ab, 3.0 * np.eye(2))


def test_errors_left_out_are_those_of_a_fit_without(dataset, model):
    """The identity for one configuration equals solving without it, scales kept."""
    item, rest = dataset[3], dataset.subset([k for k in range(10) if k != 3])
    levels = Levels(model.offsets_s, model.moments_s)
    rows = labelled_rows(item, model.basis, levels)["energy"]
    scales = replace(model.scales, noise=dict.fromkeys(rows, 0.002))
    solved = [posterior(sums_of(part, model, levels, rows), model.basis.blocks, scales) for part in (dataset, rest)]
    z = left_out_errors(rows, *solved[0], scales)
    weights_m, lower_mm = solved[1]
    for target, (rows_km, values_k) in rows.items():
        seen_km = scales.factor(target) * rows_km
        half_mk = solve_triangular(lower_mm, seen_km.T, lower=True)
        deviation_k = np.sqrt(np.sum(half_mk**2, axis=0) + scales.noise[target] ** 2)
        # Rounding of the sums, times the conditioning of the precision, stays below 1e-7 at this noise.
        np.testing.assert_allclose(z[target], (values_k - seen_km @ weights_m) / deviation_k, rtol=1e-6, atol=1e-7)


def sums_of(dataset, model, levels, targets):
    equations = equations_of(dataset.labelled, model.basis, levels)
    return {target: equations[target] for target in targets}


def test_a_stretch_puts_nine_of_ten_inside():
    z_k = 3.0 * np.random.default_rng(0).standard_normal(20000)
    found = stretch(z_k)
    # The 90 % quantile of 20000 draws is known within 1 %; the belief in 1 is worth five of them.
    assert found == pytest.approx(3.0, rel=0.03)
    expected, observed = reliability(z_k / found)
    np.testing.assert_allclose(observed, expected, atol=0.02)
    assert stretch(np.zeros(0)) == 1.0
    assert 1.0 < stretch(np.full(2, 3.0)) < 3.0 / norm.ppf(0.95), "two errors do not outweigh the belief"


@pytest.mark.parametrize("n_configurations", [2, 5, 30])
def test_few_configurations_widen_as_students_t_does(n_configurations):
    errors = [{"energy": np.array([0.5, -0.5])} for _ in range(n_configurations)]
    widening = stretches(errors)["energy"] / stretch(np.full(2 * n_configurations, 0.5))
    assert widening == pytest.approx(min(t.ppf(0.95, n_configurations - 1) / norm.ppf(0.95), 2.0), rel=1e-12)


def test_an_update_is_the_refit_of_all(dataset):
    first, more = dataset.subset(range(7)), dataset.subset(range(5, 10))
    updated = update(fit(first, SMALL, np.random.default_rng(0)), more)
    whole = refit(updated, dataset)
    assert updated.record == whole.record
    for a, b in zip(
        (updated.predict(item.configuration) for item in dataset),
        (whole.predict(item.configuration) for item in dataset),
        strict=True,
    ):
        # Sums in another order: rounding of 1e-16 times the conditioning of the precision.
        assert a.energy == pytest.approx(b.energy, abs=1e-8)
        np.testing.assert_allclose(a.fields_ac, b.fields_ac, atol=1e-8)
        np.testing.assert_allclose(a.fields_std_ac, b.fields_std_ac, rtol=1e-6)
        np.testing.assert_allclose(a.moments_a, b.moments_a, atol=1e-8)


def test_an_update_refuses_a_kind_of_label_it_has_not_seen(dataset, model):
    forced = replace(dataset[0], forces_ac=np.zeros((4, 3)))
    with pytest.raises(InputError, match="the new labels hold forces, of which this model has seen none"):
        update(model, Dataset((forced,)))
    assert update(model, dataset.subset([1, 2])) is model, "nothing new, nothing done"


@pytest.mark.parametrize("scale", [1.0, 1.08])
def test_the_scale_of_fields_is_found(scale):
    """Fields of the labels `scale` times too small; half a width of the belief is well within what labels can say."""
    cells = heisenberg_dataset([skewed_iron(seed) for seed in range(12)])
    short = [replace(item, exchange_fields_ac=item.exchange_fields_ac / scale) for item in cells]
    found = fit(Dataset(tuple(short)), SMALL, np.random.default_rng(0)).scales.field_scale
    assert found == pytest.approx(scale, abs=0.2 * FIELD_SCALE_WIDTH)


def test_lengths_are_learnt_with_error_bars(dataset, model):
    fresh = [with_lengths(heisenberg_label(skewed_iron(seed))) for seed in range(20, 26)]
    found = [model.predict(item.configuration) for item in fresh]
    error = np.concatenate([p.moments_a - item.moments_a for p, item in zip(found, fresh, strict=True)])
    deviation = np.concatenate([p.moments_std_a for p in found])
    spread = np.std(np.concatenate([item.moments_a for item in fresh]))
    assert np.sqrt(np.mean(error**2)) < 0.5 * spread
    assert np.all(deviation > 0.0)
    assert np.mean(np.abs(error) < 3.0 * deviation) > 0.8
