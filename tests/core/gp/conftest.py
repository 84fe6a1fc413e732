"""A fitted model of two species to ask questions of."""

import numpy as np
import pytest
from spin_cells import heisenberg_dataset, iron_germanium

from soso_core.gp.inference.regression import fit
from soso_core.gp.model.settings import FitSettings

SMALL = FitSettings(
    pair={"cutoff_angstrom": 4.5, "n_max": 5, "lambda_max": 2},
    descriptor={"cutoff_angstrom": 4.0, "n_max": 4, "lambda_max": 3, "sigma_spin": 1.0},
    zeta=2,
    n_inducing=12,
)


@pytest.fixture(scope="session")
def model():
    return fit(heisenberg_dataset([iron_germanium(seed) for seed in range(6)]), SMALL, np.random.default_rng(0))
