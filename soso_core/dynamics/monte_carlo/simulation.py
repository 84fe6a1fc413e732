"""Monte Carlo of the spins of a fixed lattice: one chain for each temperature of a ladder.

Every update draws a site, then a trial direction, and takes it with the probability of Metropolis.  Trials come from a
cone around the spin, whose width is learnt before anything is measured, or from the exact distribution in the field of
the pairs (heat bath), the rest of the energy left to the acceptance.  Both are in detailed balance.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from pydantic import Field

from soso_core.arrays import FloatArray
from soso_core.dynamics.spin_energy import SpinEnergy
from soso_core.errors import InputError
from soso_core.kernels.monte_carlo.environment_sweeps import environment_sweeps
from soso_core.kernels.monte_carlo.pair_sweeps import pair_energy, pair_sweeps
from soso_core.kernels.monte_carlo.proposals import Move
from soso_core.settings import Settings
from soso_core.threads import one_blas_thread, worker_count
from soso_core.units import K_B

WIDEST, NARROWEST = 30.0, 1e-3
"""Widths of a cone; with the widest the trial is next to uniform."""
LEARNT_IN = 40
"""Into how many parts a warm-up is divided; the cone changes between them."""


class MonteCarloSettings(Settings):
    """How long to sample.  A sweep is as many single-spin updates as there are spins."""

    n_warmup: int = Field(default=400, ge=0, description="sweeps before anything is kept")
    n_sweeps: int = Field(default=1000, ge=1, description="sweeps whose energy and total spin are kept")
    n_between: int | None = Field(default=None, ge=1, description="sweeps between kept spins; None: the last only")
    move: Literal["cone", "heat-bath"] = "cone"


@dataclass(frozen=True, eq=False)
class Samples:
    """What one chain visited.

    temperature_kelvin; energies_k (k,) eV and moments_kc (k, 3) = Σ_i e_i after every sweep; spins_kac kept spins,
    the last being those at the end; acceptance of the measured part, and the cone it used.
    """

    temperature_kelvin: float
    energies_k: FloatArray
    moments_kc: FloatArray
    spins_kac: FloatArray
    acceptance: float
    cone: float


def sample(
    energy: SpinEnergy,
    spins_ac: FloatArray,
    temperatures_kelvin: Sequence[float],
    settings: MonteCarloSettings,
    rng: np.random.Generator,
    n_threads: int | None = None,
) -> list[Samples]:
    """Return the samples of one chain for each temperature, all from the same spins (a, 3).

    Each chain draws from a stream of its own, so that the number of threads changes nothing.  Raises InputError for
    spins that do not fit the lattice, and for temperatures that are not positive.
    """
    wrong = [temperature for temperature in temperatures_kelvin if not temperature > 0.0]
    if wrong:
        raise InputError(f"temperature {wrong[0]:g} K: Monte Carlo needs one above zero")
    streams = rng.spawn(len(temperatures_kelvin))
    run = partial(_sample_one, energy, spins_ac, settings)
    with one_blas_thread(), ThreadPoolExecutor(n_threads or worker_count()) as pool:
        return list(pool.map(run, temperatures_kelvin, streams))


def _sample_one(
    energy: SpinEnergy,
    spins_ac: FloatArray,
    settings: MonteCarloSettings,
    temperature_kelvin: float,
    rng: np.random.Generator,
) -> Samples:
    chain = Chain(energy, spins_ac, rng, settings.move)
    chain.warm_up(temperature_kelvin, settings.n_warmup)
    chunk, kept, parts = settings.n_between or settings.n_sweeps, [], []
    for start in range(0, settings.n_sweeps, chunk):
        part = chain.sweep(temperature_kelvin, min(chunk, settings.n_sweeps - start))
        parts.append(part)
        kept.append(chain.spins_ac.copy())
    n_taken = sum(part.n_taken for part in parts)
    n_updates = settings.n_sweeps * max(len(energy.sites_k), 1)
    return Samples(
        temperature_kelvin,
        np.concatenate([part.energies_s for part in parts]),
        np.concatenate([part.moments_sc for part in parts]),
        np.array(kept),
        n_taken / n_updates,
        chain.cone,
    )


@dataclass(frozen=True, eq=False)
class Sweeps:
    """Energy (s,) eV and total spin (s, 3) after each of some sweeps, and how many trials were taken."""

    energies_s: FloatArray
    moments_sc: FloatArray
    n_taken: int


class Chain:
    """One replica: spins that move.  `energy` is followed by differences, `SpinEnergy.of_spins` sums it anew.

    Raises InputError for spins (a, 3) that do not fit the lattice.
    """

    def __init__(
        self,
        energy: SpinEnergy,
        spins_ac: FloatArray,
        rng: np.random.Generator,
        move: Literal["cone", "heat-bath"] = "cone",
        cone: float = 0.5,
    ) -> None:
        self.spins_ac = energy.checked(spins_ac)
        self.cone = cone
        self.energy = energy.constant + pair_energy(energy.pairs, self.spins_ac)
        self._system, self._rng, self._heat_bath = energy, rng, move == "heat-bath"
        self._around = None if energy.environments is None else energy.environments.start(self.spins_ac)
        if self._around is not None:
            self.energy += self._around.energy()

    def sweep(self, temperature_kelvin: float, n_sweeps: int) -> Sweeps:
        """Make some sweeps at one temperature, with the cone as it is."""
        move = Move(1.0 / (K_B * temperature_kelvin), self.cone, self._heat_bath)
        energies_s, moments_sc = np.full(n_sweeps, self.energy), np.zeros((n_sweeps, 3))
        system, out = self._system, (self._rng, energies_s, moments_sc)
        around: tuple[Any, ...] = () if self._around is None else self._around.arguments
        arguments = (self.energy, system.pairs, move, system.sites_k, self.spins_ac, *around, *out)
        n_taken: int = (environment_sweeps if around else pair_sweeps)(*arguments)
        if n_sweeps:
            self.energy = float(energies_s[-1])
        return Sweeps(energies_s, moments_sc, n_taken)

    def warm_up(self, temperature_kelvin: float, n_sweeps: int) -> None:
        """Make some sweeps and learn the cone on them: half of the trials should be taken."""
        for part in np.array_split(np.arange(n_sweeps), min(LEARNT_IN, max(n_sweeps, 1))):
            n_trials = len(part) * len(self._system.sites_k)
            if n_trials:
                taken = self.sweep(temperature_kelvin, len(part)).n_taken / n_trials
                self.cone = float(np.clip(self.cone * np.exp(taken - 0.5), NARROWEST, WIDEST))
