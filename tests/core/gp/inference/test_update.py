"""An update is a fit from nothing with the same hyperparameters, in any order, on any number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refits import refit
from spin_cells import complete_dataset, complete_label, graded, iron_germanium, skewed_iron

from soso_core import Configuration, Dataset, InputError, LabelledConfiguration
from soso_core.gp.inference.regression import fit, update
from soso_core.gp.inference.sums import CHUNK, equations_of
from soso_core.gp.model.settings import FitSettings

SETTINGS = FitSettings(
    pair={"cutoff_angstrom": 4.0, "n_max": 4, "lambda_max": 2},
    descriptor=None,
    three_body={"cutoff_angstrom": 3.5, "n_max": 2, "l_max": 2, "decay": 2.0},
    zeta=2,
    n_inducing=6,
)
OLD, NEW, PROBE = range(5), range(20, 26), iron_germanium(77)


def labels(seeds):
    return complete_dataset([iron_germanium(seed) for seed in seeds], field_scale=1.03)


def only(dataset, *names):
    kept = ({name: getattr(item, name) for name in names} for item in dataset)
    facts = {"engine": "these tests"}  # of a penalty in energies alone nothing would be known
    pairs = zip(dataset, kept, strict=True)
    return Dataset(tuple(LabelledConfiguration(i.configuration, **k, info=facts) for i, k in pairs))


@pytest.fixture(scope="module")
def model():
    return fit(labels(OLD), SETTINGS, np.random.default_rng(0))


def assert_same_model(mine, other):
    """Sums in another order: rounding, which the posterior makes larger by its condition."""
    for one, two in ((mine, other), (mine.baseline, other.baseline)):
        left, right = (each.predict(PROBE, with_force_std=True) for each in (one, two))
        for name, value in vars(left).items():
            if value is not None:
                expected = np.asarray(getattr(right, name))
                np.testing.assert_allclose(value, expected, rtol=0, atol=1e-8 * np.abs(expected).max(), err_msg=name)


@pytest.mark.parametrize("grades", [" ", "A", "DBCA"])
def test_an_update_is_a_fit_from_nothing(grades):
    """Labels of mixed grades, too: their rows are weighed alike on both ways."""
    old, new = graded(labels(OLD), grades), graded(labels(NEW), grades[::-1])
    model = fit(old, SETTINGS, np.random.default_rng(0))
    updated, whole = update(model, new), refit(model, old + new)
    for target, equation in whole.equations.items():
        assert (updated.equations[target].effective_count < equation.n_rows) == ("D" in grades)
        assert updated.equations[target].effective_count == equation.effective_count
        assert updated.equations[target].log_factors == pytest.approx(equation.log_factors, rel=1e-12)
    assert_same_model(updated, whole)
    assert updated.record == whole.record
    assert updated.record.n_configurations == len(OLD) + len(NEW)
    assert updated.record.fingerprint == (old + new).fingerprint
    assert updated.hyperparameters == model.hyperparameters
    assert updated.calibration == model.calibration


def test_it_learns(model):
    updated = update(model, labels(NEW))
    before, after = (each.predict(PROBE, with_force_std=True) for each in (model, updated))
    assert after.energy_model_std < before.energy_model_std
    assert np.all(after.effective_fields_std_ac[:3] < before.effective_fields_std_ac[:3])
    assert np.all(after.moments_std_a[:3] < before.moments_std_a[:3])
    truth = complete_label(PROBE)
    assert np.abs(after.forces_ac - truth.forces_ac).max() < np.abs(before.forces_ac - truth.forces_ac).max()


@settings(max_examples=6, deadline=None)
@given(order=st.permutations(list(NEW)), cut=st.integers(1, len(NEW) - 1))
def test_the_order_of_batches_does_not_matter(model, order, cut):
    at_once = update(model, labels(NEW))
    in_two = update(update(model, labels(order[:cut])), labels(order[cut:]))
    assert_same_model(at_once, in_two)
    assert sorted(at_once.record.digests) == sorted(in_two.record.digests)


def test_what_was_seen_is_left_out(model):
    assert update(model, labels(OLD)) is model
    assert_same_model(update(model, labels([*OLD, *NEW])), update(model, labels(NEW)))
    assert update(model, labels([*OLD, *NEW])).record.n_configurations == len(OLD) + len(NEW)


def test_repeats_among_the_new_count_once(model):
    twice = update(model, labels(NEW) + labels(NEW))
    assert twice.record == update(model, labels(NEW)).record
    assert_same_model(twice, update(model, labels(NEW)))


def test_part_of_the_labels_is_welcome(model):
    """Energies alone, and fields with moments, one after the other, are the two together."""
    parts = [only(labels(NEW), "energy"), only(labels(NEW), "exchange_fields_ac", "moment_magnitudes_a")]
    both = only(labels(NEW), "energy", "exchange_fields_ac", "moment_magnitudes_a")
    assert_same_model(update(update(model, parts[0]), parts[1]), update(model, both))


def refusal(model, dataset):
    with pytest.raises(InputError) as caught:
        update(model, dataset)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("first", "target"),
    [
        (("energy", "exchange_fields_ac", "moment_magnitudes_a"), "force"),
        (("energy", "forces_ac", "moment_magnitudes_a", "exchange_fields_ac"), "stress"),
        (("energy", "forces_ac", "stress_cc", "moment_magnitudes_a"), "field"),
        (("exchange_fields_ac", "moment_magnitudes_a", "forces_ac", "stress_cc"), "energy"),
    ],
)
def test_a_new_kind_of_label_is_refused(first, target):
    assert f"hold {target} labels" in refusal(
        fit(only(labels(OLD), *first), SETTINGS, np.random.default_rng(0)), labels(NEW)
    )


def test_moments_are_refused_where_none_were_known():
    """No mean of the species is known to take off them."""
    model = fit(only(labels(OLD), "energy"), SETTINGS, np.random.default_rng(0))
    assert "hold moment labels" in refusal(model, only(labels(NEW), "energy", "moment_magnitudes_a"))
    iron = only(complete_dataset([skewed_iron(seed) for seed in range(3)]), "energy", "moment_magnitudes_a")
    alloy = Configuration(
        [26, 32, 32, 26], skewed_iron(4).positions_ac, skewed_iron(4).cell_vc, skewed_iron(4).spins_ac
    )
    mixed = fit(iron + only(complete_dataset([alloy]), "energy"), SETTINGS, np.random.default_rng(0))
    turned = alloy.with_spins(alloy.spins_ac[::-1])
    assert "moment magnitudes of a species" in refusal(
        mixed, only(complete_dataset([turned]), "energy", "moment_magnitudes_a")
    )


def test_an_unknown_element_is_refused(model):
    cobalt = Configuration([27], [[0, 0, 0]], 3 * np.eye(3), [[0, 0, 1.0]])
    assert "Co" in refusal(model, Dataset((LabelledConfiguration(cobalt, energy=0.0),)))


def test_a_model_without_sums_is_refused(model):
    bare = type(model)(**{name: getattr(model, name) for name in model.__dataclass_fields__ if name != "equations"})
    assert "carries no sums" in refusal(bare, labels(NEW))


def test_threads_do_not_change_the_sums(model, monkeypatch):
    many = labels(range(2 * CHUNK + 3)).labelled
    sums = []
    for n_threads in ("1", "2", "5"):
        monkeypatch.setenv("SOSO_NUM_THREADS", n_threads)
        sums.append(equations_of(many, model.basis, model.references))
    assert set(sums[0]) == {"energy", "field", "force", "stress", "moment"}
    for target, first in sums[0].items():
        assert first.n_rows > 0
        for other in sums[1:]:
            np.testing.assert_array_equal(first.gram_mm, other[target].gram_mm)
            np.testing.assert_array_equal(first.projection_m, other[target].projection_m)
            assert (first.yty, first.n_rows) == (other[target].yty, other[target].n_rows)
