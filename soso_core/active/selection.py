"""Which candidates to label next: pure functions of covariances, noise and seeds."""

from collections.abc import Hashable, Sequence

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.errors import InputError

VANISHED = 1e-12
"""A variance below this fraction of the largest one at the start is rounding."""


def by_energy_variance(covariance_kk: FloatArray, noise_k: FloatArray, n_select: int) -> IntArray:
    """Return `n_select` candidates, each the most uncertain one once those before it are known.

    covariance_kk (k, k): posterior covariance of the energies of all candidates; noise_k (k,): variance of
    the noise of a label of each, same unit.  After every pick the covariance is conditioned on its noisy
    label (a Schur complement).  Candidates that nothing is left to learn from come last.
    Raises InputError when there are too few candidates.
    """
    _check_count(len(covariance_kk), n_select)
    left_kk = np.array(covariance_kk, dtype=float)
    floor = VANISHED * max(float(np.max(np.diag(left_kk))), 0.0)
    free_k = np.ones(len(left_kk), dtype=bool)
    picks = []
    for _ in range(n_select):
        pick = int(np.argmax(np.where(free_k, np.diag(left_kk), -np.inf)))
        free_k[pick] = False
        picks.append(pick)
        if left_kk[pick, pick] > floor:
            left_kk = conditioned(left_kk, pick, float(noise_k[pick]))
    return np.array(picks, dtype=np.int64)


def conditioned(covariance_kk: FloatArray, pick: int, noise: float) -> FloatArray:
    """Return the covariance (k, k) once quantity `pick` was measured with the given noise variance."""
    column_k = covariance_kk[:, pick]
    return np.asarray(covariance_kk - np.outer(column_k, column_k) / (column_k[pick] + noise))


def at_random(n_candidates: int, n_select: int, rng: np.random.Generator) -> IntArray:
    """Return `n_select` different candidates drawn at random.  Raises InputError when there are too few."""
    _check_count(n_candidates, n_select)
    return np.asarray(rng.choice(n_candidates, size=n_select, replace=False), dtype=np.int64)


def spread(groups: Sequence[Hashable], ladder: Sequence[float], n_per_group: Sequence[int]) -> IntArray:
    """Return candidates spread evenly over the values of `ladder` within each group, without a model.

    groups (k,): numbers 0, 1, ... of the candidates' generators; ladder (k,): what to spread over;
    n_per_group: how many of each group.  Raises InputError when a group has too few.
    """
    picks: list[int] = []
    for group, n_wanted in enumerate(n_per_group):
        members = [k for k, g in enumerate(groups) if g == group]
        _check_count(len(members), n_wanted)
        members.sort(key=lambda k: -ladder[k])
        picks += [members[int((step + 0.5) * len(members) / n_wanted)] for step in range(n_wanted)]
    return np.array(sorted(picks), dtype=np.int64)


def _check_count(n_candidates: int, n_select: int) -> None:
    if n_select > n_candidates:
        raise InputError(f"n_select is {n_select}, but there are only {n_candidates} candidates (n_candidates)")
