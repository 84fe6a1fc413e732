"""Selection conditions on what was picked, and never picks twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from soso_core.active.selection import at_random, by_energy_variance, conditioned, spread
from soso_core.errors import InputError


def random_covariance(n, rank, seed):
    rows = np.random.default_rng(seed).standard_normal((n, rank))
    return rows @ rows.T


def by_brute_force(covariance_kk, noise_k, n_select):
    """Recompute every posterior variance from the full set of noisy labels before each pick."""
    picks = []
    for _ in range(n_select):
        variance_k = np.diag(covariance_kk).copy()
        if picks:
            gram = covariance_kk[np.ix_(picks, picks)] + np.diag(noise_k[picks])
            cross = covariance_kk[:, picks]
            variance_k -= np.einsum("kp,pq,kq->k", cross, np.linalg.inv(gram), cross)
        variance_k[picks] = -np.inf
        picks.append(int(np.argmax(variance_k)))
    return picks


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("noise", [1e-3, 0.3, 10.0])
def test_conditioning_equals_recomputing(seed, noise):
    covariance_kk = random_covariance(20, 8, seed)
    noise_k = noise * np.random.default_rng(seed + 100).uniform(0.5, 2.0, 20)
    assert by_energy_variance(covariance_kk, noise_k, 7).tolist() == by_brute_force(covariance_kk, noise_k, 7)


def test_conditioned_covariance_is_that_of_the_longer_list_of_labels():
    covariance_kk = random_covariance(6, 6, 1)
    left_kk = conditioned(conditioned(covariance_kk, 2, 0.1), 4, 0.2)
    cross = covariance_kk[:, [2, 4]]
    gram = covariance_kk[np.ix_([2, 4], [2, 4])] + np.diag([0.1, 0.2])
    np.testing.assert_allclose(left_kk, covariance_kk - cross @ np.linalg.inv(gram) @ cross.T, atol=1e-12)


def test_twins_are_not_both_chosen_first():
    covariance_kk = np.array([[4.0, 4.0, 0.0], [4.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    assert by_energy_variance(covariance_kk, np.full(3, 0.01), 2).tolist() == [0, 2]


def test_candidates_without_variance_come_last_but_they_come():
    covariance_kk = np.diag([0.0, 2.0, 0.0, 1.0])
    picks = by_energy_variance(covariance_kk, np.zeros(4), 4)
    assert picks[:2].tolist() == [1, 3]
    assert sorted(picks.tolist()) == [0, 1, 2, 3]


def test_nothing_known_about_anything_still_gives_a_batch():
    assert sorted(by_energy_variance(np.zeros((3, 3)), np.zeros(3), 3).tolist()) == [0, 1, 2]


@hypothesis_settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 12), rank=st.integers(1, 12), seed=st.integers(0, 99), data=st.data())
def test_every_pick_is_new(n, rank, seed, data):
    n_select = data.draw(st.integers(1, n))
    covariance_kk = random_covariance(n, rank, seed)
    assert len(set(by_energy_variance(covariance_kk, np.zeros(n), n_select).tolist())) == n_select
    assert len(set(at_random(n, n_select, np.random.default_rng(seed)).tolist())) == n_select


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
        lambda: by_energy_variance(np.eye(3), np.zeros(3), 4),
        lambda: at_random(3, 4, np.random.default_rng(0)),
        lambda: spread([0, 0, 0], [0.0] * 3, [4]),
    ],
)
def test_too_few_candidates(choose):
    with pytest.raises(InputError, match="n_select is 4, but there are only 3 candidates"):
        choose()
