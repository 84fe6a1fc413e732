"""Fermi-Dirac filling of the bands at a fixed number of electrons."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from soso_core.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Filling:
    """Occupations (k, b) from 0 to 1, and the free energy of the electrons (eV per cell)."""

    occupations_kb: FloatArray
    free_energy: float


def fill_bands(bands_kb: FloatArray, n_electrons: float, smearing: float) -> Filling:
    """Fill spin-split bands (k, b), eV, with `n_electrons` per cell at kT = `smearing` eV and equal k-point weights.

    The free energy `sum_b f ε - kT S` is evaluated as `μ N - kT sum ln(1 + exp((μ - ε)/kT))`, without cancellation.
    """
    n_points = len(bands_kb)

    def excess(level: float) -> float:
        return float(expit((level - bands_kb) / smearing).sum()) / n_points - n_electrons

    margin = 60.0 * smearing
    level = float(brentq(excess, bands_kb.min() - margin, bands_kb.max() + margin, xtol=1e-13, rtol=1e-14))
    reduced_kb = (level - bands_kb) / smearing
    grand = -smearing * float(np.logaddexp(0.0, reduced_kb).sum()) / n_points
    return Filling(expit(reduced_kb), level * n_electrons + grand)
