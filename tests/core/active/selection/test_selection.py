"""Selection conditions on what was picked, and never picks twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from soso_core.active.selection.acquisition import (
    BY_UNCERTAINTY,
    at_random,
    gains,
    largest_variance,
    mean_variance,
    spread,
)
from soso_core.active.selection.batch import BatchRequest, choose_batch
from soso_core.active.selection.uncertainty import CandidateRows, condition_rows, energy_deviations
from soso_core.errors import InputError


def candidates(rows_km, noise=0.0, fields_per=0, seed=0, field_noise=1.0):
    """Candidates with these energy rows, and random field rows of two atoms or so."""
    rows_km = np.asarray(rows_km, dtype=float)
    n, m = rows_km.shape
    fields_rm = np.random.default_rng(seed + 50).standard_normal((n * fields_per, m))
    ends_k = fields_per * np.arange(n + 1)
    return CandidateRows(rows_km, fields_rm, ends_k, np.broadcast_to(noise, (n,)).astype(float), field_noise)


def pick(choose, rows, n_select, classes_k=None):
    """The picks of an acquisition function, by energies; every candidate a class of its own unless said otherwise."""
    return choose(rows, n_select, np.arange(len(rows)) if classes_k is None else classes_k)


def random_rows(n, rank, seed):
    return np.random.default_rng(seed).standard_normal((n, rank))


def posterior(covariance, label_rm):
    """The covariance (m, m) of the weights after labels with unit noise, by inverting the precision."""
    return np.linalg.inv(np.linalg.inv(covariance) + label_rm.T @ label_rm)


def by_brute_force(rows, n_select, value):
    """Solve the whole posterior anew from all picks before each pick; `value` judges a candidate by it."""
    weights_mm, picks = np.eye(rows.energies_km.shape[1]), []
    for _ in range(n_select):
        left = [k for k in range(len(rows)) if k not in picks]
        picks.append(max(left, key=lambda k: value(weights_mm, k)))
        weights_mm = posterior(weights_mm, rows.label_of(picks[-1]))
    return picks


@pytest.mark.parametrize("fields_per", [0, 4])
@pytest.mark.parametrize("noise", [0.05, 0.5, 10.0])
@pytest.mark.parametrize("seed", range(3))
def test_conditioning_equals_recomputing(seed, noise, fields_per):
    noise_k = noise * np.random.default_rng(seed + 100).uniform(0.5, 2.0, 20)
    rows = candidates(random_rows(20, 8, seed), noise_k, fields_per, seed, 3.0)

    def variance(weights_mm, k):
        return rows.energies_km[k] @ weights_mm @ rows.energies_km[k]

    def minus_mean_variance(weights_mm, k):
        after_mm = posterior(weights_mm, rows.label_of(k))
        return -np.trace(rows.energies_km @ after_mm @ rows.energies_km.T)

    assert pick(largest_variance, rows, 6) == by_brute_force(rows, 6, variance)
    assert pick(mean_variance, rows, 6) == by_brute_force(rows, 6, minus_mean_variance)


def test_gain_is_what_the_mean_variance_loses():
    rows = candidates(random_rows(9, 5, 3), 0.3, 4)

    def total(of):
        return np.sum(of.energies_km**2)

    expected = [total(rows) - total(rows.after(k)) for k in range(9)]
    np.testing.assert_allclose(gains(rows), expected, rtol=1e-9)
    assert min(expected) > 1e-3


def test_rows_of_labels_without_weight_are_left_alone():
    rows_km = random_rows(4, 3, 0)
    np.testing.assert_allclose(condition_rows(rows_km, 1e-9 * random_rows(2, 3, 1)), rows_km, rtol=1e-12)


def test_energy_deviations_are_calibrated_and_in_mev():
    rows = CandidateRows(np.array([[0.0, 2.0], [3.0, 4.0]]), np.zeros((0, 2)), np.zeros(3, int), np.ones(2), 1.0, 1.5)
    assert energy_deviations(rows) == pytest.approx([3e3, 7.5e3])


@pytest.mark.parametrize("choose", BY_UNCERTAINTY.values())
def test_equal_candidates_are_not_both_chosen_first(choose):
    rows = candidates([[2.0, 0.0], [2.0, 0.0], [0.0, 1.0]], 0.1)
    assert sorted(pick(choose, rows, 2)) == [0, 2]


@pytest.mark.parametrize("choose", BY_UNCERTAINTY.values())
def test_one_of_a_symmetry_class_is_chosen_and_none_of_a_closed_one(choose):
    """Labels are very noisy: without classes the same one of the two large candidates comes first and second."""
    rows = candidates([[9.0, 0.0], [9.1, 0.0], [0.0, 1.0]], 1e3)
    assert pick(choose, rows, 2, np.array([0, 0, 2])) == [1, 2]
    assert pick(choose, rows, 1, np.array([-1, -1, 2])) == [2]
    with pytest.raises(InputError, match="n_select is 3, but there are only 2 candidates"):
        pick(choose, rows, 3, np.array([0, 0, 2]))


def test_candidates_without_variance_come_last_but_they_come():
    rows = candidates([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    picks = pick(largest_variance, rows, 4)
    assert picks[:2] == [1, 3]
    assert sorted(picks) == [0, 1, 2, 3]


def test_nothing_known_about_anything_still_gives_a_batch():
    for choose in (largest_variance, mean_variance):
        assert sorted(pick(choose, candidates(np.zeros((3, 3))), 3)) == [0, 1, 2]


@hypothesis_settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 12), rank=st.integers(1, 12), seed=st.integers(0, 99), data=st.data())
def test_every_pick_is_new(n, rank, seed, data):
    classes_k = np.array(data.draw(st.lists(st.integers(-1, n - 1), min_size=n, max_size=n)))
    n_classes = len(np.unique(classes_k[classes_k >= 0]))
    n_select = data.draw(st.integers(0, n_classes))
    rows = candidates(random_rows(n, rank, seed))
    chosen = [pick(choose, rows, n_select, classes_k) for choose in BY_UNCERTAINTY.values()]
    for picks in (*chosen, at_random(n_select, classes_k, np.random.default_rng(seed))):
        assert len(set(classes_k[picks])) == n_select
        assert not np.any(classes_k[picks] < 0)


def test_random_selection_reproduces():
    first, again = (at_random(5, np.arange(50), np.random.default_rng(3)) for _ in range(2))
    assert first == again != at_random(5, np.arange(50), np.random.default_rng(4))


def test_spread_reaches_both_ends_of_the_ladder():
    ladder = [0.9, 0.5, 0.1] * 10 + [0.0] * 10
    groups = [0] * 30 + [1] * 10
    picks = spread(groups, ladder, [3, 2])
    assert sorted(ladder[k] for k in picks) == [0.0, 0.0, 0.1, 0.5, 0.9]
    assert len(set(picks.tolist())) == 5


@pytest.mark.parametrize(
    "choose",
    [
        *(lambda f=f: pick(f, candidates(np.eye(3)), 4) for f in BY_UNCERTAINTY.values()),
        lambda: at_random(4, np.arange(3), np.random.default_rng(0)),
        lambda: spread([0, 0, 0], [0.0] * 3, [4]),
    ],
)
def test_too_few_candidates(choose):
    with pytest.raises(InputError, match="n_select is 4, but there are only 3 candidates"):
        choose()


def request(n_select, acquisition="energy-variance", fraction=0.5, classes_k=None):
    return BatchRequest(n_select, acquisition, fraction, np.arange(12) if classes_k is None else classes_k)


@pytest.mark.parametrize("acquisition", [*BY_UNCERTAINTY, "random"])
def test_a_batch_is_a_random_sample_and_then_picks_that_know_the_sample(acquisition):
    rows = candidates(random_rows(12, 6, 3), 0.1)
    batch = choose_batch(rows, request(6, acquisition), np.random.default_rng(1))
    sample = at_random(6 if acquisition == "random" else 3, np.arange(12), _after_one_draw(1, acquisition))
    assert list(batch.picks[: batch.n_random]) == sample
    assert batch.n_random == len(sample)
    for k in sample if batch.n_random < 6 else ():
        rows = rows.after(k)
    open_k = np.where(np.isin(np.arange(12), sample), -1, np.arange(12))
    if batch.n_random < 6:
        assert list(batch.picks[3:]) == pick(BY_UNCERTAINTY[acquisition], rows, 3, open_k)


def _after_one_draw(seed, acquisition):
    """The generator after the draw that rounds the share; a batch all at random needs none."""
    rng = np.random.default_rng(seed)
    if acquisition != "random":
        rng.random()
    return rng


def test_the_share_of_a_batch_is_right_on_average():
    rows = candidates(random_rows(12, 6, 3), 0.1)
    counts = [choose_batch(rows, request(3, fraction=0.5), np.random.default_rng(s)).n_random for s in range(400)]
    assert set(counts) == {1, 2}
    assert np.mean(counts) == pytest.approx(1.5, abs=0.1)
    for fraction, n_random in ((1.0, 0), (0.0, 3)):
        assert choose_batch(rows, request(3, fraction=fraction), np.random.default_rng(0)).n_random == n_random


def test_a_batch_is_smaller_where_few_classes_are_left():
    rows = candidates(random_rows(12, 6, 3), 0.1)
    classes_k = np.array([0, 0, 0, 3, 3, *[-1] * 7])
    batch = choose_batch(rows, request(6, classes_k=classes_k), np.random.default_rng(0))
    assert sorted(classes_k[list(batch.picks)]) == [0, 3]
    with pytest.raises(InputError, match="all 12 candidates are symmetry-equivalent to existing labels"):
        choose_batch(rows, request(6, classes_k=np.full(12, -1)), np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(5))
def test_the_random_sample_is_a_sample_of_the_candidates(seed):
    """Errors grow with the variance: those of the sample have the mean of all, those of the picks are larger."""
    rng = np.random.default_rng(seed)
    rows_km = random_rows(400, 30, seed) * rng.uniform(0.2, 2.0, 400)[:, None]
    rows, squares_k = candidates(rows_km, 0.3), np.sum(rows_km**2, axis=1)
    batches = [choose_batch(rows, BatchRequest(8, "energy-variance", 0.5, np.arange(400)), rng) for _ in range(40)]
    sample = [k for batch in batches for k in batch.picks[: batch.n_random]]
    picks = [k for batch in batches for k in batch.picks[batch.n_random :]]
    assert np.mean(squares_k[sample]) == pytest.approx(np.mean(squares_k), rel=0.25)
    assert np.mean(squares_k[picks]) > 2.0 * np.mean(squares_k)
