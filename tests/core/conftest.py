"""A magnet whose energy is known in one line, and a model of it, for tests of what surrounds the model."""

import numpy as np
import pytest

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.fitted import FittedModel
from soso_core.gp.model.settings import FitSettings
from soso_core.labels import LabelledConfiguration
from soso_core.neighbours import find_neighbours

COUPLING = 0.02
"""eV per bond of two magnetic atoms nearer than BOND, E = -COUPLING Σ e_i·e_j."""
BOND = 3.0
MOMENT = 2.2
SMALL = {
    "pair": {"cutoff_angstrom": 4.0, "n_max": 5, "lambda_max": 2},
    "descriptor": {"cutoff_angstrom": 4.0, "n_max": 4, "lambda_max": 2, "sigma_spin": 1.0},
    "zeta": 2,
    "n_inducing": 12,
}


def random_cell(rng: np.random.Generator, symbols: str = "FeFe") -> Configuration:
    """Return a distorted CsCl-like cell, doubled along z; Ge has no spin."""
    numbers_a = np.array([{"Fe": 26, "Ge": 32}[symbols[i : i + 2]] for i in (0, 2)] * 2)
    positions_ac = 2.86 * np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 1.0], [0.5, 0.5, 1.5]])
    positions_ac = positions_ac + 0.02 * rng.standard_normal((4, 3))
    spins_ac = rng.standard_normal((4, 3))
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    spins_ac[numbers_a == 32] = 0.0
    return Configuration(numbers_a, positions_ac, np.diag([2.86, 2.86, 5.72]), spins_ac)


def heisenberg_label(configuration: Configuration) -> LabelledConfiguration:
    """Return energy and fields of E = -COUPLING Σ_bonds e_i·e_j."""
    bonds = find_neighbours(configuration, BOND)
    molecular_ac = np.zeros((len(configuration), 3))
    np.add.at(molecular_ac, bonds.i_p, COUPLING * configuration.spins_ac[bonds.j_p])
    moment_magnitudes_a = np.where(configuration.is_magnetic_a, MOMENT, 0.0)
    return LabelledConfiguration(
        configuration,
        energy=-0.5 * float(np.sum(configuration.spins_ac * molecular_ac)) - 8.0 * len(configuration),
        exchange_fields_ac=np.where(configuration.is_magnetic_a[:, None], molecular_ac / MOMENT, 0.0),
        moment_magnitudes_a=moment_magnitudes_a,
    )


@pytest.fixture(scope="session")
def small_dataset() -> Dataset:
    rng = np.random.default_rng(7)
    return Dataset(tuple(heisenberg_label(random_cell(rng)) for _ in range(8)))


@pytest.fixture(scope="session")
def alloy_dataset() -> Dataset:
    rng = np.random.default_rng(8)
    return Dataset(tuple(heisenberg_label(random_cell(rng, "FeGe")) for _ in range(6)))


@pytest.fixture(scope="session")
def small_model(small_dataset: Dataset) -> FittedModel:
    return fit(small_dataset, FitSettings.model_validate(SMALL), np.random.default_rng(0))


@pytest.fixture(scope="session")
def alloy_model(alloy_dataset: Dataset) -> FittedModel:
    return fit(alloy_dataset, FitSettings.model_validate(SMALL), np.random.default_rng(0))
