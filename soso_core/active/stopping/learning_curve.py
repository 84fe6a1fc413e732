"""Whether more labels help: errors on labels left out, of models of all others and of half of those."""

from collections.abc import Sequence

import numpy as np

from soso_core.active.offline.pool import Pool, PoolFit, energy_errors, field_errors, field_rms, refit_part, rms
from soso_core.active.stopping.records import LearningCurve
from soso_core.arrays import IntArray

FOLDS = 5
"""Refits with a fifth of the labels left out; more cost more and say little more."""
FEWEST = FOLDS
"""Labels that can be left out a fifth at a time."""


def learning_curve_check(pool: Pool, fitted: PoolFit, order: IntArray, rng: np.random.Generator) -> LearningCurve:
    """Return the errors on labels left out a fifth at a time, of a model of the others and of one of either half.

    `order` (k,): the labels, indices of the pool, at least `FEWEST`; `fitted`: the model of all of them, whose scales
    are kept; `rng` draws the halves.  Blind tests of a batch that was chosen say how hard the batch was; these are of
    all labels, by models that differ in nothing but how many labels they have.
    """
    folds = folds_of(order)
    rests = [order[~np.isin(order, fold)] for fold in folds]
    halves = [half for rest in rests for half in np.array_split(rng.permutation(rest), 2)]
    whole, half = ([refit_part(pool, sorted(part.tolist()), fitted) for part in parts] for parts in (rests, halves))
    twice = [fold for fold in folds for _ in range(2)]
    return LearningCurve(
        energy_rmse_meV_per_spin=left_out_energy(pool, whole, folds),
        half_energy_rmse_meV_per_spin=left_out_energy(pool, half, twice),
        field_rmse_meV=_left_out_field(pool, whole, folds),
        half_field_rmse_meV=_left_out_field(pool, half, twice),
    )


def folds_of(order: IntArray) -> list[IntArray]:
    """Return what is left out of each refit."""
    return [order[k::FOLDS] for k in range(min(FOLDS, len(order)))]


def left_out_energy(pool: Pool, fits: Sequence[PoolFit], folds: Sequence[IntArray]) -> float:
    """Return the root mean square error per spin, meV, of fits on what was left out of each."""
    errors = [1e3 * energy_errors(pool, fitted)[fold] for fitted, fold in zip(fits, folds, strict=True)]
    return rms(np.concatenate(errors))


def _left_out_field(pool: Pool, fits: Sequence[PoolFit], folds: Sequence[IntArray]) -> float | None:
    pairs = zip(fits, folds, strict=True)
    found = [field_rms(field_errors(pool, fitted), fold.tolist()) for fitted, fold in pairs]
    known = [item for item in found if item is not None]
    return rms(np.concatenate(known)) if known else None
