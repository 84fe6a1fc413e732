"""Attempts at self-consistency in their order, each gentler than the one before.

Every attempt ends at the same smearing.  The free energy falls with the square of the smearing (by some 50 meV per iron
atom from 0.1 to 0.2 eV), so that labels of different smearing would not belong to one energy surface.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from soso_core.engines.gpaw.settings import GpawSettings

PULAY: Mapping[str, Any] = MappingProxyType({"name": "pulay"})
"""GPAW's default parameters: fast where the density converges easily."""

CAUTIOUS: Mapping[str, Any] = MappingProxyType({"name": "msr1", "beta": 0.03, "nmaxold": 12})
"""Converges disordered cells of eight atoms, where Pulay mixing stagnates near a density error of 5e-3."""


@dataclass(frozen=True)
class Attempt:
    """One way of reaching self-consistency.

    name: as in the label and in messages; penalty: eV/μB²; smearings: eV, stages from first to last, each begun
    from the density of the one before; start_magnitudes: μB by species; mixer: as in GPAW's input.
    """

    name: str
    penalty: float
    smearings: tuple[float, ...]
    start_magnitudes: Mapping[str, float]
    max_iterations: int
    mixer: Mapping[str, Any] = field(default_factory=dict)


def plan_attempts(settings: GpawSettings) -> tuple[Attempt, ...]:
    """Return the attempts in their order."""
    soft_moments = {symbol: item.gentle_initial_moment_muB for symbol, item in settings.species.items()}
    moments = {symbol: item.initial_moment_muB for symbol, item in settings.species.items()}
    final, soft = settings.smearing_ev, settings.gentle_penalty_ev_per_muB2
    limit = settings.max_gentle_iterations
    plan = (
        Attempt("normal", settings.penalty_ev_per_muB2, (final,), moments, settings.max_iterations, PULAY),
        Attempt("gentle", soft, (final,), soft_moments, limit, CAUTIOUS),
        Attempt("annealed", soft, (settings.gentle_smearing_ev, final), soft_moments, limit, CAUTIOUS),
    )
    return plan[: settings.max_attempts]
