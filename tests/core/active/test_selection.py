"""Selection conditions on what was picked, and never picks twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from soso_core.active.selection.acquisition import (
    at_random,
    by_mean_variance,
    by_trust,
    by_variance,
    farthest,
    gains,
    is_worth_it,
    min_relative_efficiency,
    spread,
    worth,
)
from soso_core.active.selection.uncertainty import CandidateRows, ScoreSettings, deviations, learnt, scores
from soso_core.errors import InputError


def candidates(rows_km, noise=0.0, fields_per=0, seed=0, field_noise=1.0):
    """Candidates with these energy rows, and random field rows of two atoms or so."""
    rows_km = np.asarray(rows_km, dtype=float)
    n, m = rows_km.shape
    fields_rm = np.random.default_rng(seed + 50).standard_normal((n * fields_per, m))
    ends_k = fields_per * np.arange(n + 1)
    return CandidateRows(rows_km, fields_rm, ends_k, np.broadcast_to(noise, (n,)).astype(float), field_noise)


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

    assert by_variance(rows, 6).tolist() == by_brute_force(rows, 6, variance)
    assert by_mean_variance(rows, 6).tolist() == by_brute_force(rows, 6, minus_mean_variance)


def test_gain_is_what_the_mean_variance_loses():
    rows = candidates(random_rows(9, 5, 3), 0.3, 4)
    score = ScoreSettings(energy=0.7, field_mean=0.2)
    weight_k = np.random.default_rng(1).uniform(0.5, 1.5, 9)

    def total(of):
        return 1e-6 * weight_k @ scores(of, score) ** 2

    expected = [total(rows) - total(rows.after(k)) for k in range(9)]
    np.testing.assert_allclose(gains(rows, score, weight_k), expected, rtol=1e-9)
    assert min(expected) > 1e-3


def test_rows_of_labels_without_weight_are_left_alone():
    rows_km = random_rows(4, 3, 0)
    np.testing.assert_allclose(learnt(rows_km, 1e-9 * random_rows(2, 3, 1)), rows_km, rtol=1e-12)


def test_scores_are_calibrated_deviations_in_mev():
    """Two atoms: field rows of lengths 3, 4 (mean square 12.5) and 0, 0."""
    fields_rm = np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0], [0.0, 0.0]])
    rows = CandidateRows(np.array([[0.0, 2.0]]), fields_rm, np.array([0, 4]), np.ones(1), 1.0, 1.5, 2.0)
    energy_k, mean_k, largest_k = deviations(rows)
    assert energy_k == pytest.approx([3e3])
    assert mean_k == pytest.approx([2e3 * 6.25**0.5])
    assert largest_k == pytest.approx([2e3 * 12.5**0.5])
    combined = scores(rows, ScoreSettings(energy=1.0, field_mean=0.5, field_largest=0.25))
    assert combined == pytest.approx([1e3 * (9.0 + 0.5 * 25.0 + 0.25 * 50.0) ** 0.5])


def test_a_score_needs_a_weight():
    with pytest.raises(ValueError, match="all zero"):
        ScoreSettings(energy=0.0)


@pytest.mark.parametrize("choose", [by_variance, by_mean_variance, farthest])
def test_twins_are_not_both_chosen_first(choose):
    rows = candidates([[2.0, 0.0], [2.0, 0.0], [0.0, 1.0]], 0.1)
    assert sorted(choose(rows, 2).tolist()) == [0, 2]


@pytest.mark.parametrize("choose", [by_variance, by_mean_variance, farthest])
def test_symmetry_duplicates_come_last(choose):
    """Very noisy labels: without being told, each would take the same one of two large candidates first and second."""
    rows = candidates([[9.0, 0.0], [9.1, 0.0], [0.0, 1.0]], 1e3)
    assert choose(rows, 2, twins_k=np.array([0, 0, 2])).tolist() == [1, 2]
    assert choose(rows, 3, twins_k=np.array([0, 0, 2])).tolist() == [1, 2, 0]


def test_random_choice_keeps_duplicates_for_the_end():
    twins_k = np.array([0, 0, 0, 3])
    for seed in range(20):
        picks = at_random(4, 2, np.random.default_rng(seed), twins_k)
        assert 3 in picks


def test_farthest_keeps_away_from_what_is_known():
    rows = candidates([[5.0, 0.0], [0.0, 4.0], [4.9, 0.0]])
    assert farthest(rows, 1).tolist() == [0]
    assert farthest(rows, 1, start=np.array([2])).tolist() == [1]


def test_candidates_without_variance_come_last_but_they_come():
    rows = candidates([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    picks = by_variance(rows, 4)
    assert picks[:2].tolist() == [1, 3]
    assert sorted(picks.tolist()) == [0, 1, 2, 3]


def test_nothing_known_about_anything_still_gives_a_batch():
    for choose in (by_variance, by_mean_variance):
        assert sorted(choose(candidates(np.zeros((3, 3))), 3).tolist()) == [0, 1, 2]


@hypothesis_settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 12), rank=st.integers(1, 12), seed=st.integers(0, 99), data=st.data())
def test_every_pick_is_new(n, rank, seed, data):
    n_select = data.draw(st.integers(1, n))
    twins_k = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n)))
    rows = candidates(random_rows(n, rank, seed))
    for choose in (by_variance, by_mean_variance, farthest):
        assert len(set(choose(rows, n_select, twins_k=twins_k).tolist())) == n_select
    assert len(set(at_random(n, n_select, np.random.default_rng(seed), twins_k).tolist())) == n_select


def test_random_selection_reproduces():
    first, again = (at_random(50, 5, np.random.default_rng(3)).tolist() for _ in range(2))
    assert first == again != at_random(50, 5, np.random.default_rng(4)).tolist()


def test_spread_reaches_both_ends_of_the_ladder():
    ladder = [0.9, 0.5, 0.1] * 10 + [0.0] * 10
    groups = [0] * 30 + [1] * 10
    picks = spread(groups, ladder, [3, 2])
    assert sorted(ladder[k] for k in picks) == [0.0, 0.0, 0.1, 0.5, 0.9]
    assert len(set(picks.tolist())) == 5


@pytest.mark.parametrize(
    "choose",
    [
        lambda: by_variance(candidates(np.eye(3)), 4),
        lambda: by_mean_variance(candidates(np.eye(3)), 4),
        lambda: farthest(candidates(np.eye(3)), 4),
        lambda: at_random(3, 4, np.random.default_rng(0)),
        lambda: spread([0, 0, 0], [0.0] * 3, [4]),
    ],
)
def test_too_few_candidates(choose):
    with pytest.raises(InputError, match="n_select is 4, but there are only 3 candidates"):
        choose()


def alike_and_odd(n_alike, n_odd, seed=0):
    """Candidates along one common direction, each its own rest; the odd ones along another."""
    common_km = np.concatenate([np.tile([3.0, 0.0], (n_alike, 1)), np.tile([0.0, 9.0], (n_odd, 1))])
    return candidates(np.hstack([common_km, 0.1 * random_rows(n_alike + n_odd, 6, seed)]), noise=0.05)


def test_the_odd_ones_are_worth_choosing_and_the_alike_are_not():
    rng = np.random.default_rng(1)
    alike, mixed = alike_and_odd(40, 0), alike_and_odd(40, 4)
    picks = by_mean_variance(alike, 2).tolist()
    assert not is_worth_it("mean-variance", alike, picks, lambda n: at_random(40, n, rng).tolist(), 1.1)
    assert is_worth_it("farthest-point", alike, picks, lambda n: at_random(40, n, rng).tolist(), 1.1)
    picks = by_mean_variance(mixed, 2).tolist()
    assert sum(k >= 40 for k in picks) == 1
    assert worth(mixed, picks, [at_random(44, 2, rng).tolist() for _ in range(20)]) > 2.0
    assert is_worth_it("mean-variance", mixed, picks, lambda n: at_random(44, n, rng).tolist(), 1.1)
    assert not is_worth_it("mean-variance", mixed, picks, lambda n: at_random(44, n, rng).tolist(), 50.0)


def test_more_has_to_be_promised_where_labels_bring_fields():
    rows_km = random_rows(5, 3, 0)
    assert (
        1.0 < min_relative_efficiency(candidates(rows_km)) < min_relative_efficiency(candidates(rows_km, fields_per=2))
    )


@pytest.mark.parametrize("fields_per", [0, 4])
def test_worth_is_a_ratio_of_logarithms_of_what_is_left(fields_per):
    rows = candidates(random_rows(12, 6, 3), 0.5, fields_per, 3, 2.0)

    def left(picks):
        after = rows
        for k in picks:
            after = after.after(k)
        return np.sum(after.energies_km**2) / np.sum(rows.energies_km**2)

    picks, draws = [4, 7], [[0, 1], [5, 11], [7, 3]]
    expected = -np.log(left(picks)) / np.mean([-np.log(left(drawn)) for drawn in draws])
    assert worth(rows, picks, draws) == pytest.approx(expected, rel=1e-9)


def test_where_nothing_is_uncertain_no_choice_is_worth_more():
    rows = candidates(np.zeros((5, 3)), 0.1)
    assert worth(rows, [0, 1], [[2, 3]]) == 1.0
    assert worth(candidates(random_rows(5, 3, 0), 0.1), [], [[]]) == 1.0


@pytest.mark.parametrize(("trusted", "n_chosen"), [(1.0, 4), (0.5, 2), (0.0, 0)])
def test_what_is_trusted_is_chosen(trusted, n_chosen):
    picks, asked = [8, 3, 5, 1], []

    def draw(n, before):
        asked.append(before)
        return [100 + k for k in range(n)]

    batch = by_trust(picks, trusted, np.random.default_rng(0), draw)
    assert batch == [*picks[:n_chosen], *range(100, 104 - n_chosen)]
    assert asked == [picks[:n_chosen]]
