"""Self-consistency: moment magnitudes, charges, and the Lagrange fields that hold every moment along its spin.

The residual of a guess gives a step by the response of the sites at a few k-points, which Anderson mixing corrects
(`mixing`): most cells converge in 5 to 9 diagonalisations.  Where that fails, as with soft moment magnitudes, the cell
starts again with second-order steps and the complete response.  They cost more, but always lower the energy in the
moments: to a stable state, or through zero, and then these directions have no label.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from soso_core.engines.tight_binding.crystal import ComplexArray, Crystal, bloch_hoppings
from soso_core.engines.tight_binding.functional import Solution, Unknowns, evaluate, starting_point
from soso_core.engines.tight_binding.mixing import ResponseMixing, second_order_step
from soso_core.engines.tight_binding.settings import TightBindingSettings
from soso_core.errors import ConvergenceError

Step = Callable[[Solution], Unknowns]


def solve(crystal: Crystal, settings: TightBindingSettings) -> Solution:
    """Return the self-consistent solution.

    Raises ConvergenceError, with the residual reached, when neither mixing nor second-order steps reach
    `settings.tolerance`, or when a moment collapses or reverses.
    """
    hopping_kxx = bloch_hoppings(crystal)
    mixing = ResponseMixing(crystal, settings.smearing_ev)
    mixed = _iterate(crystal, settings, hopping_kxx, mixing, settings.max_iterations)
    if mixed.residual <= settings.tolerance and _find_collapsed_atom(crystal, settings, mixed) is None:
        return mixed
    newton = partial(second_order_step, crystal, smearing=settings.smearing_ev)
    stepped = _iterate(crystal, settings, hopping_kxx, newton, settings.max_newton_iterations)
    solution = replace(stepped, iterations=mixed.iterations + stepped.iterations)
    atom = _find_collapsed_atom(crystal, settings, solution)
    if atom is not None:
        raise ConvergenceError(
            f"the moment of atom {atom} collapsed or reversed (residual {solution.residual:.1e} after "
            f"{solution.iterations} iterations): no stable state with these directions was found"
        )
    if solution.residual > settings.tolerance:
        raise ConvergenceError(
            f"tight-binding self-consistency stopped at a residual of {solution.residual:.1e} "
            f"(tolerance {settings.tolerance:.0e}) after {solution.iterations} iterations"
        )
    return solution


def _iterate(
    crystal: Crystal, settings: TightBindingSettings, hopping_kxx: ComplexArray, step: Step, limit: int
) -> Solution:
    """Step from the starting point until self-consistent, collapsed, or out of iterations; return the last state."""
    solution = evaluate(crystal, hopping_kxx, starting_point(crystal), settings.smearing_ev)
    for iteration in range(2, limit + 1):
        if solution.residual <= settings.tolerance or _find_collapsed_atom(crystal, settings, solution) is not None:
            break
        before, solution = solution, evaluate(crystal, hopping_kxx, step(solution), settings.smearing_ev)
        solution = replace(solution, iterations=iteration, energy_change=solution.energy - before.energy)
    return solution


def _find_collapsed_atom(crystal: Crystal, settings: TightBindingSettings, solution: Solution) -> int | None:
    is_short_a = solution.unknowns.moment_magnitudes_a < settings.min_moment_muB
    short = np.flatnonzero(crystal.configuration.is_magnetic_a & is_short_a)
    return int(short[0]) if len(short) else None
