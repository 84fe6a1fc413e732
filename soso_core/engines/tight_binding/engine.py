"""The label of one configuration."""

import numpy as np

from soso_core.configuration import Configuration
from soso_core.engines.tight_binding.crystal import build_crystal, find_neighbours_in_range
from soso_core.engines.tight_binding.forces import forces_and_stress
from soso_core.engines.tight_binding.functional import Solution
from soso_core.engines.tight_binding.scf import solve
from soso_core.engines.tight_binding.settings import TightBindingSettings
from soso_core.labels import LabelledConfiguration
from soso_core.quality import LabelQuality
from soso_core.threads import one_blas_thread

ENGINE_NAME = "tight-binding"


def check(configuration: Configuration, settings: TightBindingSettings) -> None:
    """Raise InputError for a species without parameters, or atoms closer than `min_distance_angstrom`."""
    find_neighbours_in_range(configuration, settings)


def label(configuration: Configuration, settings: TightBindingSettings) -> LabelledConfiguration:
    """Return energy, exchange fields, moment magnitudes, forces and stress of one configuration.

    The energy is the electronic free energy of the cell (eV) with every moment held along its spin, without the
    constraint term.  The exchange field is minus the Lagrange field that holds the moment, `-∂E/∂m_i` in eV/μB.
    An atom with zero spin has no exchange splitting, and moment and field zero in the label.

    Raises InputError as `check`, and ConvergenceError when self-consistency was not reached, or a moment collapsed or
    reversed.
    """
    with one_blas_thread():
        crystal = build_crystal(configuration, settings)
        solution = solve(crystal, settings)
        forces_ac, stress_cc = forces_and_stress(crystal, solution)
    return LabelledConfiguration(
        configuration=configuration,
        energy=solution.energy,
        exchange_fields_ac=-solution.unknowns.constraint_fields_ac,
        moment_magnitudes_a=np.where(configuration.is_magnetic_a, solution.unknowns.moment_magnitudes_a, 0.0),
        forces_ac=forces_ac,
        stress_cc=stress_cc,
        info={
            "engine": ENGINE_NAME,
            "moment_kind": "d-shell projection",
            "scf_residual": solution.residual,
            "scf_iterations": solution.iterations,
            **make_quality(solution).as_info(),
        },
    )


def make_quality(solution: Solution) -> LabelQuality:
    """Return the numbers of the label's quality; Lagrange fields leave no energy of a constraint."""
    numbers = {"angle_degree": float(np.degrees(solution.angle))}
    if solution.energy_change is not None:
        n_atoms = len(solution.unknowns.moment_magnitudes_a)
        numbers["scf_change_meV_per_atom"] = 1e3 * abs(solution.energy_change) / n_atoms
    return LabelQuality(numbers)
