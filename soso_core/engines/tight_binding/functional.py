"""The energy of a guess of moments, charges and Lagrange fields, and its residual in self-consistency.

On site i the Hamiltonian is `ε_i + U (n_i - n_0) - (I m_i / 2 e_i + b_i)·σ`, where the field b_i is perpendicular to
e_i and, at self-consistency, such that the moment has no component across e_i.
"""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.engines.tight_binding.crystal import ComplexArray, Crystal
from soso_core.engines.tight_binding.density import site_densities
from soso_core.engines.tight_binding.occupations import Filling, fill_bands
from soso_core.labels import transverse


@dataclass(frozen=True, eq=False)
class Unknowns:
    """Iterated quantities: moments along the spins (a,) μB, electrons (a,), Lagrange fields (a, 3) eV across them."""

    moment_magnitudes_a: FloatArray
    electrons_a: FloatArray
    constraint_fields_ac: FloatArray

    @property
    def columns_au(self) -> FloatArray:
        """The unknowns side by side, (a, 5)."""
        return np.column_stack([self.moment_magnitudes_a, self.electrons_a, self.constraint_fields_ac])

    @classmethod
    def from_columns(cls, columns_au: FloatArray, spins_ac: FloatArray) -> "Unknowns":
        """Return the unknowns in `columns_au` without fields along the spins."""
        return cls(columns_au[:, 0], columns_au[:, 1], transverse(columns_au[:, 2:], spins_ac))


@dataclass(frozen=True, eq=False)
class Solution:
    """The bands of one guess, its energy (eV) by the stationary functional, and its residual.

    `residual_au` (a, 5) is output minus input: moments along the spins (μB), charges (e), and minus the moments across
    the spins.  `energy_change`: eV, from the previous guess; None for the first.
    """

    unknowns: Unknowns
    bands_kb: FloatArray
    states_kxb: ComplexArray
    filling: Filling
    energy: float
    residual_au: FloatArray
    iterations: int = 1
    energy_change: float | None = None

    @property
    def angle(self) -> float:
        """Largest angle between a moment and its spin, rad."""
        across_a = np.linalg.norm(self.residual_au[:, 2:], axis=1)
        angles_a = np.arctan2(across_a, np.abs(self.unknowns.moment_magnitudes_a))
        return float(np.max(angles_a[across_a > 0.0], initial=0.0))

    @property
    def residual(self) -> float:
        """Largest entry of `residual_au`."""
        return float(np.abs(self.residual_au).max())


def starting_point(crystal: Crystal) -> Unknowns:
    """Return neutral atoms with the moments of the settings and no Lagrange field."""
    return Unknowns(crystal.initial_a, crystal.electrons_a, np.zeros((len(crystal.configuration), 3)))


def evaluate(crystal: Crystal, hopping_kxx: ComplexArray, unknowns: Unknowns, smearing: float) -> Solution:
    """Diagonalise once for the given guess.

    The energy is the functional that is stationary at self-consistency, so its error is of second order:
    free energy of the bands + I m²/4 - U (n² - n_0²)/2 + pair repulsion.  At the solution it equals the free energy
    of the physical Hamiltonian, since a constraint that is fulfilled contributes nothing.
    """
    bands_kb, states_kxb = np.linalg.eigh(_hamiltonians(crystal, hopping_kxx, unknowns))
    filling = fill_bands(bands_kb, float(crystal.electrons_a.sum()), smearing)
    electrons_a, moments_ac = site_densities(states_kxb, filling.occupations_kb)
    double_counting = 0.25 * crystal.stoner_a * unknowns.moment_magnitudes_a**2
    double_counting -= 0.5 * crystal.penalty_a * (unknowns.electrons_a**2 - crystal.electrons_a**2)
    energy = filling.free_energy + float(double_counting.sum()) + crystal.repulsion
    residual_au = _residual(crystal, unknowns, electrons_a, moments_ac)
    return Solution(unknowns, bands_kb, states_kxb, filling, energy, residual_au)


def _hamiltonians(crystal: Crystal, hopping_kxx: ComplexArray, unknowns: Unknowns) -> ComplexArray:
    """Return (k, 10a, 10a): hoppings for both spins, plus levels and fields on the diagonals of the spin blocks."""
    n_points, half, _ = hopping_kxx.shape
    n_orbitals = half // len(crystal.configuration)
    level_a = crystal.onsite_a + crystal.penalty_a * (unknowns.electrons_a - crystal.electrons_a)
    exchange_ac = 0.5 * (crystal.stoner_a * unknowns.moment_magnitudes_a)[:, None] * crystal.configuration.spins_ac
    field_xc = np.repeat(exchange_ac + unknowns.constraint_fields_ac, n_orbitals, axis=0)
    level_x, diagonal = np.repeat(level_a, n_orbitals), np.arange(half)
    hamiltonian_kxx = np.zeros((n_points, 2 * half, 2 * half), dtype=complex)
    hamiltonian_kxx[:, :half, :half] = hamiltonian_kxx[:, half:, half:] = hopping_kxx
    hamiltonian_kxx[:, diagonal, diagonal] += level_x - field_xc[:, 2]
    hamiltonian_kxx[:, half + diagonal, half + diagonal] += level_x + field_xc[:, 2]
    hamiltonian_kxx[:, half + diagonal, diagonal] = -field_xc[:, 0] - 1j * field_xc[:, 1]
    hamiltonian_kxx[:, diagonal, half + diagonal] = -field_xc[:, 0] + 1j * field_xc[:, 1]
    return hamiltonian_kxx


def _residual(crystal: Crystal, unknowns: Unknowns, electrons_a: FloatArray, moments_ac: FloatArray) -> FloatArray:
    spins_ac = crystal.configuration.spins_ac
    along_a = np.sum(moments_ac * spins_ac, axis=1)
    across_ac = transverse(moments_ac, spins_ac)
    return np.column_stack([along_a - unknowns.moment_magnitudes_a, electrons_a - unknowns.electrons_a, -across_ac])
