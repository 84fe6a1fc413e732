"""Candidates that the present model visits at a temperature."""

import numpy as np

from soso_core.active.candidates.directions import uniform_directions
from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.dynamics.monte_carlo.simulation import Chain
from soso_core.dynamics.spin_energy import SpinModel

N_STEPS = 10
"""Temperatures through which a chain is cooled down to its own."""


def thermal_spins(
    model: SpinModel, lattice: Configuration, temperature_kelvin: float, n_sweeps: int, rng: np.random.Generator
) -> FloatArray:
    """Return spins (a, 3) drawn by Monte Carlo on a fixed lattice, whose spins only mark which atoms are magnetic.

    Directions begin at random.  1/T grows to its value in equal steps over the first half of the sweeps.  Raises
    InputError for an element without training data.
    """
    start_ac = uniform_directions(len(lattice), rng) * lattice.is_magnetic_a[:, None]
    chain = Chain(model.on(lattice), start_ac, rng)
    cooling = np.linspace(0, n_sweeps // 2, N_STEPS + 1).astype(int)
    for step, n in enumerate(np.diff(cooling).tolist(), start=1):
        chain.warm_up(temperature_kelvin * N_STEPS / step, n)
    chain.warm_up(temperature_kelvin, n_sweeps - n_sweeps // 2)
    lengths_a1 = np.linalg.norm(chain.spins_ac, axis=1, keepdims=True)
    return chain.spins_ac / np.where(lengths_a1 > 0.0, lengths_a1, 1.0)
