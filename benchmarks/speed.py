"""Speed of compiled models beside peers: `make bench-speed` prints the table and writes results/speed.json.

Classes in the style of asv: parameters, `setup`, one `time_...` method.  Every number is the smallest of several
repeats on one warm process, in microseconds per atom: of CPU time for one thread, so that other work on the machine
counts less, of wall time for several; compilation is timed separately, in a process of its own with an empty
cache.  Peers (spin-less machine-learned models) run in the same process on the same atoms with one thread; a peer
that is not installed is left out, with the reason.  The exit code is 1 when a limit is missed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from formula import make_labels
from machine import machine
from peers import SnapForces, SoapDescriptor, SoapSettings
from rich.console import Console
from rich.table import Table

from soso_core import Configuration, Dataset
from soso_core.compiled.model import CompiledModel
from soso_core.descriptors.parameters import PairDescriptorParameters
from soso_core.formats import atomic_write, read_dataset
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.fitted import FittedModel
from soso_core.gp.model.settings import FitSettings

DATA = Path(os.environ.get("SOSO_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data"))
LABELS = DATA / "bcc_fe_gpaw_lda_28.extxyz"
"""Displaced cells with energies, fields and forces: the covariance has its full rank."""
RESULTS = Path(__file__).parent / "results" / "speed.json"
FULL = FitSettings.model_validate(
    {
        "pair": {"cutoff_angstrom": 6.0, "lambda_max": 3},
        "descriptor": None,
        "three_body": {"cutoff_angstrom": 4.6, "n_max": 4, "l_max": 4},
        "zeta": 2,
        "n_inducing": 80,
    }
)
WITH_D = FULL.model_copy(
    update={"descriptor": PairDescriptorParameters(cutoff_angstrom=5.1, n_max=8, lambda_max=4, sigma_spin=1.0)}
)
SIZES = (2000, 16000)
SMALL = (16, 54)
SKIN = 0.3
DISPLACEMENT = 0.08
"""Å, standard deviation of every component: bcc iron at some 400 K."""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
"""Variables that libraries read when they are loaded."""
Row = dict[str, object]
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
def training_data() -> tuple[Dataset, str]:
    """Return the training data and their description: the published labels, or those of a formula."""
    if LABELS.is_file():
        return read_dataset(LABELS).subset(range(24)), f"24 labels of {LABELS.name}"
    return make_labels(
        24, np.random.default_rng(0)
    ), "24 displaced cells labelled by a formula (no published data here)"


@cache
def full_model() -> FittedModel:
    """Return the model of `FULL`, fitted once."""
    return fit(training_data()[0], FULL, np.random.default_rng(0))


@cache
def model_with_d() -> FittedModel:
    """Return the same with the pair descriptor d beside p."""
    return fit(training_data()[0], WITH_D, np.random.default_rng(0))


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
    """Pair part to 6 Å, three-body to 4.6 Å with n 4, l 4, channels 1, P1, vector (default pairs), zeta 2."""


class WithPairDescriptor(Compiled):
    """The same with d (5.1 Å, n 8, λ 4) beside p."""

    params = (SIZES, (1,))

    def model(self) -> FittedModel:
        """Return the model with d."""
        return model_with_d()


class PairPart(Compiled):
    """The pair part alone: to 6 Å, λ up to 3, moving atoms."""

    def model(self) -> FittedModel:
        """Return the pair-only baseline."""
        baseline = full_model().baseline
        assert baseline is not None
        return baseline


class NeighbourList(Compiled):
    """A new neighbour list of the full model for each evaluation, skin included, and sorting it."""

    params = (SIZES, (1,))

    def time_predict(self, n_atoms: int, n_threads: int) -> None:
        """Search, sort into bins and evaluate once."""
        near = self.compiled.neighbours(self.configuration, SKIN)
        self.compiled.predict(self.configuration, near, self.n_threads)


class Uncompiled(Compiled):
    """`FittedModel.predict` without error bars, for comparison."""

    params = (SMALL, (1,))
    with_std = False

    def time_predict(self, n_atoms: int, n_threads: int) -> None:
        """Evaluate all atoms once."""
        full_model().predict(self.configuration, with_std=self.with_std)


class WithErrorBars(Uncompiled):
    """`FittedModel.predict` with the variance of the energy and of all fields."""

    with_std = True


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


CASES = (
    PairPart,
    FullModel,
    WithPairDescriptor,
    NeighbourList,
    Uncompiled,
    WithErrorBars,
    Soap,
    SoapSmall,
    SoapSmallGradients,
    Snap,
)
PEERS = ("Soap", "Snap")
"""The full model must be PEER_FACTOR times faster than these; the other rows of peers are for information."""
PAIR_LIMIT, FULL_LIMIT, VARIANCE_LIMIT, PEER_FACTOR = 1.0, 25.0, 4.0, 4.0
"""µs per atom; cost of the variance over that of the prediction; times."""


def measure(case: type, n_atoms: int, n_threads: int) -> Row:
    """Return one row: microseconds per atom, or the reason why the case was skipped."""
    row: Row = {"case": case.__name__, "what": case.__doc__, "atoms": n_atoms, "threads": n_threads}
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
    """Return the seconds of `soso warmup` with an empty cache, and again with a full one."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", "from soso_core.app.cli import main; main(['warmup'])"]
        seconds = {}
        for name in ("empty_cache", "full_cache"):
            start = time.perf_counter()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            seconds[name] = time.perf_counter() - start
    return seconds


def check_limits(results: Sequence[Row]) -> list[dict[str, object]]:
    """Return measured value and limit of each limit, and whether it is met; peers that did not run are left out."""
    us = {
        (row["case"], row["atoms"]): float(str(row["us_per_atom"]))
        for row in results
        if row["threads"] == 1 and "us_per_atom" in row
    }
    found = [_limit(f"pair part, {n} atoms, µs per atom", us["PairPart", n], PAIR_LIMIT) for n in SIZES]
    found += [_limit(f"full model, {n} atoms, µs per atom", us["FullModel", n], FULL_LIMIT) for n in SIZES]
    for n in SMALL:
        ratio = us["WithErrorBars", n] / us["Uncompiled", n] - 1.0
        found.append(_limit(f"variance over prediction, {n} atoms", ratio, VARIANCE_LIMIT))
    for n in SIZES:
        peers = [us[peer, n] for peer in PEERS if (peer, n) in us]
        if peers:
            found.append(
                _limit(f"fastest peer over full model, {n} atoms", min(peers) / us["FullModel", n], PEER_FACTOR, -1)
            )
    return found


def _limit(what: str, measured: float, limit: float, sign: int = 1) -> dict[str, object]:
    """Return one verdict; `sign` is 1 for an upper limit and -1 for a lower one."""
    return {"what": what, "measured": measured, "limit": limit, "met": sign * measured <= sign * limit}


def rows() -> Iterator[Row]:
    """Yield the rows of all cases."""
    for case in CASES:
        for parameters in product(*case.params):
            row = measure(case, *parameters)
            print({key: value for key, value in row.items() if key != "what"}, file=sys.stderr, flush=True)
            yield row


def show(results: Sequence[Row]) -> None:
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


def show_limits(verdicts: Sequence[Mapping[str, object]]) -> None:
    """Print one line for each limit."""
    for each in verdicts:
        kept = "kept" if each["met"] else "MISSED"
        print(f"{each['what']}: {each['measured']:.3g}, limit {each['limit']:g}: {kept}")


def main() -> int:
    """Run every case; exit code 1 when a limit is missed, 2 when libraries may use more than one thread."""
    if many := [name for name in ONE_THREAD if os.environ.get(name) != "1"]:
        print(f"set {', '.join(many)} to 1, as `make bench-speed` does", file=sys.stderr)
        return 2
    compiling = compile_seconds()
    results = list(rows())
    verdicts = check_limits(results)
    show(results)
    empty, full = compiling["empty_cache"], compiling["full_cache"]
    print(f"compilation: {empty:.0f} s with an empty cache, {full:.1f} s with a full one")
    described = CompiledModel.of(full_model()).describe()
    print(described)
    show_limits(verdicts)
    record = {
        "machine": machine(),
        "fitted_to": training_data()[1],
        "compiled_form": described.splitlines(),
        "compile_s": compiling,
        "skin_angstrom": SKIN,
        "limits": verdicts,
        "rows": results,
    }
    with atomic_write(RESULTS) as temporary:
        temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf8")
    return 0 if all(each["met"] for each in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
