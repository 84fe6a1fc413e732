"""Design rows of one displaced bcc cell: `python benchmarks/rows.py`, or through asv.  Milliseconds, one core.

Columns: 250 of the GP and the sums of all three-body features.  Compile time is apart: every kernel runs in `setup`.
"""

import time
from collections.abc import Callable

import numpy as np

from soso_core import Configuration
from soso_core.descriptors.environment import EnvironmentDescriptor
from soso_core.descriptors.parameters import PairDescriptorParameters, ThreeBodyParameters
from soso_core.gp.model.covariance import PolynomialCovariance
from soso_core.gp.model.pair_part import PairPart
from soso_core.gp.model.settings import PairPartSettings
from soso_core.neighbours import find_neighbours
from soso_core.threads import one_blas_thread

N_COLUMNS = 250
LATTICE_CONSTANT = 2.83
REPEATS = 15


class DesignRows:
    """Rows by spins and by positions; parameters: cells along each axis, species, element channels."""

    params = ((2, 4), (1, 2, 4), (None, 2))
    param_names = ("cells", "species", "element_channels")

    def setup(self, cells: int, n_species: int, element_channels: int | None) -> None:
        """Prepare everything that a fit shares between rows, and compile."""
        rng = np.random.default_rng(0)
        species = tuple(range(26, 26 + n_species))
        self.cell = bcc(cells, species, rng)
        three_body = ThreeBodyParameters(element_channels=element_channels)
        self.descriptor = EnvironmentDescriptor.of(PairDescriptorParameters(cutoff_angstrom=6.0), three_body, species)
        self.pair_part = PairPart(PairPartSettings(), species)
        self.neighbours = find_neighbours(self.cell, 7.0)
        self.features = self.descriptor.compute(self.cell, self.neighbours)
        self.points_bf = rng.normal(size=(N_COLUMNS, self.descriptor.size))
        self.species_b = np.arange(N_COLUMNS) % n_species
        for name in self.names():
            getattr(self, name)(cells, n_species, element_channels)

    @classmethod
    def names(cls) -> list[str]:
        """Return what is timed."""
        return [name for name in vars(cls) if name.startswith("time_")]

    def time_features(self, *_: object) -> None:
        self.descriptor.compute(self.cell, self.neighbours)

    def time_spin_rows(self, *_: object) -> None:
        self.descriptor.spin_rows(self.features, self._columns())

    def time_position_rows(self, *_: object) -> None:
        self.descriptor.position_rows(self.features, self._columns())

    def time_pair_part_spin_rows(self, *_: object) -> None:
        self.pair_part.rows(self.cell, self.neighbours)

    def time_pair_part_position_rows(self, *_: object) -> None:
        self.pair_part.position_rows(self.cell, self.neighbours)

    def _columns(self):
        species_a = self.cell.numbers_a - 26
        return PolynomialCovariance(2).columns(self.features.x_af, species_a, self.points_bf, self.species_b)


def bcc(cells: int, species: tuple[int, ...], rng: np.random.Generator) -> Configuration:
    """Return a bcc cell of 2 · cells³ displaced atoms, species in turn, with random spins."""
    corners_kc = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    positions_ac = LATTICE_CONSTANT * np.concatenate([corners_kc, corners_kc + 0.5])
    spins_ac = rng.normal(size=positions_ac.shape)
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    numbers_a = np.array(species)[np.arange(len(positions_ac)) % len(species)]
    displaced_ac = positions_ac + rng.normal(scale=0.05, size=positions_ac.shape)
    return Configuration(numbers_a, displaced_ac, cells * LATTICE_CONSTANT * np.eye(3), spins_ac)


def milliseconds(function: Callable[[], None]) -> float:
    """Return the shortest of some runs."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def main() -> None:
    """Print every case."""
    for case in ((2, 1, None), (2, 2, None), (2, 2, 1), (2, 4, None), (2, 4, 2), (4, 1, None)):
        benchmark = DesignRows()
        benchmark.setup(*case)
        parts = [f"{name[5:]} {milliseconds(getattr(benchmark, name)):.2f}" for name in benchmark.names()]
        given = dict(zip(benchmark.param_names, case, strict=True))
        print(f"{given}, {benchmark.descriptor.size} features: " + ", ".join(parts), flush=True)


if __name__ == "__main__":
    with one_blas_thread():
        main()
