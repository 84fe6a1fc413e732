"""Which candidates to label next: pure functions of what is uncertain about them, and of seeds."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from soso_core.active.selection.uncertainty import SMALLEST_NOISE, CandidateRows, ScoreSettings, scores
from soso_core.arrays import BoolArray, FloatArray, IntArray
from soso_core.errors import InputError

VANISHED = 1e-12
"""A variance below this fraction of the largest one at the start is rounding."""

N_DRAWS = 8
"""Random batches that a choice is held against."""
LEAST_WORTH = 1.1
"""A choice by variance that promises less than ten per cent more labels is within what variances are wrong by."""
LEAST_WORTH_FIELDS = 1.5
"""With fields a label tells of every environment in it, one drawn at random, too; those that are extreme to the model
tell less of the usual ones, in training and in the blind test."""

Gain = Callable[[CandidateRows], FloatArray]


def by_variance(
    rows: CandidateRows, n_select: int, score: ScoreSettings | None = None, twins_k: IntArray | None = None
) -> IntArray:
    """Return `n_select` candidates, each the one of largest score once the labels of those before it are known.

    With energies alone this is greedy D-optimality: every pick takes most off the determinant of the covariance.
    `twins_k` (k,) numbers candidates that symmetry does not tell apart alike; one of them is chosen at most, unless
    there are no others.  Raises InputError when there are too few candidates.
    """
    settings = score or ScoreSettings()
    return _greedy(rows, n_select, lambda left: scores(left, settings), twins_k)


def by_mean_variance(
    rows: CandidateRows,
    n_select: int,
    score: ScoreSettings | None = None,
    twins_k: IntArray | None = None,
    of_k: FloatArray | None = None,
) -> IntArray:
    """Return `n_select` candidates, each taking most off the mean squared score of all candidates: A-optimality.

    `of_k` (k,) weighs the candidates in that mean (None: all alike).  The largest of several field deviations is no
    mean and counts as the mean one.  The rest is as in `by_variance`.
    """
    settings = score or ScoreSettings()
    weight_k = np.ones(len(rows)) if of_k is None else of_k
    return _greedy(rows, n_select, lambda left: gains(left, settings, weight_k), twins_k)


def gains(rows: CandidateRows, score: ScoreSettings, weight_k: FloatArray) -> FloatArray:
    """Return by how much a label of each candidate lowers the weighted sum of squared scores, (k,) eV²."""
    of_interest_qm = _of_interest(rows, score, weight_k)
    if not rows.has_fields:
        labels_km = rows.energies_km / np.maximum(rows.energy_noise_k, SMALLEST_NOISE)[:, None]
        along_k = np.sum((of_interest_qm @ labels_km.T) ** 2, axis=0)
        return np.asarray(along_k / (1.0 + np.sum(labels_km**2, axis=1)))
    return np.array([_gain(of_interest_qm, rows.label_of(k)) for k in range(len(rows))])


def farthest(
    rows: CandidateRows, n_select: int, twins_k: IntArray | None = None, start: IntArray | None = None
) -> IntArray:
    """Return `n_select` candidates, each farthest from those before it, from `start`, and from what is known well.

    The distance of two is the deviation of the difference of their energies per spin; of one from what is known, that
    of its own energy.  Those of `start` are not chosen.  Raises InputError when there are too few candidates.
    """
    _check_count(len(rows), n_select)
    nearest_k = np.linalg.norm(rows.energies_km, axis=1)
    free_k = np.ones(len(rows), dtype=bool)
    picks: list[int] = []
    for known in () if start is None else start:
        nearest_k, free_k[known] = np.minimum(nearest_k, _distances(rows, int(known))), False
    for _ in range(n_select):
        pick = _best(nearest_k, free_k, twins_k, picks)
        free_k[pick] = False
        picks.append(pick)
        nearest_k = np.minimum(nearest_k, _distances(rows, pick))
    return np.array(picks, dtype=np.int64)


def at_random(n_candidates: int, n_select: int, rng: np.random.Generator, twins_k: IntArray | None = None) -> IntArray:
    """Return `n_select` different candidates drawn at random.  Raises InputError when there are too few."""
    _check_count(n_candidates, n_select)
    order, free_k = rng.permutation(n_candidates), np.ones(n_candidates, dtype=bool)
    picks: list[int] = []
    place_k = np.empty(n_candidates)
    place_k[order] = -np.arange(n_candidates, dtype=float)
    for _ in range(n_select):
        picks.append(_best(place_k, free_k, twins_k, picks))
        free_k[picks[-1]] = False
    return np.array(picks, dtype=np.int64)


def worth(
    rows: CandidateRows, picks: Sequence[int], draws: Sequence[Sequence[int]], score: ScoreSettings | None = None
) -> float:
    """Return how many labels drawn at random one label of `picks` is worth, by the variance that they leave.

    It is the logarithm of the factor by which the sum of squared scores of all candidates falls, over the mean of what
    it is for `draws`: deviations fall as a power of the number of labels.  The largest of several field deviations
    counts as the mean one.  1 when labels would change nothing.
    """
    of_interest_qm = _of_interest(rows, score or ScoreSettings(), np.ones(len(rows)))
    before = float(np.sum(of_interest_qm**2))
    if not len(picks) or not before > 0.0:
        return 1.0
    left = [1.0 - _gain(of_interest_qm, rows.labels_of(chosen)) / before for chosen in (picks, *draws)]
    chosen_fall, *falls = -np.log(np.maximum(left, VANISHED))
    drawn_fall = float(np.mean(falls))
    return float(chosen_fall) / drawn_fall if drawn_fall > 0.0 else 1.0


def is_worth_it(
    selection: str,
    rows: CandidateRows,
    picks: Sequence[int],
    draw: Callable[[int], list[int]],
    least: float,
    score: ScoreSettings | None = None,
) -> bool:
    """Return whether a label of `picks` is worth more than `least` of those that `draw` takes at random.

    Labels drawn at random say what the usual error is, too.  `farthest-point` is a control that promises nothing, and
    is not asked.
    """
    if selection == "farthest-point":
        return True
    return worth(rows, picks, [draw(len(picks)) for _ in range(N_DRAWS)], score) > least


def min_relative_efficiency(rows: CandidateRows) -> float:
    """Return how many random labels one of a choice with a model has to be worth."""
    return LEAST_WORTH_FIELDS if rows.has_fields else LEAST_WORTH


def by_trust(
    picks: Sequence[int], trusted: float, rng: np.random.Generator, draw: Callable[[int, list[int]], list[int]]
) -> list[int]:
    """Return the first of `picks`, the share of the batch that is `trusted`, and draw(n, those) for the rest.

    The share is rounded at random, so that it is right on average.  See `soso_core.active.stopping.policy.trust`.
    """
    chosen = list(picks[: int(trusted * len(picks) + rng.random())])
    return [*chosen, *draw(len(picks) - len(chosen), chosen)]


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


def _greedy(rows: CandidateRows, n_select: int, gain: Gain, twins_k: IntArray | None) -> IntArray:
    """Return the picks of largest gain, the rows conditioned on each before the next is chosen."""
    _check_count(len(rows), n_select)
    floor = VANISHED * float(np.max(np.sum(rows.energies_km**2, axis=1), initial=0.0))
    free_k = np.ones(len(rows), dtype=bool)
    picks: list[int] = []
    for _ in range(n_select):
        pick = _best(gain(rows), free_k, twins_k, picks)
        free_k[pick] = False
        picks.append(pick)
        if len(picks) < n_select and float(np.sum(rows.energies_km[pick] ** 2)) > floor:
            rows = rows.after(pick)
    return np.array(picks, dtype=np.int64)


def _best(value_k: FloatArray, free_k: BoolArray, twins_k: IntArray | None, picks: Sequence[int]) -> int:
    """Return the free candidate of largest value; a twin of an earlier pick only when nothing else is free."""
    open_k = free_k
    if twins_k is not None and picks:
        fresh_k = free_k & ~np.isin(twins_k, twins_k[list(picks)])
        open_k = fresh_k if np.any(fresh_k) else free_k
    return int(np.argmax(np.where(open_k, value_k, -np.inf)))


def _of_interest(rows: CandidateRows, score: ScoreSettings, weight_k: FloatArray) -> FloatArray:
    """Return rows (q, m) whose squared norms add up to the weighted sum of squared scores, eV²."""
    energies_km = rows.energies_km * (rows.energy_stretch * np.sqrt(score.energy * weight_k))[:, None]
    if not rows.has_fields or not score.needs_fields:
        return np.asarray(energies_km)
    count_k = np.diff(rows.ends_k)
    share_k = (score.field_mean + score.field_largest) * weight_k / np.maximum(count_k, 1)
    factor_r = rows.field_stretch * np.sqrt(np.repeat(share_k, count_k))
    return np.concatenate([energies_km, rows.fields_rm * factor_r[:, None]])


def _gain(of_interest_qm: FloatArray, label_rm: FloatArray) -> float:
    """Return Σ_q hᵀ Gᵀ (1 + G Gᵀ)⁻¹ G h, what the label takes off the sum of variances."""
    lower_rr = np.linalg.cholesky(np.eye(len(label_rm)) + label_rm @ label_rm.T)
    return float(np.sum(np.linalg.solve(lower_rr, label_rm @ of_interest_qm.T) ** 2))


def _distances(rows: CandidateRows, k: int) -> FloatArray:
    return np.asarray(np.linalg.norm(rows.energies_km - rows.energies_km[k], axis=1))


def _check_count(n_candidates: int, n_select: int) -> None:
    if n_select > n_candidates:
        raise InputError(f"n_select is {n_select}, but there are only {n_candidates} candidates (n_candidates)")
