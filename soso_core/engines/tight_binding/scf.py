"""Self-consistency: moment lengths, charges, and the Lagrange fields that hold every moment along its spin.

Anderson mixing settles most cells in 10 to 20 diagonalisations.  Cells whose moments are soft in length, where it
wanders, are taken from the start again by the second-order step of `newton`, which costs more each time but always
leads downhill in the moments: to a stable state, or through zero, and then there is no label for these directions.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.engines.tight_binding.anderson import AndersonMixer
from soso_core.engines.tight_binding.crystal import ComplexArray, Crystal, bloch_hoppings
from soso_core.engines.tight_binding.functional import Solution, Unknowns, evaluate, starting_point
from soso_core.engines.tight_binding.newton import newton_step
from soso_core.engines.tight_binding.response import site_response
from soso_core.engines.tight_binding.settings import TightBindingSettings
from soso_core.errors import ConvergenceError
from soso_core.labels import transverse

SUSCEPTIBILITY = 1.5
"""Typical response of a d shell's charge to its level, 1/eV: mixing divides charge residuals by 1 + U times this."""

MIXING, HISTORY = 0.6, 12

LARGEST_MIXING_STEP = 0.8
"""No moment (μB), charge (e) or field (in units of I/2) changes by more than this in one mixing step."""

LARGEST_NEWTON_STEP = 0.4
"""No moment (μB) changes by more than this in one second-order step."""

Step = Callable[[Solution], Unknowns]


def solve(crystal: Crystal, settings: TightBindingSettings) -> Solution:
    """Return the self-consistent solution.

    Raises ConvergenceError, with the residual reached, when neither mixing nor second-order steps come below
    `settings.tolerance`, or when a moment collapses or turns against its spin.
    """
    hopping_kxx = bloch_hoppings(crystal)
    mixed = _iterate(crystal, settings, hopping_kxx, _mixing(crystal), settings.max_iterations)
    if mixed.residual <= settings.tolerance and _collapsed_atom(crystal, settings, mixed) is None:
        return mixed
    stepped = _iterate(crystal, settings, hopping_kxx, _second_order(crystal, settings), settings.max_newton_iterations)
    solution = replace(stepped, iterations=mixed.iterations + stepped.iterations)
    _check(crystal, settings, solution)
    return solution


def _iterate(
    crystal: Crystal, settings: TightBindingSettings, hopping_kxx: ComplexArray, step: Step, limit: int
) -> Solution:
    """Step from the starting point until self-consistent, collapsed, or out of iterations; return the last state."""
    solution = evaluate(crystal, hopping_kxx, starting_point(crystal), settings.smearing_ev)
    for iteration in range(2, limit + 1):
        if solution.residual <= settings.tolerance or _collapsed_atom(crystal, settings, solution) is not None:
            break
        before, solution = solution, evaluate(crystal, hopping_kxx, step(solution), settings.smearing_ev)
        solution = replace(solution, iterations=iteration, energy_change=solution.energy - before.energy)
    return solution


def _mixing(crystal: Crystal) -> Step:
    mixer = AndersonMixer(MIXING, HISTORY, LARGEST_MIXING_STEP)
    half_stoner_a = 0.5 * crystal.stoner_a[:, None]
    inverse_a = np.divide(1.0, half_stoner_a, out=np.zeros_like(half_stoner_a), where=half_stoner_a > 0.0)

    def step(solution: Solution) -> Unknowns:
        old = solution.unknowns
        # Fields in units of I/2 make all columns of order one; then a moment across the spin is its field's residual.
        packed_au = np.column_stack([old.moments_a, old.electrons_a, old.fields_ac * inverse_a])
        residual_au = solution.lack_au.copy()
        residual_au[:, 1] /= 1.0 + SUSCEPTIBILITY * crystal.penalty_a
        new_au = mixer.next_guess(packed_au, residual_au)
        return _unknowns(crystal, np.column_stack([new_au[:, :2], new_au[:, 2:] * half_stoner_a]))

    return step


def _second_order(crystal: Crystal, settings: TightBindingSettings) -> Step:
    def step(solution: Solution) -> Unknowns:
        old = solution.unknowns
        response_mm = site_response(solution.bands_kb, solution.states_kxb, solution.filling, settings.smearing_ev)
        change_au = newton_step(crystal, response_mm, solution.lack_au, LARGEST_NEWTON_STEP)
        return _unknowns(crystal, np.column_stack([old.moments_a, old.electrons_a, old.fields_ac]) + change_au)

    return step


def _unknowns(crystal: Crystal, values_au: FloatArray) -> Unknowns:
    return Unknowns(values_au[:, 0], values_au[:, 1], transverse(values_au[:, 2:], crystal.configuration.spins_ac))


def _collapsed_atom(crystal: Crystal, settings: TightBindingSettings, solution: Solution) -> int | None:
    is_short_a = solution.unknowns.moments_a < settings.minimum_moment_ub
    short = np.flatnonzero(crystal.configuration.is_magnetic_a & is_short_a)
    return int(short[0]) if len(short) else None


def _check(crystal: Crystal, settings: TightBindingSettings, solution: Solution) -> None:
    atom = _collapsed_atom(crystal, settings, solution)
    if atom is not None:
        raise ConvergenceError(
            f"the moment of atom {atom} collapsed or turned against its spin (residual {solution.residual:.1e} after "
            f"{solution.iterations} iterations): no stable state with these directions was found"
        )
    if solution.residual > settings.tolerance:
        raise ConvergenceError(
            f"tight-binding self-consistency stopped at a residual of {solution.residual:.1e} "
            f"(wanted {settings.tolerance:.0e}) after {solution.iterations} iterations"
        )
