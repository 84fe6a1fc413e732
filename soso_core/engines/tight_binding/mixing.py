"""Mixing with the response of the sites: the next guess from the residual of a guess."""

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.engines.tight_binding.anderson import AndersonMixer
from soso_core.engines.tight_binding.crystal import Crystal
from soso_core.engines.tight_binding.functional import Solution, Unknowns
from soso_core.engines.tight_binding.newton import newton_step
from soso_core.engines.tight_binding.response import site_response

HISTORY = 12

LARGEST_STEP = 0.8
"""No moment (μB), charge (e) or field (in units of I/2) changes by more than this in one step of Anderson mixing."""

LARGEST_NEWTON_STEP = 0.4
"""No moment (μB) changes by more than this in one second-order step."""

RISE = 1.5
"""A residual that grows by more than this factor means that the response is outdated."""

GAP_RESPONSE, FAR_CHARGE = 0.8, 0.1
"""Term added to the response of every charge to its level, 1/eV, while a charge residual exceeds the second number (e):
states across a gap respond only once levels meet."""

LEAST_POINTS, SHARE_OF_POINTS = 3, 0.1
"""Number of k-points of the response: at one point it costs as much as three to eight diagonalisations."""

NEGLIGIBLE = 1e-3
"""Pairs of bands that are both filled or both empty to within this are left out of the response of mixing."""


class ResponseMixing:
    """Second-order steps with an earlier response, at a few k-points; Anderson mixing corrects the rest.

    When a step clearly increases the residual, the response is computed again and the history is deleted.  As long
    as the moments are far from convergence, plain second-order steps are made, each with a new response: mixing,
    which only searches a zero of the residual, could converge to the state without moments.
    """

    def __init__(self, crystal: Crystal, smearing: float) -> None:
        self.crystal, self.smearing = crystal, smearing
        # Fields in units of I/2 make all columns of order one.
        unit_a = np.where(crystal.stoner_a > 0.0, 0.5 * crystal.stoner_a, 1.0)
        self._units_au = np.column_stack([np.ones((len(unit_a), 2)), unit_a, unit_a, unit_a])
        self._residual = np.inf
        self._is_far = True
        self._response_mm = np.empty((0, 0))
        self._mixer = AndersonMixer(1.0, HISTORY, LARGEST_STEP)

    def __call__(self, solution: Solution) -> Unknowns:
        """Return the next guess."""
        if self._is_far or solution.residual > RISE * self._residual:
            points = _spread_points(len(solution.bands_kb))
            self._response_mm = _add_gap_response(site_response(solution, self.smearing, points, NEGLIGIBLE), solution)
            self._mixer = AndersonMixer(1.0, HISTORY, LARGEST_STEP)
        self._residual = solution.residual
        change_au = newton_step(self.crystal, self._response_mm, solution.residual_au, LARGEST_NEWTON_STEP)
        self._is_far = bool(np.abs(change_au[:, 0]).max() > 0.99 * LARGEST_NEWTON_STEP)
        spins_ac = self.crystal.configuration.spins_ac
        return Unknowns.from_columns(self._next_columns(solution.unknowns.columns_au, change_au), spins_ac)

    def _next_columns(self, columns_au: FloatArray, change_au: FloatArray) -> FloatArray:
        if self._is_far:
            return columns_au + change_au
        return self._units_au * self._mixer.next_guess(columns_au / self._units_au, change_au / self._units_au)


def second_order_step(crystal: Crystal, solution: Solution, smearing: float) -> Unknowns:
    """Return the next guess by one second-order step with the response at all k-points."""
    response_mm = _add_gap_response(site_response(solution, smearing), solution)
    change_au = newton_step(crystal, response_mm, solution.residual_au, LARGEST_NEWTON_STEP)
    return Unknowns.from_columns(solution.unknowns.columns_au + change_au, crystal.configuration.spins_ac)


def _add_gap_response(response_mm: FloatArray, solution: Solution) -> FloatArray:
    """Return the response with GAP_RESPONSE added while charges are far from self-consistent."""
    charge_residual_a = solution.residual_au[:, 1]
    if np.abs(charge_residual_a).max() < FAR_CHARGE:
        return response_mm
    sites = np.diag(np.arange(len(response_mm)) < len(charge_residual_a))
    return response_mm - GAP_RESPONSE * sites


def _spread_points(n_points: int) -> IntArray:
    count = min(n_points, max(LEAST_POINTS, round(SHARE_OF_POINTS * n_points)))
    return (2 * np.arange(count) + 1) * n_points // (2 * count)
