"""Refits name what is missing: a magnet with four-spin terms asks for three-body channels, one of pairs does not."""

from dataclasses import replace

import numpy as np
from spin_cells import four_spin_label, heisenberg_label, random_spins, rigid_iron

from soso_core.active.offline.pool import fit_part, make_pool, refit_part
from soso_core.active.stopping import learning_curve as learning
from soso_core.active.stopping.alternatives import weigh_alternatives
from soso_core.active.stopping.learning_curve import learning_curve_check
from soso_core.active.stopping.policy import labels_help
from soso_core.dataset import Dataset
from soso_core.gp.model.settings import FitSettings

PAIRS = FitSettings.model_validate(
    {
        "pair": {"cutoff_angstrom": 3.5, "n_max": 4, "lambda_max": 2},
        "descriptor": {"cutoff_angstrom": 3.5, "n_max": 3, "lambda_max": 2, "sigma_spin": 1.0},
        "zeta": 1,
        "n_inducing": 30,
    }
)


def dataset_of(label):
    rng = np.random.default_rng(2)
    return Dataset(tuple(label(rigid_iron(random_spins(8, rng))) for _ in range(20)))


def test_three_body_channels_are_named_where_they_are_missing():
    found = weigh_alternatives(dataset_of(four_spin_label), PAIRS, np.random.default_rng(0)).alternatives
    best = min(found, key=lambda item: item.ratio)
    assert best.name == "three-body channels"
    assert best.ratio < 0.7


def test_nothing_is_better_than_the_truth():
    """Pairs alone, without noise: the present form is exact to rounding, and no form is better than that."""
    data, rng = dataset_of(heisenberg_label), np.random.default_rng(0)
    found = weigh_alternatives(data, PAIRS, rng, even_if_labels_help=True).alternatives
    assert {item.name for item in found} == {"three-body channels", "a longer range of the pair part"}
    assert all(item.present_rmse_meV_per_spin < 0.1 for item in found)


def test_a_form_that_cannot_learn_learns_nothing_from_labels():
    """Without fields pairs are learnt label by label; of four spins a model of pairs has soon learnt what it can."""
    bare = [replace(item, exchange_fields_ac=None, moment_magnitudes_a=None) for item in dataset_of(heisenberg_label)]
    few = make_pool(Dataset(tuple(bare[:10])), PAIRS, np.random.default_rng(0))
    found = learning_curve_check(few, fit_part(few, range(10)), np.arange(10), np.random.default_rng(1))
    assert found.field_rmse_meV is None
    assert labels_help(found)
    stuck = make_pool(dataset_of(four_spin_label), PAIRS, np.random.default_rng(0))
    assert not labels_help(
        learning_curve_check(stuck, fit_part(stuck, range(20)), np.arange(20), np.random.default_rng(1))
    )


def test_halves_share_nothing_with_what_is_left_out(monkeypatch):
    """Five folds: every label is left out once, of a fit of all others and of one of either half of those."""
    parts = []

    def noted(pool, chosen, fitted):
        parts.append(set(chosen))
        return real(pool, chosen, fitted)

    real = learning.refit_part
    monkeypatch.setattr(learning, "refit_part", noted)
    pool = make_pool(dataset_of(heisenberg_label), PAIRS, np.random.default_rng(0))
    labels = np.array([3, 1, 4, 15, 9, 2, 6, 5, 8, 7, 0])
    learning_curve_check(pool, fit_part(pool, labels.tolist()), labels, np.random.default_rng(0))
    whole, one, other = parts[:5], parts[5::2], parts[6::2]
    left_out = [set(labels.tolist()) - part for part in whole]
    assert sorted(k for part in left_out for k in part) == sorted(labels.tolist())
    assert all(a | b == c and not a & b and abs(len(a) - len(b)) < 2 for a, b, c in zip(one, other, whole, strict=True))


def test_a_refit_of_the_same_labels_is_the_fit():
    pool = make_pool(dataset_of(four_spin_label), PAIRS, np.random.default_rng(0))
    fitted = fit_part(pool, range(9))
    again = refit_part(pool, range(9), fitted)
    assert np.allclose(again.weights_m, fitted.weights_m, rtol=1e-9, atol=1e-12 * np.abs(fitted.weights_m).max())
    assert not np.allclose(refit_part(pool, range(8), fitted).weights_m, fitted.weights_m, rtol=1e-3)


def test_halves_may_lack_a_species():
    """Two of ten cells hold cobalt: a half without it has no reference energy of it, and is a model all the same."""
    iron = [replace(item, exchange_fields_ac=None, moment_magnitudes_a=None) for item in dataset_of(heisenberg_label)][
        :10
    ]
    numbers_a = np.array([27, *iron[0].configuration.numbers_a[1:]])
    alloyed = [replace(item, configuration=replace(item.configuration, numbers_a=numbers_a)) for item in iron[:2]]
    pool = make_pool(Dataset((*alloyed, *iron[2:])), PAIRS, np.random.default_rng(0))
    found = learning_curve_check(pool, fit_part(pool, range(10)), np.arange(10), np.random.default_rng(0))
    assert np.isfinite(found.half_energy_rmse_meV_per_spin)
