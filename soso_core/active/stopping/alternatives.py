"""Alternative model forms, fitted to the same labels and compared by their errors on labels left out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.active.offline.pool import Pool, PoolFit, fit_part, make_pool
from soso_core.active.stopping.learning_curve import folds_of, learning_curve_check, left_out_energy
from soso_core.active.stopping.policy import labels_help
from soso_core.active.stopping.records import Alternative, LearningCurve
from soso_core.arrays import IntArray
from soso_core.dataset import Dataset
from soso_core.gp.inference.defaults import choices
from soso_core.gp.model.settings import FitSettings

LONGER = 1.3
"""A longer range reaches at least one shell further in cubic crystals."""

Track = Callable[[Sequence[tuple[str, FitSettings]]], Iterable[tuple[str, FitSettings]]]


@dataclass(frozen=True)
class ModelComparison:
    """The learning-curve check of the present form, and the errors of alternative model forms."""

    learning_curve: LearningCurve
    alternatives: tuple[Alternative, ...]


def weigh_alternatives(
    dataset: Dataset,
    present: FitSettings,
    rng: np.random.Generator,
    track: Track = iter,
    even_if_labels_help: bool = False,
) -> ModelComparison:
    """Return the error per spin of every other form on labels left out of its fit, beside that of the present form.

    Labels are left out a fifth at a time; hyperparameters and weights are fitted again, inducing points are shared.
    Where more labels help the present form, no other is tried unless `even_if_labels_help`.  `rng` draws inducing
    points, folds and halves; `track` is passed over the forms.  Every configuration needs an energy, and there are
    `learning_curve.FEWEST` or more.
    """
    draws, shuffle, halves = rng.spawn(3)
    seed, order = int(draws.integers(2**31)), shuffle.permutation(len(dataset))

    def pool_of(settings: FitSettings) -> Pool:
        return make_pool(dataset, settings, np.random.default_rng(seed))

    pool = pool_of(present)
    learning = learning_curve_check(pool, fit_part(pool, range(len(pool))), order, halves)
    if labels_help(learning) and not even_if_labels_help:
        return ModelComparison(learning, ())
    tried = track([("present", present), *forms(dataset, present)])
    errors = {
        name: left_out_error(pool if settings is present else pool_of(settings), order) for name, settings in tried
    }
    now = errors.pop("present")
    found = (
        Alternative(name=name, energy_rmse_meV_per_spin=error, present_rmse_meV_per_spin=now)
        for name, error in errors.items()
    )
    return ModelComparison(learning, tuple(found))


def forms(dataset: Dataset, present: FitSettings) -> list[tuple[str, FitSettings]]:
    """Return the forms to try, by name: three-body channels, a longer range, other radial widths, more products."""
    offered = choices(dataset)[0]
    longer = present.pair.model_copy(update={"cutoff_angstrom": min(LONGER * present.pair.cutoff_angstrom, 20.0)})
    found = [("a longer range of the pair part", present.model_copy(update={"pair": longer}))]
    if present.three_body is None:
        with_three = present.model_copy(
            update={"three_body": offered.three_body, "descriptor": None, "zeta": offered.zeta}
        )
        return [("three-body channels", with_three), *found]
    reach = min(LONGER * present.three_body.cutoff_angstrom, 20.0)
    wider = present.three_body.model_copy(update={"cutoff_angstrom": reach})
    finer = present.three_body.model_copy(
        update={"sigma_angstrom": 0.7 * present.three_body.sigma_angstrom, "n_max": present.three_body.n_max + 2}
    )
    higher = present.model_copy(update={"zeta": min(present.zeta + 1, 8)})
    return [
        *found,
        ("a longer range of the three-body channels", present.model_copy(update={"three_body": wider})),
        ("shorter radial lengths", present.model_copy(update={"three_body": finer})),
        ("products of one more channel pair (zeta)", higher),
    ]


def left_out_error(pool: Pool, order: IntArray) -> float:
    """Return the root mean square error per spin, meV, with the labels left out fold by fold, in this order."""
    folds, fits = folds_of(order), list[PoolFit]()
    for fold in folds:
        rest = sorted(set(order.tolist()) - set(fold.tolist()))
        fits.append(fit_part(pool, rest, fits[-1] if fits else None))
    return left_out_energy(pool, fits, folds)
