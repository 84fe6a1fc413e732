"""The learning-curve check compares models of all labels with models of half of them, on labels left out."""

from collections.abc import Sequence

import numpy as np

from soso_core.active.offline.pool import Pool, PoolFit, energy_errors, field_errors, field_rms, refit_part, rms
from soso_core.active.stopping.records import LearningCurve
from soso_core.arrays import IntArray

FOLDS = 5
"""Number of refits, each with a fifth of the labels left out."""
FEWEST = FOLDS
"""Smallest number of labels for the check."""


def learning_curve_check(pool: Pool, fitted: PoolFit, order: IntArray, rng: np.random.Generator) -> LearningCurve:
    """Return the errors on labels left out a fifth at a time, of models of all others and of models of half of those.

    `order` (k,): indices of the labels in the pool, `FEWEST` or more; `fitted`: the model of all of them, whose
    hyperparameters are kept; `rng` draws the halves.  The models differ only in the number of their labels, and all
    labels are tested.
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
    """Return the labels that each refit leaves out."""
    return [order[k::FOLDS] for k in range(min(FOLDS, len(order)))]


def left_out_energy(pool: Pool, fits: Sequence[PoolFit], folds: Sequence[IntArray]) -> float:
    """Return the root mean square error per spin, meV, of each fit on the labels left out of it."""
    errors = [1e3 * energy_errors(pool, fitted)[fold] for fitted, fold in zip(fits, folds, strict=True)]
    return rms(np.concatenate(errors))


def _left_out_field(pool: Pool, fits: Sequence[PoolFit], folds: Sequence[IntArray]) -> float | None:
    pairs = zip(fits, folds, strict=True)
    found = [field_rms(field_errors(pool, fitted), fold.tolist()) for fitted, fold in pairs]
    known = [item for item in found if item is not None]
    return rms(np.concatenate(known)) if known else None
