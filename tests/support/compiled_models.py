"""Small fitted models of every kind, and cells for their predictions."""

from functools import cache

import numpy as np
from spin_cells import heisenberg_dataset, iron_germanium, skewed_iron

from soso_core import Configuration
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.fitted import FittedModel
from soso_core.gp.model.settings import FitSettings

PAIRS = {"cutoff_angstrom": 4.5, "n_max": 5, "lambda_max": 3}
DENSITY = {"cutoff_angstrom": 4.0, "n_max": 5, "lambda_max": 4, "sigma_spin": 1.0}
THREE = {"cutoff_angstrom": 4.2, "n_max": 3, "l_max": 3}
ALL_PAIRS = [["1", "1"], ["1", "P1"], ["P2", "1"], ["P1", "P1"], ["P1", "P2"], ["P2", "P2"], ["vector", "vector"]]
CASES = {
    "pairs of zeta 4": {"zeta": 4},
    "pairs of zeta 1": {"zeta": 1},
    "pairs to λ 6": {"zeta": 1, "pair": PAIRS | {"lambda_max": 6}},
    "three-body of zeta 2": {"zeta": 2, "three_body": THREE},
    "three-body of zeta 3": {"zeta": 3, "three_body": THREE},
    "three-body alone": {"zeta": 2, "three_body": THREE, "descriptor": None},
    "three-body alone of zeta 3": {"zeta": 3, "three_body": THREE, "descriptor": None},
    "all channels": {"zeta": 2, "three_body": THREE | {"channel_pairs": ALL_PAIRS}},
    "five functions, l 4": {"zeta": 2, "three_body": THREE | {"n_max": 5, "l_max": 4, "decay": 2.0}},
}


@cache
def fitted(case: str) -> FittedModel:
    """Return the model of one case, of iron and germanium."""
    settings = FitSettings(**{"pair": PAIRS, "descriptor": DENSITY, "n_inducing": 12} | CASES[case])
    return fit(heisenberg_dataset([iron_germanium(seed) for seed in range(6)]), settings, np.random.default_rng(0))


@cache
def iron_model() -> FittedModel:
    """Return a model of iron alone, whose cells are skewed and displaced."""
    settings = FitSettings(pair=PAIRS, descriptor=DENSITY, three_body=THREE, zeta=2, n_inducing=24)
    return fit(heisenberg_dataset([skewed_iron(seed) for seed in range(6)]), settings, np.random.default_rng(0))


def large_cell(seed: int) -> Configuration:
    """Return 48 atoms of iron and germanium, more than one block of the kernels."""
    small = iron_germanium(seed)
    rng = np.random.default_rng(seed)
    steps = np.array([[x, y, z] for x in range(2) for y in range(2) for z in range(3)])
    positions_ac = np.concatenate([small.positions_ac + step @ small.cell_vc for step in steps])
    spins_ac = np.concatenate([small.spins_ac] * len(steps)) + rng.normal(scale=0.5, size=positions_ac.shape)
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    numbers_a = np.tile(small.numbers_a, len(steps))
    spins_ac[numbers_a == 32] = 0.0
    moved_ac = positions_ac + rng.normal(scale=0.05, size=positions_ac.shape)
    return Configuration(numbers_a, moved_ac, small.cell_vc * np.array([[2], [2], [3]]), spins_ac)
