"""Compile every kernel by running each entry path once; the compiled code stays on disk."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from soso_core.compiled.model import CompiledModel
from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.dynamics.monte_carlo.simulation import Chain
from soso_core.dynamics.spin_energy import SpinModel
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.fitted import FittedModel
from soso_core.gp.model.settings import FitSettings
from soso_core.labels import LabelledConfiguration

TINY = FitSettings(
    pair={"cutoff_angstrom": 3.5, "n_max": 3, "lambda_max": 2},  # type: ignore[arg-type]  # checked by pydantic
    descriptor={"cutoff_angstrom": 3.5, "n_max": 3, "lambda_max": 2},  # type: ignore[arg-type]
    three_body={"cutoff_angstrom": 3.5, "n_max": 2, "l_max": 2},  # type: ignore[arg-type]
    zeta=2,
    n_inducing=3,
)
"""Kernels are compiled for types of arrays, not for their sizes: the smallest model does."""


class Step(NamedTuple):
    """A part of the work and its name."""

    name: str
    run: Callable[[], object]


def warmup_steps(model: FittedModel | None = None) -> Iterator[Step]:
    """Yield the steps; run each before you ask for the next.  A given model is used instead of a tiny one."""
    if model is None:
        fits: list[FittedModel] = []
        yield Step("fitting", lambda: fits.append(fit(_tiny_dataset(), TINY, np.random.default_rng(0))))
        model = fits[0]
    cell = _make_cell(model.basis.species, np.random.default_rng(1))
    models = [model] if model.baseline is None else [model, model.baseline]
    yield Step("prediction with error bars", lambda: model.predict(cell))
    yield Step("compiled models", lambda: _run_compiled(models, cell))
    yield Step("Monte Carlo", lambda: _run_chains(models, cell))


def _run_compiled(models: Sequence[FittedModel], cell: Configuration) -> None:
    """Predict twice with one neighbour list, as dynamics does."""
    for model in models:
        compiled = CompiledModel.of(model)
        near = compiled.neighbours(cell, compiled.accuracy.skin)
        for _ in range(2):
            compiled.predict(cell, near)


def _run_chains(models: Sequence[FittedModel], cell: Configuration) -> None:
    for model in models:
        energy = SpinModel.of(model).on(cell)
        Chain(energy, cell.spins_ac, np.random.default_rng(0)).sweep(300.0, 1)


def _make_cell(species: tuple[int, ...], rng: np.random.Generator) -> Configuration:
    """Return a loose cubic cell with two atoms of every species, all with spins."""
    numbers_a = np.repeat(species, 2)
    n_atoms = len(numbers_a)
    positions_ac = 2.4 * np.arange(n_atoms)[:, None] * np.array([1.0, 0.0, 0.0]) + rng.uniform(0.0, 0.2, (n_atoms, 3))
    spins_ac = rng.normal(size=(n_atoms, 3))
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    return Configuration(numbers_a, positions_ac, np.diag([2.4 * n_atoms, 2.6, 2.6]), spins_ac)


def _tiny_dataset() -> Dataset:
    """Return three cells with labels of every kind, so that every kind of design row is computed."""
    rng = np.random.default_rng(0)
    items = [
        LabelledConfiguration(
            _make_cell((26,), rng),
            energy=rng.normal(),
            exchange_fields_ac=0.1 * rng.normal(size=(2, 3)),
            moment_magnitudes_a=np.ones(2),
            forces_ac=0.1 * rng.normal(size=(2, 3)),
            stress_cc=1e-3 * np.eye(3),
        )
        for _ in range(3)
    ]
    return Dataset(tuple(items))
