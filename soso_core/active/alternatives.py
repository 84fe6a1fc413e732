"""Other model forms, refitted to the labels at hand: what would help when the form is the floor."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from soso_core.active.pool import Pool, energy_errors, fit_part, make_pool
from soso_core.active.records import Alternative
from soso_core.arrays import IntArray
from soso_core.dataset import Dataset
from soso_core.gp.defaults import choices
from soso_core.gp.settings import FitSettings

LONGER = 1.3
"""A longer range reaches at least one shell further in cubic crystals."""
FOLDS = 5
"""Refits with a fifth of the labels left out; more cost more and say little more."""

Track = Callable[[Sequence[tuple[str, FitSettings]]], Iterable[tuple[str, FitSettings]]]


def weigh_alternatives(
    dataset: Dataset, present: FitSettings, rng: np.random.Generator, track: Track = iter
) -> tuple[Alternative, ...]:
    """Return the error per spin of every other form on labels left out of its fit, beside that of the present form.

    Labels are left out a fifth at a time; scales and weights are fitted anew, inducing points are shared.  `rng` draws
    inducing points and folds; `track` is passed over the forms.  Every configuration needs an energy.
    """
    draws, shuffle = rng.spawn(2)
    seed, order = int(draws.integers(2**31)), shuffle.permutation(len(dataset))
    errors = {
        name: left_out_error(make_pool(dataset, settings, np.random.default_rng(seed)), order)
        for name, settings in track([("present", present), *forms(dataset, present)])
    }
    now = errors.pop("present")
    return tuple(
        Alternative(name=name, energy_rmse_meV_per_spin=error, present_rmse_meV_per_spin=now)
        for name, error in errors.items()
    )


def forms(dataset: Dataset, present: FitSettings) -> list[tuple[str, FitSettings]]:
    """Return the forms to try, by name: three-body channels, a longer range, other lengths, more products."""
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
    folds = [order[k::FOLDS] for k in range(min(FOLDS, len(order)))]
    errors, fitted = [], None
    for fold in folds:
        rest = sorted(set(order.tolist()) - set(fold.tolist()))
        fitted = fit_part(pool, rest, fitted)
        errors.append(1e3 * energy_errors(pool, fitted)[fold])
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
