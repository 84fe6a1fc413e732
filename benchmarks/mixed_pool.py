"""A pool of four quarters for studies of active learning: 16-atom cells of bcc iron, labels of the embedded engine.

Near-ferromagnetic cones, cones as at 1000 K, random directions, spin spirals; every second cell has displaced atoms.
The quarter stands in the fact `group` of each label, which `soso study --group-by group` reads.
`python benchmarks/mixed_pool.py` makes it: benchmarks/data/mixed_pool.extxyz.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.build import bulk
from rich.progress import track

from soso_core import Configuration, Dataset
from soso_core.active.candidates.generators import generate
from soso_core.active.candidates.settings import ExplorationSettings, GeneratorSettings
from soso_core.engines.tight_binding import TightBindingSettings, label
from soso_core.errors import ConvergenceError
from soso_core.formats import read_dataset, write_dataset
from soso_core.labels import LabelledConfiguration
from soso_core.threads import available_cores

CACHE = Path(__file__).parent / "data" / "mixed_pool.extxyz"
N_POOL = 300
DISPLACEMENT = 0.05
"""Å, standard deviation of every coordinate."""
QUARTERS = {
    "near-ferromagnetic": GeneratorSettings(kind="cone", magnetisations=(0.98, 0.95, 0.9)),
    "1000 K": GeneratorSettings(kind="cone", magnetisations=(0.7, 0.5, 0.3)),
    "random": GeneratorSettings(kind="random"),
    "spirals": GeneratorSettings(kind="spiral", axis_cosines=(0.0, 0.5), tilts_degree=(0.0, 10.0, 25.0)),
}


def mixed_pool(n: int, workers: int, seed: int = 11) -> Dataset:
    """Return n labels, an eighth of each quarter with atoms at rest and displaced; made once and kept."""
    if CACHE.exists() and len(found := read_dataset(CACHE)) >= n:
        return found.subset(range(n))
    counts = [len(part) for part in np.array_split(np.arange(n), 2 * len(QUARTERS))]
    made: list[LabelledConfiguration] = []
    with ProcessPoolExecutor(workers) as pool:
        tasks = zip(parts(), counts, np.random.default_rng(seed).spawn(len(counts)), strict=True)
        for (group, generator), count, rng in tasks:
            made += _labelled(pool, group, generator, count, rng)
    CACHE.parent.mkdir(exist_ok=True)
    write_dataset(CACHE, made)
    return Dataset(tuple(made))


def parts() -> Iterator[tuple[str, GeneratorSettings]]:
    """Yield name and generator of every quarter, atoms at rest and displaced."""
    for group, generator in QUARTERS.items():
        for displacement in (0.0, DISPLACEMENT):
            yield group, generator.model_copy(update={"displacement_angstrom": displacement})


def _labelled(
    pool: ProcessPoolExecutor, group: str, generator: GeneratorSettings, count: int, rng: np.random.Generator
) -> list[LabelledConfiguration]:
    """Return the first `count` labels that converge; twice as many cells are drawn."""
    iron = bulk("Fe", a=2.85, cubic=True)
    unit = Configuration(iron.numbers, iron.positions, iron.cell.array, np.tile([0.0, 0.0, 1.0], (len(iron), 1)))
    settings = ExplorationSettings(supercell=(2, 2, 2), generators=(generator,), n_candidates=2 * count)
    cells = [candidate.configuration for candidate in generate(unit, settings, rng)]
    found: list[LabelledConfiguration] = []
    for start in track(range(0, len(cells), 4), description=f"{group} {generator.displacement_angstrom:g} Å"):
        if len(found) < count:
            items = pool.map(_label, cells[start : start + 4])
            found += [replace(item, info={**item.info, "group": group}) for item in items if item is not None]
    if len(found) < count:
        raise ConvergenceError(f"only {len(found)} of {len(cells)} cells of {group} converged")
    return found[:count]


def _label(cell: Configuration) -> LabelledConfiguration | None:
    try:
        return label(cell, TightBindingSettings())
    except ConvergenceError:
        return None


if __name__ == "__main__":
    print(f"{len(mixed_pool(N_POOL, available_cores()))} labels in {CACHE}")
