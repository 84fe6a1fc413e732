"""Time of Monte Carlo: `make bench-monte-carlo` prints a table and writes results/monte_carlo.json.

Single-spin updates of a 16-atom cell of bcc iron on one core, models fitted to energies and fields of a formula with
the settings that `soso fit` would choose (zeta 2): its pair-only baseline, and the three-body model.  CPU seconds
without compilation.  The energy followed by differences is compared with one computed from scratch.  The exit code is
1 when a limit is missed.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
from formula import make_labels
from machine import machine
from rich.console import Console
from rich.table import Table

from soso_core.dynamics.monte_carlo.simulation import Chain
from soso_core.dynamics.spin_energy import SpinModel
from soso_core.formats import atomic_write
from soso_core.gp.inference.defaults import choose_settings
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.fitted import FittedModel

RESULTS = Path(__file__).parent / "results" / "monte_carlo.json"
LIMITS = {"pair model": 5.0, "three-body model": 300.0}
"""Seconds for so many updates."""
UPDATES = 1_000_000
TEMPERATURE_KELVIN = 600.0
N_LABELS = 30


def measure(model: FittedModel) -> dict[str, float]:
    """Return seconds for a million updates of one model, acceptance rate, drift, and the terms of its covariance."""
    cell = make_labels(1, np.random.default_rng(2))[0].configuration
    energy = SpinModel.of(model).on(cell)
    chain = Chain(energy, cell.spins_ac, np.random.default_rng(3))
    chain.warm_up(TEMPERATURE_KELVIN, 100)
    n_sweeps = UPDATES // len(cell)
    start, wall = time.process_time(), time.perf_counter()
    n_accepted = chain.sweep(TEMPERATURE_KELVIN, n_sweeps).n_accepted
    n_updates = n_sweeps * len(cell)
    return {
        "seconds_per_million": 1e6 / n_updates * (time.process_time() - start),
        "wall_seconds_per_million": 1e6 / n_updates * (time.perf_counter() - wall),
        "updates": n_updates,
        "acceptance_rate": n_accepted / n_updates,
        "terms": 0 if energy.environments is None else energy.environments.covariances.values_sk.size,
        "drift_meV": 1e3 * abs(chain.energy - energy.of_spins(chain.spins_ac)),
    }


def main() -> int:
    """Measure; exit code 1 when a limit is missed, 2 when BLAS may use more than one thread."""
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        print("set OPENBLAS_NUM_THREADS to 1, as `make bench-monte-carlo` does", file=sys.stderr)
        return 2
    data = make_labels(N_LABELS, np.random.default_rng(0))
    model = fit(data, choose_settings(data), np.random.default_rng(1))
    assert model.baseline is not None
    models = {"pair model": model.baseline, "three-body model": model}
    found = {name: measure(each) for name, each in models.items()}
    table = Table(title="A million single-spin updates of 16 atoms, one core")
    for column in ("model", "seconds", "limit", "acceptance", "drift (meV)"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name, row in found.items():
        figures = (f"{row['seconds_per_million']:.2f}", f"{LIMITS[name]:g}", f"{row['acceptance_rate']:.2f}")
        table.add_row(name, *figures, f"{row['drift_meV']:.1e}")
    Console().print(table)
    missed = [name for name, limit in LIMITS.items() if found[name]["seconds_per_million"] > limit]
    record = {"machine": machine(), "measured": found, "limits": LIMITS, "missed": missed}
    with atomic_write(RESULTS) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
