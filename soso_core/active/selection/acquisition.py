"""Acquisition functions: rules that rank candidates by the uncertainty of a model.

They are pure functions of candidate rows, of numbers of symmetry classes and of seeds.  `classes_k` (k,) numbers the
candidates by symmetry class: at most one of each class is chosen, and none of a class below zero.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Literal, get_args

import numpy as np

from soso_core.active.selection.uncertainty import SMALLEST_NOISE, CandidateRows, energy_deviations
from soso_core.arrays import FloatArray, IntArray
from soso_core.errors import InputError

Acquisition = Literal["energy-variance", "mean-variance", "random"]
ACQUISITIONS: tuple[Acquisition, ...] = get_args(Acquisition)
VARIANCE_FRACTION = 0.5
"""Default share of a batch chosen by an acquisition function; the other half represents all candidates."""
VANISHED = 1e-12
"""A variance below this fraction of the largest one at the start is rounding."""


def largest_variance(rows: CandidateRows, n_select: int, classes_k: IntArray) -> list[int]:
    """Return the candidates of largest energy variance, each ranked as if the labels of those before it were known.

    This is greedy D-optimality: with energies alone, every pick lowers the determinant of their covariance most.

    Parameters
    ----------
    rows : candidates, k of them
    n_select : number of picks
    classes_k : (k,) numbers of the symmetry classes

    Raises InputError when there are fewer than `n_select` classes.
    """
    return _greedy(rows, n_select, classes_k, energy_deviations)


def mean_variance(rows: CandidateRows, n_select: int, classes_k: IntArray) -> list[int]:
    """Return the candidates that lower the mean energy variance of all candidates most: greedy A-optimality.

    Parameters and errors are those of `largest_variance`.
    """
    return _greedy(rows, n_select, classes_k, gains)


BY_UNCERTAINTY: dict[Acquisition, Callable[[CandidateRows, int, IntArray], list[int]]] = {
    "energy-variance": largest_variance,
    "mean-variance": mean_variance,
}


def at_random(n_select: int, classes_k: IntArray, rng: np.random.Generator) -> list[int]:
    """Return `n_select` candidates drawn at random, one of a class.  Raises InputError when there are too few."""
    place_k = -rng.permutation(len(classes_k)).astype(float)
    picks: list[int] = []
    for _ in range(_check_count(n_select, classes_k)):
        picks.append(_best(place_k, classes_k, picks))
    return picks


def gains(rows: CandidateRows) -> FloatArray:
    """Return the decrease of the sum of energy variances by a label of each candidate, (k,) eV²."""
    if rows.has_fields:
        return np.array([_gain(rows.energies_km, rows.label_of(k)) for k in range(len(rows))])
    labels_km = rows.energies_km / np.maximum(rows.energy_noise_k, SMALLEST_NOISE)[:, None]
    along_k = np.sum((rows.energies_km @ labels_km.T) ** 2, axis=0)
    return np.asarray(along_k / (1.0 + np.sum(labels_km**2, axis=1)))


def spread(groups: Sequence[Hashable], ladder: Sequence[float], n_per_group: Sequence[int]) -> IntArray:
    """Return candidates at even steps along the values of `ladder` within each group, without a model.

    groups (k,): numbers 0, 1, ... of the candidates' generators; ladder (k,): the values to cover;
    n_per_group: the number to choose of each group.  Raises InputError when a group has too few.
    """
    picks: list[int] = []
    for group, n_wanted in enumerate(n_per_group):
        members = [k for k, g in enumerate(groups) if g == group]
        _check_count(n_wanted, np.arange(len(members)))
        members.sort(key=lambda k: -ladder[k])
        picks += [members[int((step + 0.5) * len(members) / n_wanted)] for step in range(n_wanted)]
    return np.array(sorted(picks), dtype=np.int64)


def _greedy(
    rows: CandidateRows, n_select: int, classes_k: IntArray, gain: Callable[[CandidateRows], FloatArray]
) -> list[int]:
    """Return the picks of largest gain, the rows conditioned on each before the next is chosen."""
    floor = VANISHED * float(np.max(np.sum(rows.energies_km**2, axis=1), initial=0.0))
    picks: list[int] = []
    for _ in range(_check_count(n_select, classes_k)):
        picks.append(_best(gain(rows), classes_k, picks))
        if len(picks) < n_select and float(np.sum(rows.energies_km[picks[-1]] ** 2)) > floor:
            rows = rows.after(picks[-1])
    return picks


def _best(value_k: FloatArray, classes_k: IntArray, picks: Sequence[int]) -> int:
    """Return the candidate of largest value whose class is free and has no pick yet."""
    is_open_k = (classes_k >= 0) & ~np.isin(classes_k, classes_k[list(picks)])
    return int(np.argmax(np.where(is_open_k, value_k, -np.inf)))


def _gain(energies_qm: FloatArray, label_rm: FloatArray) -> float:
    """Return Σ_q hᵀ Gᵀ (1 + G Gᵀ)⁻¹ G h, the decrease of the sum of variances by a label with rows G."""
    lower_rr = np.linalg.cholesky(np.eye(len(label_rm)) + label_rm @ label_rm.T)
    return float(np.sum(np.linalg.solve(lower_rr, label_rm @ energies_qm.T) ** 2))


def _check_count(n_select: int, classes_k: IntArray) -> int:
    n_classes = len(np.unique(classes_k[classes_k >= 0]))
    if n_select > n_classes:
        raise InputError(f"n_select is {n_select}, but there are only {n_classes} candidates (n_candidates)")
    return n_select
