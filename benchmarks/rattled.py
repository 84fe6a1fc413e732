"""Rattled and strained 16-atom cells of bcc iron with labels of the embedded engine, for benchmarks."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from ase.build import bulk

from soso_core import Configuration, Dataset
from soso_core.active.candidates.directions import cone_directions, uniform_directions
from soso_core.engines.tight_binding import TightBindingSettings, label
from soso_core.errors import ConvergenceError
from soso_core.formats import read_dataset, write_dataset
from soso_core.labels import LabelledConfiguration

CACHE = Path(__file__).parent / "data" / "rattled.extxyz"
LARGEST_DISPLACEMENT, LARGEST_STRAIN = 0.1, 0.03
"""Å and 1: displacements are uniform in a ball of this radius, strain components within these bounds."""
MEAN_COSINES = (0.95, 0.8, 0.6, 0.4, 0.2, 0.0, 0.0)
"""From near-ferromagnetic to random (0)."""


def rattled_set(n_labels: int, workers: int, seed: int = 5) -> Dataset:
    """Return the first `n_labels` labels that converge, made once and kept in benchmarks/data."""
    if CACHE.exists() and len(found := read_dataset(CACHE)) >= n_labels:
        return found.subset(range(n_labels))
    streams = np.random.default_rng(seed).spawn(2 * n_labels)
    cells = [rattled_cell(MEAN_COSINES[k % len(MEAN_COSINES)], stream) for k, stream in enumerate(streams)]
    done: list[LabelledConfiguration] = []
    with ProcessPoolExecutor(workers) as pool:
        for start in range(0, len(cells), 8):
            done += [item for item in pool.map(_label, cells[start : start + 8]) if item is not None]
            if len(done) >= n_labels:
                break
    CACHE.parent.mkdir(exist_ok=True)
    write_dataset(CACHE, done[:n_labels])
    return Dataset(tuple(done[:n_labels]))


def rattled_cell(mean_cosine: float, rng: np.random.Generator) -> Configuration:
    """Return a strained 2x2x2 cell with displaced atoms and spins in a cone, or random ones."""
    iron = bulk("Fe", a=2.85, cubic=True) * (2, 2, 2)
    upper_cc = np.triu(rng.uniform(-LARGEST_STRAIN, LARGEST_STRAIN, (3, 3)))
    stretch_cc = np.eye(3) + 0.5 * (upper_cc + upper_cc.T)
    radius_a = LARGEST_DISPLACEMENT * rng.random(len(iron)) ** (1 / 3)
    positions_ac = iron.positions @ stretch_cc + radius_a[:, None] * uniform_directions(len(iron), rng)
    cone = mean_cosine > 0.0
    spins_ac = cone_directions(len(iron), mean_cosine, rng) if cone else uniform_directions(len(iron), rng)
    return Configuration(iron.numbers, positions_ac, iron.cell.array @ stretch_cc, spins_ac)


def _label(cell: Configuration) -> LabelledConfiguration | None:
    try:
        return label(cell, TightBindingSettings())
    except ConvergenceError:
        return None
