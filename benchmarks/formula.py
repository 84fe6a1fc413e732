"""Displaced 16-atom cells of bcc iron with random spins, labelled by a formula."""

import numpy as np

from soso_core import Configuration, Dataset
from soso_core.labels import LabelledConfiguration, transverse
from soso_core.neighbours import find_neighbours

DISPLACEMENT = 0.05
"""Å, standard deviation of every component."""
EXCHANGE, BIQUADRATIC, DECAY_ANGSTROM = -0.02, 0.004, 1.0
"""eV at 2.45 Å, and how fast both fall."""


def make_labels(n: int, rng: np.random.Generator) -> Dataset:
    """Return cells with energies and fields of J(r) u + B(r) u², u = e_i·e_j, summed over pairs within 4.5 Å."""
    return Dataset(tuple(_label(_cell(rng)) for _ in range(n)))


def _cell(rng: np.random.Generator) -> Configuration:
    corners_kc = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    sites_ac = 2.83 * np.concatenate([corners_kc, corners_kc + 0.5])
    spins_ac = rng.normal(size=sites_ac.shape)
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    positions_ac = sites_ac + rng.normal(scale=DISPLACEMENT, size=sites_ac.shape)
    return Configuration(np.full(16, 26), positions_ac, 5.66 * np.eye(3), spins_ac)


def _label(cell: Configuration) -> LabelledConfiguration:
    near = find_neighbours(cell, 4.5)
    fall_p = np.exp((2.45 - near.distances_p) / DECAY_ANGSTROM)
    e_ac = cell.spins_ac
    u_p = np.sum(e_ac[near.i_p] * e_ac[near.j_p], axis=1)
    # Every pair is in the list twice.
    energy = 0.5 * float(np.sum(fall_p * (EXCHANGE * u_p + BIQUADRATIC * u_p**2)))
    slope_p = fall_p * (EXCHANGE + 2.0 * BIQUADRATIC * u_p)
    gradient_ac = np.zeros_like(e_ac)
    np.add.at(gradient_ac, near.i_p, slope_p[:, None] * e_ac[near.j_p])
    return LabelledConfiguration(cell, energy, transverse(-gradient_ac, e_ac), np.full(len(cell), 2.2))
