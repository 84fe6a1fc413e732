"""Refits name what is missing: a magnet with four-spin terms asks for three-body channels, one of pairs does not."""

import numpy as np
from spin_cells import four_spin_label, heisenberg_label, random_spins, rigid_iron

from soso_core.active.alternatives import weigh_alternatives
from soso_core.dataset import Dataset
from soso_core.gp.settings import FitSettings

PAIRS = FitSettings.model_validate(
    {
        "pair": {"cutoff_angstrom": 3.5, "n_max": 4, "lambda_max": 2},
        "descriptor": {"cutoff_angstrom": 3.5, "n_max": 3, "lambda_max": 2, "sigma_spin": 1.0},
        "zeta": 1,
        "n_inducing": 30,
    }
)


def dataset_of(label):
    rng = np.random.default_rng(2)
    return Dataset(tuple(label(rigid_iron(random_spins(8, rng))) for _ in range(20)))


def test_three_body_channels_are_named_where_they_are_missing():
    found = weigh_alternatives(dataset_of(four_spin_label), PAIRS, np.random.default_rng(0))
    best = min(found, key=lambda item: item.ratio)
    assert best.name == "three-body channels"
    assert best.ratio < 0.7


def test_nothing_is_better_than_the_truth():
    """Pairs alone, without noise: the present form is exact to rounding, and no form is better than that."""
    found = weigh_alternatives(dataset_of(heisenberg_label), PAIRS, np.random.default_rng(0))
    assert {item.name for item in found} == {"three-body channels", "a longer range of the pair part"}
    assert all(item.present_rmse_meV_per_spin < 0.1 for item in found)
