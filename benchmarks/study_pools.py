"""Pools for offline studies of active learning: cells of 16 atoms with labels of the embedded engine.

`mixed` is bcc iron, with which constants of the policy were once set.  With `tetragonal` (body-centred tetragonal iron,
c/a 1.05) and `alloy` (B2 FeCo) the estimate of the blind error and `min_blind` were chosen.  Each pool holds
equal parts near the ferromagnet, in cones as at 1000 K, at random, and in spin spirals; every second cell has displaced
atoms.  The fact `group` of each label names its part, which `soso study --group-by group` reads.
`python benchmarks/study_pools.py NAME` makes a pool: benchmarks/data/NAME_pool.extxyz.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from rich.progress import track

from soso_core import Configuration, Dataset
from soso_core.active.candidates.generators import generate
from soso_core.active.candidates.settings import ExplorationSettings, GeneratorSettings
from soso_core.engines.tight_binding import TightBindingSettings, label
from soso_core.errors import ConvergenceError
from soso_core.formats import write_dataset
from soso_core.labels import LabelledConfiguration

DATA = Path(__file__).parent / "data"
DISPLACEMENT = 0.05
"""Å, standard deviation of every coordinate."""
PARTS = {
    "near-ferromagnetic": GeneratorSettings(kind="cone", magnetisations=(0.98, 0.95, 0.9)),
    "1000 K": GeneratorSettings(kind="cone", magnetisations=(0.7, 0.5, 0.3)),
    "random": GeneratorSettings(kind="random"),
    "spirals": GeneratorSettings(kind="spiral", axis_cosines=(0.0, 0.5), tilts_degree=(0.0, 10.0, 25.0)),
}


@dataclass(frozen=True)
class Recipe:
    """One pool: number and seed of its labels, symbols and edges (Å) of the body-centred cell, engine settings."""

    n_labels: int
    seed: int
    symbols: tuple[str, str]
    edges_angstrom: tuple[float, float, float]
    engine: TightBindingSettings = field(default_factory=TightBindingSettings)

    def unit_cell(self) -> Configuration:
        """Return the cell of two atoms."""
        cell_cc = np.diag(self.edges_angstrom)
        numbers = np.array([atomic_numbers[symbol] for symbol in self.symbols])
        positions_ac = 0.5 * np.array([[0, 0, 0], [1, 1, 1]]) @ cell_cc
        return Configuration(numbers, positions_ac, cell_cc, np.tile([0.0, 0.0, 1.0], (2, 1)))


COBALT = {"electrons": 7.6, "onsite_ev": -0.5, "stoner_ev": 0.95, "initial_moment_muB": 1.8}
"""A second d-band metal, with a moment of 1.2 to 1.8 μB that directions change."""
RECIPES = {
    "mixed": Recipe(300, 11, ("Fe", "Fe"), (2.85, 2.85, 2.85)),
    "tetragonal": Recipe(96, 21, ("Fe", "Fe"), (2.80, 2.80, 2.94)),
    "alloy": Recipe(
        96,
        31,
        ("Fe", "Co"),
        (2.85, 2.85, 2.85),
        TightBindingSettings.model_validate({"species": {"Fe": {}, "Co": COBALT}}),
    ),
}


def make_pool(name: str, workers: int) -> Dataset:
    """Make the pool of a recipe and write it: an eighth of each part with atoms at rest, an eighth displaced."""
    recipe = RECIPES[name]
    counts = [len(part) for part in np.array_split(np.arange(recipe.n_labels), 2 * len(PARTS))]
    made: list[LabelledConfiguration] = []
    with ProcessPoolExecutor(workers) as pool:
        tasks = zip(parts(), counts, np.random.default_rng(recipe.seed).spawn(len(counts)), strict=True)
        for (group, generator), count, rng in tasks:
            made += _label_group(pool, recipe, group, generator, count, rng)
    DATA.mkdir(exist_ok=True)
    write_dataset(DATA / f"{name}_pool.extxyz", made)
    return Dataset(tuple(made))


def parts() -> Iterator[tuple[str, GeneratorSettings]]:
    """Yield name and generator of every part, atoms at rest and displaced."""
    for group, generator in PARTS.items():
        for displacement in (0.0, DISPLACEMENT):
            yield group, generator.model_copy(update={"displacement_angstrom": displacement})


def _label_group(
    pool: ProcessPoolExecutor,
    recipe: Recipe,
    group: str,
    generator: GeneratorSettings,
    count: int,
    rng: np.random.Generator,
) -> list[LabelledConfiguration]:
    """Return the first `count` labels that converge; twice as many cells are drawn."""
    settings = ExplorationSettings(supercell=(2, 2, 2), generators=(generator,), n_candidates=2 * count)
    cells = [candidate.configuration for candidate in generate(recipe.unit_cell(), settings, rng)]
    found: list[LabelledConfiguration] = []
    for start in track(range(0, len(cells), 4), description=f"{group} {generator.displacement_angstrom:g} Å"):
        if len(found) < count:
            items = pool.map(partial(_label, settings=recipe.engine), cells[start : start + 4])
            found += [replace(item, info={**item.info, "group": group}) for item in items if item is not None]
    if len(found) < count:
        raise ConvergenceError(f"only {len(found)} of {len(cells)} cells of {group} converged")
    return found[:count]


def _label(cell: Configuration, settings: TightBindingSettings) -> LabelledConfiguration | None:
    try:
        return label(cell, settings)
    except ConvergenceError:
        return None


if __name__ == "__main__":
    for name in sys.argv[1:] or RECIPES:
        print(f"{len(make_pool(name, 1))} labels in {DATA / f'{name}_pool.extxyz'}")
