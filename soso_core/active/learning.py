"""Whether more labels help: errors on labels left out, of models of all others and of half of those."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from soso_core.active.pool import Pool, PoolFit, energy_errors, field_errors, field_rms, fit_part, rms
from soso_core.active.records import LearningTest
from soso_core.arrays import IntArray

FOLDS = 5
"""Refits with a fifth of the labels left out; more cost more and say little more."""
FEWEST = FOLDS
"""Labels that can be left out a fifth at a time."""

Track = Callable[[Sequence[Any]], Iterable[Any]]
"""Passed over what takes long, for a progress bar."""


def learning_test(pool: Pool, order: IntArray, rng: np.random.Generator, track: Track = iter) -> LearningTest:
    """Return the errors on labels left out a fifth at a time, of a model of the others and of one of either half.

    `order` (k,): the labels, indices of the pool, at least `FEWEST`; `rng` draws the halves; `track` is passed over what
    is left out.  Blind tests of a batch that was chosen say how hard the batch was; these are of all labels, by models
    that differ in nothing but how many labels they have.
    """
    folds, whole, halves = folds_of(order), list[PoolFit](), list[PoolFit]()
    for fold in track(folds):
        rest = rng.permutation(order[~np.isin(order, fold)])
        whole.append(_fit(pool, rest, whole))
        for part in np.array_split(rest, 2):
            halves.append(_fit(pool, part, halves))
    twice = [fold for fold in folds for _ in range(2)]
    return LearningTest(
        energy_rmse_meV_per_spin=left_out_energy(pool, whole, folds),
        half_energy_rmse_meV_per_spin=left_out_energy(pool, halves, twice),
        field_rmse_meV=_left_out_field(pool, whole, folds),
        half_field_rmse_meV=_left_out_field(pool, halves, twice),
    )


def folds_of(order: IntArray) -> list[IntArray]:
    """Return what is left out of each refit."""
    return [order[k::FOLDS] for k in range(min(FOLDS, len(order)))]


def left_out_energy(pool: Pool, fits: Sequence[PoolFit], folds: Sequence[IntArray]) -> float:
    """Return the root mean square error per spin, meV, of fits on what was left out of each."""
    errors = [1e3 * energy_errors(pool, fitted)[fold] for fitted, fold in zip(fits, folds, strict=True)]
    return rms(np.concatenate(errors))


def _left_out_field(pool: Pool, fits: Sequence[PoolFit], folds: Sequence[IntArray]) -> float | None:
    found = [
        field_rms(field_errors(pool, fitted), fold.tolist()) for fitted, fold in zip(fits, folds, strict=True)
    ]  # fmt: skip
    known = [item for item in found if item is not None]
    return rms(np.concatenate(known)) if known else None


def _fit(pool: Pool, labels: IntArray, before: Sequence[PoolFit]) -> PoolFit:
    return fit_part(pool, sorted(labels.tolist()), before[-1] if before else None)
