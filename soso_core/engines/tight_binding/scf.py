"""Self-consistency of moment lengths, charges and the Lagrange fields that hold every moment along its spin.

On site i the Hamiltonian is `ε_i + U (n_i - n_0) - (I m_i / 2 e_i + b_i)·σ`, where b_i is perpendicular to e_i and
such that the moment has no part across e_i.  A guess (m, n, b) gives out-moments and out-charges; the residuals are

    m_out - m,    (n_out - n) / (1 + U χ),    -(I/2) m_out across e_i

the last one for b: it asks for the field that the transverse moment itself would not make.
"""

from dataclasses import dataclass, replace

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.engines.tight_binding.anderson import AndersonMixer
from soso_core.engines.tight_binding.crystal import ComplexArray, Crystal, bloch_hoppings
from soso_core.engines.tight_binding.density import site_densities
from soso_core.engines.tight_binding.occupations import Filling, fill_bands
from soso_core.engines.tight_binding.settings import TightBindingSettings
from soso_core.errors import ConvergenceError
from soso_core.labels import transverse

SUSCEPTIBILITY = 1.5
"""Typical response of a d shell's charge to its level, 1/eV: the charge residual is divided by 1 + U times this."""

LARGEST_STEP = 0.8
"""No moment (μB), charge (e) or field (in units of I/2) changes by more than this in one iteration."""

SMEARING_LADDER = (4.0, 2.0, 1.0)
"""Multiples of the smearing through which a stubborn cell is cooled."""


@dataclass(frozen=True, eq=False)
class Unknowns:
    """What is iterated: moments along the spins (a,) μB, electrons (a,), Lagrange fields (a, 3) eV across the spins."""

    moments_a: FloatArray
    electrons_a: FloatArray
    fields_ac: FloatArray

    def packed(self, crystal: Crystal) -> FloatArray:
        """Return (a, 5): moment, electrons, and the field in units of I/2, so that all are of order one."""
        fields_ac = self.fields_ac * _inverse_half_stoner(crystal)[:, None]
        return np.column_stack([self.moments_a, self.electrons_a, fields_ac])


@dataclass(frozen=True, eq=False)
class Solution:
    """The bands of one guess; self-consistent when `residual` (largest of moments in μB and charges in e) is small."""

    unknowns: Unknowns
    states_kxb: ComplexArray
    filling: Filling
    moments_out_ac: FloatArray
    electrons_out_a: FloatArray
    energy: float
    residual: float
    iterations: int


@dataclass(frozen=True)
class Attempt:
    """How hard to push: mixing factor, history length, and smearing in units of the wanted one."""

    beta: float
    history: int
    smearings: tuple[float, ...] = (1.0,)


ATTEMPTS = (Attempt(0.6, 12), Attempt(0.25, 24), Attempt(0.25, 24, SMEARING_LADDER))


def solve(crystal: Crystal, settings: TightBindingSettings) -> Solution:
    """Return the self-consistent solution.

    Raises ConvergenceError, with the smallest residual reached, when no attempt comes below `settings.tolerance`,
    or when a moment has collapsed or turned against its spin.
    """
    hopping_kxx = bloch_hoppings(crystal)
    spent, best = 0, np.inf
    for attempt in ATTEMPTS:
        unknowns = starting_point(crystal)
        for factor in attempt.smearings:
            solution = _iterate(crystal, settings, hopping_kxx, unknowns, attempt, factor)
            spent += solution.iterations
            unknowns = solution.unknowns
        best = min(best, solution.residual)
        if solution.residual <= settings.tolerance:
            _check_moments(crystal, settings, solution)
            return replace(solution, iterations=spent)
    raise ConvergenceError(
        f"tight-binding self-consistency stopped at a residual of {best:.2e} (wanted {settings.tolerance:.0e}) "
        f"after {spent} iterations in {len(ATTEMPTS)} attempts"
    )


def starting_point(crystal: Crystal) -> Unknowns:
    """Return neutral atoms with the moments of the settings and no Lagrange field."""
    return Unknowns(crystal.initial_a, crystal.electrons_a, np.zeros((len(crystal.configuration), 3)))


def evaluate(crystal: Crystal, hopping_kxx: ComplexArray, unknowns: Unknowns, smearing: float) -> Solution:
    """Diagonalise once for the given guess.

    The energy is the functional that is stationary at self-consistency, so its error is of second order:
    free energy of the bands + I m²/4 - U (n² - n_0²)/2 + pair repulsion.  At the solution it equals the free energy
    of the physical Hamiltonian; the constraint, being met, contributes nothing.
    """
    bands_kb, states_kxb = np.linalg.eigh(_hamiltonians(crystal, hopping_kxx, unknowns))
    filling = fill_bands(bands_kb, float(crystal.electrons_a.sum()), smearing)
    electrons_a, moments_ac = site_densities(states_kxb, filling.occupations_kb)
    double_counting = 0.25 * crystal.stoner_a * unknowns.moments_a**2
    double_counting -= 0.5 * crystal.penalty_a * (unknowns.electrons_a**2 - crystal.electrons_a**2)
    energy = filling.free_energy + float(double_counting.sum()) + crystal.repulsion
    residual = float(np.abs(_raw_residual(crystal, unknowns, electrons_a, moments_ac)).max())
    return Solution(unknowns, states_kxb, filling, moments_ac, electrons_a, energy, residual, 1)


def _iterate(
    crystal: Crystal,
    settings: TightBindingSettings,
    hopping_kxx: ComplexArray,
    start: Unknowns,
    attempt: Attempt,
    smearing_factor: float,
) -> Solution:
    smearing = smearing_factor * settings.smearing_ev
    mixer = AndersonMixer(attempt.beta, attempt.history, LARGEST_STEP)
    unknowns = start
    for iteration in range(1, settings.max_iterations + 1):
        solution = replace(evaluate(crystal, hopping_kxx, unknowns, smearing), iterations=iteration)
        if solution.residual <= settings.tolerance:
            break
        residual_au = _raw_residual(crystal, unknowns, solution.electrons_out_a, solution.moments_out_ac)
        residual_au[:, 1] /= 1.0 + SUSCEPTIBILITY * crystal.penalty_a
        unknowns = _unpacked(crystal, mixer.next_guess(unknowns.packed(crystal), residual_au))
    return solution


def _hamiltonians(crystal: Crystal, hopping_kxx: ComplexArray, unknowns: Unknowns) -> ComplexArray:
    """Return (k, 10a, 10a): hoppings for both spins, plus levels and fields on the diagonals of the spin blocks."""
    n_points, half, _ = hopping_kxx.shape
    n_orbitals = half // len(crystal.configuration)
    level_a = crystal.onsite_a + crystal.penalty_a * (unknowns.electrons_a - crystal.electrons_a)
    exchange_ac = 0.5 * (crystal.stoner_a * unknowns.moments_a)[:, None] * crystal.configuration.spins_ac
    field_xc = np.repeat(exchange_ac + unknowns.fields_ac, n_orbitals, axis=0)
    level_x, diagonal = np.repeat(level_a, n_orbitals), np.arange(half)
    hamiltonian_kxx = np.zeros((n_points, 2 * half, 2 * half), dtype=complex)
    hamiltonian_kxx[:, :half, :half] = hamiltonian_kxx[:, half:, half:] = hopping_kxx
    hamiltonian_kxx[:, diagonal, diagonal] += level_x - field_xc[:, 2]
    hamiltonian_kxx[:, half + diagonal, half + diagonal] += level_x + field_xc[:, 2]
    hamiltonian_kxx[:, half + diagonal, diagonal] = -field_xc[:, 0] - 1j * field_xc[:, 1]
    hamiltonian_kxx[:, diagonal, half + diagonal] = -field_xc[:, 0] + 1j * field_xc[:, 1]
    return hamiltonian_kxx


def _raw_residual(crystal: Crystal, unknowns: Unknowns, electrons_a: FloatArray, moments_ac: FloatArray) -> FloatArray:
    """Return (a, 5): what self-consistency lacks, in μB, e and μB."""
    spins_ac = crystal.configuration.spins_ac
    along_a = np.sum(moments_ac * spins_ac, axis=1)
    across_ac = transverse(moments_ac, spins_ac)
    return np.column_stack([along_a - unknowns.moments_a, electrons_a - unknowns.electrons_a, -across_ac])


def _unpacked(crystal: Crystal, packed_au: FloatArray) -> Unknowns:
    fields_ac = 0.5 * crystal.stoner_a[:, None] * packed_au[:, 2:]
    return Unknowns(packed_au[:, 0], packed_au[:, 1], transverse(fields_ac, crystal.configuration.spins_ac))


def _inverse_half_stoner(crystal: Crystal) -> FloatArray:
    return np.where(crystal.stoner_a > 0.0, 2.0 / np.where(crystal.stoner_a > 0.0, crystal.stoner_a, 1.0), 0.0)


def _check_moments(crystal: Crystal, settings: TightBindingSettings, solution: Solution) -> None:
    moments_a = solution.unknowns.moments_a
    bad = np.flatnonzero(crystal.configuration.is_magnetic_a & (moments_a < settings.minimum_moment_ub))
    if len(bad):
        atom = int(bad[0])
        fate = "turned against its spin" if moments_a[atom] < 0.0 else "collapsed"
        raise ConvergenceError(
            f"the moment of atom {atom} has {fate}: {moments_a[atom]:.3g} μB along the spin "
            f"(residual {solution.residual:.1e}); no label for such a state"
        )
