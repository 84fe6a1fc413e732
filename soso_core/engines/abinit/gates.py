"""The conditions under which a run becomes a label, and that label."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.abinit.output_file import AbinitOutput
from soso_core.engines.abinit.pseudopotentials import pseudopotentials_of
from soso_core.engines.abinit.settings import AbinitSettings
from soso_core.engines.moments import achieved_directions, explain_wrong_moments, measure_angles, measure_magnitudes
from soso_core.errors import ConvergenceError
from soso_core.labels import LabelledConfiguration, transverse
from soso_core.quality import LabelQuality

ENGINE_NAME = "abinit"

SAME_ENERGY = 1e-4
"""eV per atom between two attempts that agree."""
SAME_FIELD = 0.005
"""Largest difference of two fields that agree, relative to the largest component: half of the engine's tolerance."""
SMALL_FIELD = 0.001
"""eV; the smallest reference for that relative difference."""


def check_output(configuration: Configuration, output: AbinitOutput, settings: AbinitSettings) -> None:
    """Raise ConvergenceError when the residual is not small, or a moment is not along its spin."""
    if not output.is_converged and not output.residual <= settings.stalled_residual:
        raise ConvergenceError(describe_unconverged(output, settings))
    reason = explain_wrong_moments(
        configuration.spins_ac, output.moments_ac, settings.min_moment_muB, settings.max_angle_degree
    )
    if reason is not None:
        raise ConvergenceError(reason)


def describe_unconverged(output: AbinitOutput, settings: AbinitSettings) -> str:
    """Return the message of a self-consistency that stopped early."""
    return (
        f"ABINIT's self-consistency stopped at a residual of {output.residual:.1e} (tolvrs {settings.tolvrs:g}) "
        f"after {output.iterations} steps"
    )


def agreement(
    configuration: Configuration, first: AbinitOutput, second: AbinitOutput
) -> tuple[AbinitOutput, dict[str, float]]:
    """Return the better of two attempts that stalled at a small residual, and their differences.

    Where the density is nearly unpolarised, the noncollinear gradient functional makes a noise that no mixing removes:
    the residual stays near 1e-4, while energy and fields no longer change.  Two attempts with different mixing that
    reach the same energy and the same fields confirm this.  Raises ConvergenceError when they do not.
    """
    energy_change = abs(first.energy - second.energy) / len(configuration)
    fields = [_gradients(configuration, output) for output in (first, second)]
    changes_ac, largest = fields[1] - fields[0], max(SMALL_FIELD, float(np.abs(fields).max()))
    if energy_change > SAME_ENERGY or float(np.abs(changes_ac).max()) > SAME_FIELD * largest:
        raise ConvergenceError(
            f"two attempts stalled at residuals of {first.residual:.1e} and {second.residual:.1e} and do not agree: "
            f"{1e3 * energy_change:.3g} meV per atom, {1e3 * float(np.abs(changes_ac).max()):.3g} meV in -∂E/∂e"
        )
    change = {
        "energy_change_meV_per_atom": 1e3 * energy_change,
        "field_change_meV": 1e3 * float(np.sqrt(np.mean(changes_ac**2))),
    }
    return min(first, second, key=lambda output: output.residual), change


def _gradients(configuration: Configuration, output: AbinitOutput) -> FloatArray:
    """Return (a, 3) ∂E/∂e across the moments in eV."""
    magnitudes_a = measure_magnitudes(configuration.spins_ac, output.moments_ac)
    return transverse(output.gradients_ac, configuration.spins_ac) * magnitudes_a[:, None]


def make_label(
    configuration: Configuration,
    output: AbinitOutput,
    settings: AbinitSettings,
    change: Mapping[str, float] = MappingProxyType({}),
) -> LabelledConfiguration:
    """Return the label of an accepted run, at the achieved directions.

    `change` holds further numbers of the quality, from `agreement`.
    """
    spins_ac = achieved_directions(configuration.spins_ac, output.moments_ac)
    files = pseudopotentials_of(configuration, settings)
    quality = LabelQuality(
        {
            "angle_degree": float(np.max(measure_angles(configuration.spins_ac, output.moments_ac))),
            "scf_change_meV_per_atom": 1e3 * output.energy_change / len(configuration),
            **change,
        }
    )
    return LabelledConfiguration(
        configuration=configuration.with_spins(spins_ac),
        energy=output.energy,
        exchange_fields_ac=-transverse(output.gradients_ac, spins_ac),
        moment_magnitudes_a=measure_magnitudes(configuration.spins_ac, output.moments_ac),
        forces_ac=output.forces_ac,
        stress_cc=output.stress_cc,
        target_spins_ac=configuration.spins_ac,
        info={
            "engine": ENGINE_NAME,
            "functional": "PBE",
            "energy_kind": "free energy without constraint",
            "moment_kind": f"sphere of {settings.moment_radius_angstrom:g} Å",
            "pseudopotentials": ", ".join(f"{key}: {entry.path.name}" for key, entry in files.items()),
            "scf_residual": output.residual,
            "scf_iterations": output.iterations,
            **quality.as_info(),
        },
    )
