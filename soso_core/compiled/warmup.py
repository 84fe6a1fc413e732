"""Compile every kernel once, so that nobody waits later; the compiled code stays on disk beside the package."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from soso_core.compiled.model import CompiledModel
from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
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
"""Kernels are compiled for kinds of arrays, not for their sizes: the smallest model does."""


class Step(NamedTuple):
    """A part of the work: what is compiled, and how."""

    name: str
    run: Callable[[], object]


def warmup_steps(model: FittedModel | None = None) -> Iterator[Step]:
    """Yield the steps; each is to be run before the next is asked for.  A model given is used instead of a tiny one."""
    if model is None:
        made: list[FittedModel] = []
        yield Step("fitting", lambda: made.append(fit(_tiny_dataset(), TINY, np.random.default_rng(0))))
        model = made[0]
    cell, fitted = _cell(model.basis.species, np.random.default_rng(1)), model
    yield Step("predicting with error bars", lambda: fitted.predict(cell))
    if fitted.baseline is not None:
        baseline = fitted.baseline
        yield Step("fast evaluation, pair part", lambda: CompiledModel.of(baseline).predict(cell))
    yield Step("fast evaluation, whole model", lambda: CompiledModel.of(fitted).predict(cell))


def _cell(species: tuple[int, ...], rng: np.random.Generator) -> Configuration:
    """Return a loose cubic cell with two atoms of every species, all with spins."""
    numbers_a = np.repeat(species, 2)
    n_atoms = len(numbers_a)
    positions_ac = 2.4 * np.arange(n_atoms)[:, None] * np.array([1.0, 0.0, 0.0]) + rng.uniform(0.0, 0.2, (n_atoms, 3))
    spins_ac = rng.normal(size=(n_atoms, 3))
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    return Configuration(numbers_a, positions_ac, np.diag([2.4 * n_atoms, 2.6, 2.6]), spins_ac)


def _tiny_dataset() -> Dataset:
    rng = np.random.default_rng(0)
    cells = [_cell((26,), rng) for _ in range(3)]
    items = [LabelledConfiguration(cell, rng.normal(), 0.1 * rng.normal(size=(2, 3)), np.ones(2)) for cell in cells]
    return Dataset(tuple(items))
