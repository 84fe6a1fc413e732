"""The one fit of hyperparameters: pair part, whole model, and whether its GP contributes."""

import numpy as np
import pytest

from soso_core.gp.inference.hyperparameters import fit_hyperparameters
from soso_core.gp.model.normal_equations import NormalEquations

PAIRS = {"species": slice(0, 1), "pair 0": slice(1, 4)}
BLOCKS = {**PAIRS, "gp d": slice(4, 12)}


def energies(gp_share, noise=0.02):
    """Return the sums of 40 energies that the pair columns explain, and the GP columns by `gp_share`, eV."""
    rng = np.random.default_rng(3)
    rows_km = np.column_stack([np.ones(40), rng.normal(size=(40, 11))])
    weights_m = np.concatenate([[0.0], 0.05 * rng.normal(size=3), gp_share * rng.normal(size=8)])
    return {"energy": NormalEquations.from_rows(rows_km, rows_km @ weights_m + noise * rng.normal(size=40))}


@pytest.mark.parametrize(("gp_share", "has_gp"), [(0.0, False), (0.05, True)])
def test_a_gp_that_explains_nothing_is_left_out(gp_share, has_gp):
    found = fit_hyperparameters(energies(gp_share), BLOCKS, PAIRS)
    assert found.has_gp == has_gp
    assert (found.best.hyperparameters.noise == found.baseline.hyperparameters.noise) != has_gp
    assert (found.best.hyperparameters.prior["gp d"] < 0.01 * found.hyperprior.centre.prior["gp d"]) != has_gp


def test_without_gp_columns_the_pair_part_is_the_model():
    sums = {"energy": energies(0.0)["energy"].restrict(4)}
    found = fit_hyperparameters(sums, PAIRS, PAIRS)
    assert found.best is found.baseline
    assert not found.has_gp
