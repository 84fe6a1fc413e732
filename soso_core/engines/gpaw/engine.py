"""The label of one configuration: attempts, checks of the moments, and the label itself."""

import numpy as np

from soso_core.configuration import Configuration
from soso_core.engines.checks import check_distances, check_species
from soso_core.engines.gpaw.attempts import Attempt, plan_attempts
from soso_core.engines.gpaw.run import calculate, check_installed, valence_electrons
from soso_core.engines.gpaw.settings import GpawSettings
from soso_core.engines.gpaw.state import State, fields, penalty_energy
from soso_core.engines.moments import achieved_directions, explain_wrong_moments, measure_angles, measure_magnitudes
from soso_core.errors import ConvergenceError, InputError
from soso_core.labels import LabelledConfiguration
from soso_core.neighbours import find_neighbours
from soso_core.quality import LabelQuality
from soso_core.threads import one_blas_thread

ENGINE_NAME = "gpaw"
MOMENT_KIND = "augmentation sphere"


def check(configuration: Configuration, settings: GpawSettings) -> None:
    """Raise InputError when GPAW is not installed, or for a configuration that it or the settings do not support.

    That is a cell without spins, a magnetic species without a start moment, an element without set-up, and atoms closer
    than `min_distance_angstrom`.
    """
    check_installed()
    if not configuration.is_magnetic_a.any():
        raise InputError("no atom has a spin; the gpaw engine labels magnetic configurations")
    check_species(configuration, settings.species, configuration.is_magnetic_a)
    check_distances(find_neighbours(configuration, settings.min_distance_angstrom), settings.min_distance_angstrom)
    valence_electrons(configuration)


def label(configuration: Configuration, settings: GpawSettings) -> LabelledConfiguration:
    """Return energy, exchange fields, moment magnitudes and forces of one configuration, at the achieved directions.

    The energy is the free energy of the electrons (eV) without the penalty; the field is `-∂E/∂m_i` in eV/μB.  There is
    no stress: GPAW has none for noncollinear spins.

    Raises InputError as `check`, and ConvergenceError when no attempt reached self-consistency, or each ended with a
    moment reversed, collapsed or far from its spin.
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
            reason = explain_wrong_moments(
                configuration.spins_ac, state.moments_ac, settings.min_moment_muB, settings.max_angle_degree
            )
            if reason is None:
                return make_label(configuration, state, attempt)
            reasons.append(f"{attempt.name}: {reason}")
    raise ConvergenceError(f"GPAW found no state with these directions ({'; '.join(reasons)})")


def make_label(configuration: Configuration, state: State, attempt: Attempt) -> LabelledConfiguration:
    """Return the label of a state whose moments were accepted."""
    return LabelledConfiguration(
        configuration=configuration.with_spins(achieved_directions(configuration.spins_ac, state.moments_ac)),
        energy=state.energy,
        exchange_fields_ac=fields(configuration, state, attempt.penalty),
        moment_magnitudes_a=measure_magnitudes(configuration.spins_ac, state.moments_ac),
        forces_ac=state.forces_ac,
        target_spins_ac=configuration.spins_ac,
        info={
            "engine": ENGINE_NAME,
            "moment_kind": MOMENT_KIND,
            "attempt": attempt.name,
            "penalty_ev_per_muB2": attempt.penalty,
            "scf_iterations": state.iterations,
            **make_quality(configuration, state, attempt).as_info(),
        },
    )


def make_quality(configuration: Configuration, state: State, attempt: Attempt) -> LabelQuality:
    """Return the numbers that determine the grade of the label."""
    meV_per_atom = 1e3 / len(configuration)
    return LabelQuality(
        {
            "angle_degree": float(measure_angles(configuration.spins_ac, state.moments_ac).max()),
            "constraint_energy_meV_per_atom": meV_per_atom * penalty_energy(configuration, state, attempt.penalty),
            "scf_change_meV_per_atom": meV_per_atom * float(np.ptp(state.energies_s)),
        }
    )
