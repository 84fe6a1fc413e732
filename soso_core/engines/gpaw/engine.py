"""The label of one configuration: attempts, gates, and the label put together."""

import numpy as np

from soso_core.configuration import Configuration
from soso_core.engines.gpaw.attempts import Attempt, plan_attempts
from soso_core.engines.gpaw.run import calculate, check_installed, check_setups
from soso_core.engines.gpaw.settings import GpawSettings
from soso_core.engines.gpaw.state import State, achieved_spins, angles_degree, fields, lengths, penalty_energy, why_not
from soso_core.errors import ConvergenceError, InputError
from soso_core.labels import LabelledConfiguration
from soso_core.neighbours import find_neighbours
from soso_core.quality import LabelQuality
from soso_core.threads import one_blas_thread

ENGINE_NAME = "gpaw"
MOMENT_KIND = "augmentation sphere"


def check(configuration: Configuration, settings: GpawSettings) -> None:
    """Raise InputError when GPAW is not installed, or for a configuration that it or the settings do not cover.

    That is a cell without spins, a magnetic species without a start length, an element without set-up, and atoms closer
    than `min_distance_angstrom`.
    """
    check_installed()
    _check_spins(configuration, settings)
    _check_distances(configuration, settings.min_distance_angstrom)
    check_setups(configuration)


def label(configuration: Configuration, settings: GpawSettings) -> LabelledConfiguration:
    """Return energy, exchange fields, moment lengths and forces of one configuration, at the achieved directions.

    The energy is the free energy of the electrons (eV) without the penalty; the field is `-∂E/∂m_i` in eV/μB.  There is
    no stress: GPAW has none for noncollinear spins.

    Raises
    ------
    InputError
        As `check`.
    ConvergenceError
        No attempt reached self-consistency, or each ended with a moment reversed, collapsed or far from its spin.
    """
    check(configuration, settings)
    reasons = []
    with one_blas_thread():
        for attempt in plan_attempts(settings):
            try:
                state = calculate(configuration, attempt, settings)
            except ConvergenceError as error:
                reasons.append(f"{attempt.name}: {error}")
                continue
            reason = why_not(configuration, state, settings)
            if reason is None:
                return labelled(configuration, state, attempt)
            reasons.append(f"{attempt.name}: {reason}")
    raise ConvergenceError(f"GPAW found no state with these directions ({'; '.join(reasons)})")


def labelled(configuration: Configuration, state: State, attempt: Attempt) -> LabelledConfiguration:
    """Return the label of a state that passed the gates."""
    return LabelledConfiguration(
        configuration=configuration.with_spins(achieved_spins(configuration, state)),
        energy=state.energy,
        exchange_fields_ac=fields(configuration, state, attempt.penalty),
        moment_magnitudes_a=np.where(configuration.is_magnetic_a, lengths(state), 0.0),
        forces_ac=state.forces_ac,
        target_spins_ac=configuration.spins_ac,
        info={
            "engine": ENGINE_NAME,
            "moment_kind": MOMENT_KIND,
            "attempt": attempt.name,
            "penalty_ev_per_muB2": attempt.penalty,
            "scf_iterations": state.iterations,
            **quality(configuration, state, attempt).as_info(),
        },
    )


def quality(configuration: Configuration, state: State, attempt: Attempt) -> LabelQuality:
    """Return the numbers that the grade of the label rests on."""
    meV_per_atom = 1e3 / len(configuration)
    return LabelQuality(
        {
            "angle_degree": float(angles_degree(configuration, state).max()),
            "constraint_energy_meV_per_atom": meV_per_atom * penalty_energy(configuration, state, attempt.penalty),
            "scf_change_meV_per_atom": meV_per_atom * float(np.ptp(state.energies_s)),
        }
    )


def _check_spins(configuration: Configuration, settings: GpawSettings) -> None:
    if not configuration.is_magnetic_a.any():
        raise InputError("no atom has a spin; the gpaw engine labels magnetic configurations")
    for atom in np.flatnonzero(configuration.is_magnetic_a):
        symbol = configuration.symbols[atom]
        if symbol not in settings.species:
            known = ", ".join(settings.species)
            raise InputError(f"atom {atom} is {symbol} with a spin; `species` has start lengths for {known} only")


def _check_distances(configuration: Configuration, minimum: float) -> None:
    near = find_neighbours(configuration, minimum)
    if len(near):
        pair = int(near.distances_p.argmin())
        raise InputError(
            f"{near.words(pair)} are {near.distances_p[pair]:.3g} Å apart; "
            f"the gpaw engine accepts {minimum:g} Å and more"
        )
