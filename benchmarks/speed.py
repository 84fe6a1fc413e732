"""Speed of compiled models beside peers: `make bench-speed` prints the table and writes results/speed.json.

Classes in the style of asv: parameters, `setup`, one `time_...` method.  Every number is the smallest of several
repeats on one warm process, in microseconds per atom: of CPU time for one thread, so that other work on the machine
counts less, of the clock on the wall for several; compiling is timed apart, in a process of its own with an empty
cache.  Peers (spin-less machine-learned models) run in the same process on the same atoms with one thread.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np
from peers import SnapForces, SoapDescriptor, SoapSettings
from rich.console import Console
from rich.table import Table

from soso_core import Configuration
from soso_core.fast.compiled import CompiledModel
from soso_core.gp.fitted import FittedModel
from soso_core.gp.regression import fit
from soso_core.gp.settings import FitSettings
from soso_core.io import atomic_write, read_dataset

DATA = Path(__file__).parents[2] / "shared" / "data" / "bcc_fe_paramagnetic_60.extxyz"
RESULTS = Path(__file__).parent / "results" / "speed.json"
FULL = FitSettings(
    pair={"cutoff_angstrom": 6.0, "lambda_max": 3},
    descriptor={"cutoff_angstrom": 5.1, "n_max": 8, "lambda_max": 4, "sigma_spin": 1.0},
    three_body={
        "cutoff_angstrom": 4.6,
        "n_max": 4,
        "l_max": 4,
        "channel_pairs": [["1", "1"], ["1", "P1"], ["P1", "P1"], ["vector", "vector"]],
    },
    zeta=2,
    n_inducing=200,
)
SIZES = (2000, 16000)
SKIN = 0.3
DISPLACEMENT = 0.08
"""Å, standard deviation of every component: bcc iron at some 400 K."""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
"""Variables that libraries read when they are loaded."""
REPEATS, SECONDS = 3, 2.0
"""At least so many repeats, and as many more as fit into so many seconds."""


def thermal_iron(n_atoms: int) -> Configuration:
    """Return displaced bcc iron with random spins."""
    n = round((n_atoms / 2) ** (1 / 3))
    rng = np.random.default_rng(0)
    corners = np.array(list(product(range(n), repeat=3)), dtype=float)
    sites_ac = 2.83 * np.stack([corners, corners + 0.5], axis=1).reshape(-1, 3)
    positions_ac = sites_ac + rng.normal(scale=DISPLACEMENT, size=sites_ac.shape)
    spins_ac = rng.normal(size=sites_ac.shape)
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    return Configuration(np.full(len(sites_ac), 26), positions_ac, 2.83 * n * np.eye(3), spins_ac)


@cache
def full_model() -> FittedModel:
    """Return the model of `FULL` for 25 labels of the paramagnet, fitted once."""
    return fit(read_dataset(DATA).subset(range(25)), FULL, np.random.default_rng(0))


@cache
def model_without_d() -> FittedModel:
    """Return the same with the smallest d there can be."""
    small = {"cutoff_angstrom": 2.0, "n_max": 1, "lambda_max": 0}
    settings = FitSettings.model_validate(FULL.model_dump() | {"descriptor": small})
    return fit(read_dataset(DATA).subset(range(25)), settings, np.random.default_rng(0))


class Compiled:
    """A compiled model with a neighbour list at hand (skin included): energy, fields, forces, stress."""

    params = (SIZES, (1, 2))
    param_names = ("atoms", "threads")

    def setup(self, n_atoms: int, n_threads: int) -> None:
        """Make the atoms, the model and its neighbour list."""
        self.configuration, self.n_threads = thermal_iron(n_atoms), n_threads
        self.compiled = CompiledModel.of(self.model())
        self.near = self.compiled.neighbours(self.configuration, SKIN)

    def model(self) -> FittedModel:
        """Return the model that is timed."""
        return full_model()

    def time_predict(self, n_atoms: int, n_threads: int) -> None:
        """Evaluate all atoms once."""
        self.compiled.predict(self.configuration, self.near, self.n_threads)


class FullModel(Compiled):
    """Pair part to 6 Å, d to 5.1 Å, three-body to 4.6 Å with n 4, l 4, channels 1, P1, vector, zeta 2."""


class ThreeBodyAndPair(Compiled):
    """The same with the smallest d (n 1, λ 0, 2 Å): what the three-body part and the pair part cost."""

    params = (SIZES, (1,))

    def model(self) -> FittedModel:
        """Return the model without d."""
        return model_without_d()


class PairPart(Compiled):
    """The pair part alone: to 6 Å, λ up to 3, moving atoms."""

    def model(self) -> FittedModel:
        """Return the pair-only baseline."""
        baseline = full_model().baseline
        assert baseline is not None
        return baseline


class NeighbourList(Compiled):
    """Making the neighbour list of the full model anew, skin included, and sorting it."""

    params = (SIZES, (1,))

    def time_predict(self, n_atoms: int, n_threads: int) -> None:
        """Search, and sort into bins; what an evaluation costs is not taken off."""
        near = self.compiled.neighbours(self.configuration, SKIN)
        self.compiled.predict(self.configuration, near, self.n_threads)


class Uncompiled(Compiled):
    """`FittedModel.predict` without error bars, for comparison."""

    params = ((250,), (1,))

    def time_predict(self, n_atoms: int, n_threads: int) -> None:
        """Evaluate all atoms once."""
        full_model().predict(self.configuration, with_std=False)


class Soap:
    """featomic: the SOAP power spectrum of 58 neighbours, n 8, l 4; no gradients, no energies, no spins."""

    params = (SIZES, (1,))
    settings = SoapSettings(5.3, 8, 4)

    def setup(self, n_atoms: int, n_threads: int) -> None:
        """Make atoms and calculator; raises ImportError or OSError where featomic does not run."""
        self.peer = SoapDescriptor(thermal_iron(n_atoms), self.settings)

    def time_predict(self, n_atoms: int, n_threads: int) -> None:
        """Compute the descriptors once."""
        self.peer.run()


class SoapSmall(Soap):
    """featomic: the SOAP power spectrum as small as our channel pair (1, 1): 4.6 Å, n 4, l 4; no gradients."""

    settings = SoapSettings(4.6, 4, 4)


class SoapSmallGradients(Soap):
    """featomic: the small one with its gradients by positions, which forces need."""

    params = ((2000,), (1,))
    settings = SoapSettings(4.6, 4, 4, ("positions",))


class Snap:
    """LAMMPS: SNAP, energy and forces; twojmax 8 as published, the neighbours of our three-body part (4.6 Å)."""

    params = (SIZES, (1,))
    evaluations = 2

    def setup(self, n_atoms: int, n_threads: int) -> None:
        """Make the system; raises ImportError or OSError where lammps does not run."""
        self.peer = SnapForces(thermal_iron(n_atoms))

    def time_predict(self, n_atoms: int, n_threads: int) -> None:
        """Compute forces several times in one run, as dynamics does."""
        self.peer.run(self.evaluations)


CASES = (PairPart, FullModel, ThreeBodyAndPair, NeighbourList, Uncompiled, Soap, SoapSmall, SoapSmallGradients, Snap)


def measured(case: type, n_atoms: int, n_threads: int) -> dict[str, object]:
    """Return one row: microseconds per atom, or why there are none."""
    row: dict[str, object] = {"case": case.__name__, "what": case.__doc__, "atoms": n_atoms, "threads": n_threads}
    benchmark = case()
    try:
        benchmark.setup(n_atoms, n_threads)
    except (ImportError, OSError) as error:
        return row | {"skipped": f"{type(error).__name__}: {error}"}
    clock = time.process_time if n_threads == 1 else time.perf_counter
    start = clock()
    benchmark.time_predict(n_atoms, n_threads)
    first, times = clock() - start, []
    while len(times) < REPEATS or sum(times) < SECONDS:
        start = clock()
        benchmark.time_predict(n_atoms, n_threads)
        times.append(clock() - start)
    scale = 1e6 / n_atoms / getattr(case, "evaluations", 1)
    medians = scale * float(np.median(times))
    return row | {"us_per_atom": scale * min(times), "median_us_per_atom": medians, "first_s": first}


def compile_seconds() -> dict[str, float]:
    """Return how long `soso warmup` takes with an empty cache, and again with a full one."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", "from soso_core.app.cli import main; main(['warmup'])"]
        seconds = {}
        for name in ("empty_cache", "full_cache"):
            start = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            seconds[name] = time.perf_counter() - start
    return seconds


def machine() -> dict[str, str]:
    """Return what the numbers belong to."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "target": llvmlite.binding.get_host_cpu_name(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


def rows() -> Iterator[dict[str, object]]:
    """Yield the rows of all cases."""
    for case in CASES:
        for parameters in product(*case.params):
            row = measured(case, *parameters)
            print({key: value for key, value in row.items() if key != "what"}, file=sys.stderr, flush=True)
            yield row


def show(results: list[dict[str, object]]) -> None:
    """Print the rows as a table."""
    table = Table(title="Microseconds per atom (smallest of several repeats)")
    for column in ("case", "atoms", "threads", "µs per atom", "median"):
        table.add_column(column, justify="left" if column == "case" else "right")
    for row in results:
        numbers = [f"{row[key]:.2f}" if key in row else "skipped" for key in ("us_per_atom", "median_us_per_atom")]
        table.add_row(str(row["case"]), str(row["atoms"]), str(row["threads"]), *numbers)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    for reason in sorted({f"{row['case']}: {row['skipped']}" for row in results if "skipped" in row}):
        print(f"skipped: {reason}")


def main() -> int:
    """Run every case; exit code 2 without the data, or when libraries may use more threads than they are said to."""
    if many := [name for name in ONE_THREAD if os.environ.get(name) != "1"]:
        print(f"set {', '.join(many)} to 1, as `make bench-speed` does", file=sys.stderr)
        return 2
    if not DATA.is_file():
        print(f"the published data are not in {DATA.parent}", file=sys.stderr)
        return 2
    compiling = compile_seconds()
    results = list(rows())
    show(results)
    print(f"compiling: {compiling['empty_cache']:.0f} s from nothing, {compiling['full_cache']:.1f} s when it is done")
    print(CompiledModel.of(full_model()).describe())
    record = {"machine": machine(), "compile_s": compiling, "skin_angstrom": SKIN, "rows": results}
    with atomic_write(RESULTS) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
