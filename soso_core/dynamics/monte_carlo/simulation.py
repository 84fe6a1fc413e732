"""Monte Carlo of the spins of a fixed lattice: one chain for each temperature.

Every update draws a site i at random, proposes e_i -> e_i' with density q, and accepts with the Metropolis probability

    P = min(1, exp[-(E' - E)/k_BT] q(e_i) / q(e_i'))

    symbol     variable
    E          Chain.energy, eV: followed by differences, `SpinEnergy.of_spins` computes it from scratch
    1/k_BT     Proposal.per_kt, 1/eV
    w          Chain.width: e_i' is the direction of e_i + w ξ, ξ standard normal (q cancels)
    q          exp(b·e)/normalisation for the heat bath, b = -∂E_pairs/∂e_i/k_BT from the terms linear in e_i·e_j

The warm-up adjusts w until half of the proposals are accepted; w is constant while samples are kept, so both proposals
obey detailed balance.  The heat bath suits pair models: its acceptance rate is 1 for a Heisenberg model.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from pydantic import Field

from soso_core.arrays import FloatArray
from soso_core.dynamics.spin_energy import SpinEnergy
from soso_core.errors import InputError
from soso_core.kernels.monte_carlo.proposals import Proposal
from soso_core.kernels.monte_carlo.sweeps import pair_energy, sweep_spins
from soso_core.settings import Settings
from soso_core.threads import one_blas_thread, worker_count
from soso_core.units import K_B

MIN_WIDTH, MAX_WIDTH = 1e-3, 30.0
"""Widths of the Gaussian proposal; the largest is nearly uniform on the sphere."""
N_ADJUSTMENTS = 40
"""Number of parts of a warm-up; the width changes between them."""
ProposalKind = Literal["gaussian", "heat-bath"]


class MonteCarloSettings(Settings):
    """How long to sample.  A sweep is as many single-spin updates as there are spins."""

    n_warmup: int = Field(default=400, ge=0, description="sweeps before anything is kept")
    n_sweeps: int = Field(default=1000, ge=1, description="sweeps whose energy and total spin are kept")
    n_between: int | None = Field(default=None, ge=1, description="sweeps between kept spins; None: the last only")
    proposal: ProposalKind = "gaussian"


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of one chain.

    energies_k, moments_kc : (k,) eV and (k, 3), the energy and Σ_i e_i after every sweep
    spins_kac : kept spins, the last are those at the end
    acceptance_rate, proposal_width : of the sweeps that were kept
    """

    temperature_kelvin: float
    energies_k: FloatArray
    moments_kc: FloatArray
    spins_kac: FloatArray
    acceptance_rate: float
    proposal_width: float


def sample(
    energy: SpinEnergy,
    spins_ac: FloatArray,
    temperatures_kelvin: Sequence[float],
    settings: MonteCarloSettings,
    rng: np.random.Generator,
    n_threads: int | None = None,
) -> list[Samples]:
    """Return the samples of one chain for each temperature.

    Parameters
    ----------
    energy : the energy of the spins on a lattice
    spins_ac : (a, 3), unit vectors on magnetic atoms and zero on others; all chains start here
    temperatures_kelvin, settings : temperatures, and lengths of warm-up and sampling
    rng : each chain spawns its own stream, so that results do not depend on `n_threads`
    n_threads : None for the number of cores

    Returns one `Samples` for each temperature.  Raises InputError for spins that do not fit the lattice and for
    temperatures that are not positive.
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
    chain = Chain(energy, spins_ac, rng, settings.proposal)
    chain.warm_up(temperature_kelvin, settings.n_warmup)
    chunk, kept, parts = settings.n_between or settings.n_sweeps, [], []
    for start in range(0, settings.n_sweeps, chunk):
        part = chain.sweep(temperature_kelvin, min(chunk, settings.n_sweeps - start))
        parts.append(part)
        kept.append(chain.spins_ac.copy())
    n_accepted = sum(part.n_accepted for part in parts)
    n_updates = settings.n_sweeps * max(len(energy.sites_k), 1)
    return Samples(
        temperature_kelvin,
        np.concatenate([part.energies_s for part in parts]),
        np.concatenate([part.moments_sc for part in parts]),
        np.array(kept),
        n_accepted / n_updates,
        chain.width,
    )


@dataclass(frozen=True, eq=False)
class Sweeps:
    """Energy (s,) eV and total spin (s, 3) after each of some sweeps, and the number of accepted proposals."""

    energies_s: FloatArray
    moments_sc: FloatArray
    n_accepted: int


class Chain:
    """One replica of the spins.  `energy` is followed by differences, `SpinEnergy.of_spins` computes it from scratch.

    Raises InputError for spins (a, 3) that do not fit the lattice.
    """

    def __init__(
        self,
        energy: SpinEnergy,
        spins_ac: FloatArray,
        rng: np.random.Generator,
        proposal: ProposalKind = "gaussian",
        width: float = 0.5,
    ) -> None:
        self.spins_ac = energy.check_spins(spins_ac)
        self.width = width
        self.energy = energy.constant + pair_energy(energy.pairs, self.spins_ac)
        self._system, self._rng, self._heat_bath = energy, rng, proposal == "heat-bath"
        self._around = None
        if energy.environments is not None:
            energy_around, self._around = energy.environments.start(self.spins_ac)
            self.energy += energy_around

    def sweep(self, temperature_kelvin: float, n_sweeps: int) -> Sweeps:
        """Make some sweeps at one temperature, at the present width."""
        proposal = Proposal(1.0 / (K_B * temperature_kelvin), self.width, self._heat_bath)
        energies_s, moments_sc = np.full(n_sweeps, self.energy), np.zeros((n_sweeps, 3))
        state = (self.energy, self._system.pairs, proposal, self._system.sites_k, self.spins_ac, self._around)
        n_accepted = sweep_spins(*state, self._rng, energies_s, moments_sc)
        if n_sweeps:
            self.energy = float(energies_s[-1])
        return Sweeps(energies_s, moments_sc, n_accepted)

    def warm_up(self, temperature_kelvin: float, n_sweeps: int) -> None:
        """Make some sweeps and adjust the width until half of the proposals are accepted."""
        for part in np.array_split(np.arange(n_sweeps), min(N_ADJUSTMENTS, max(n_sweeps, 1))):
            n_proposals = len(part) * len(self._system.sites_k)
            if n_proposals:
                accepted = self.sweep(temperature_kelvin, len(part)).n_accepted / n_proposals
                self.width = float(np.clip(self.width * np.exp(accepted - 0.5), MIN_WIDTH, MAX_WIDTH))
