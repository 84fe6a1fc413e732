"""From the steps of the ramp to a label with its quality."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.units import GPa

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.vasp.order import for_vasp
from soso_core.engines.vasp.ramp import gates
from soso_core.engines.vasp.settings import VaspSettings
from soso_core.engines.vasp.step import VaspStep
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration
from soso_core.quality import LabelQuality

PRINTED = "as printed"
"""Source of a factor of 1 that stands for none, as long as it is being measured."""

KBAR = 0.1 * GPa
"""eV/Å³."""


@dataclass(frozen=True)
class FieldScale:
    """The factor c in -∂E/∂e = c · |MW_int| · (printed field), and where it comes from."""

    value: float
    source: str

    def __post_init__(self) -> None:
        if not np.isfinite(self.value) or self.value <= 0.0:
            raise InputError(f"field scale is {self.value}; it must be positive")

    @property
    def known(self) -> float | None:
        """The factor, None while it is being measured."""
        return None if self.source == PRINTED else self.value


def quality_of(steps: Sequence[VaspStep], settings: VaspSettings, field_scale: float | None) -> LabelQuality:
    """Return the numbers a label can be judged by, from the steps of its ramp (oldest first)."""
    numbers = {key: value for key, (value, _) in gates(steps, settings, field_scale).items()}
    change, n_atoms = steps[-1].table.scf_change, len(steps[-1].target)
    if change is not None:
        numbers["scf_change_meV_per_atom"] = 1e3 * change / n_atoms
    return LabelQuality(numbers)


def label_of(
    steps: Sequence[VaspStep],
    settings: VaspSettings,
    field_scale: FieldScale,
    forces_ac: FloatArray,
    stress_kbar_cc: FloatArray | None,
) -> LabelledConfiguration:
    """Return the label of a finished ramp, atoms in the order of the configuration that was asked for.

    Energy (without that of the constraint) and field belong to the directions that were achieved, and the
    label has those.  `forces_ac` (eV/Å) and `stress_kbar_cc` are as VASP gives them: its order, its sign.
    """
    last = steps[-1]
    order = for_vasp(last.target)[1]
    return LabelledConfiguration(
        configuration=last.target.with_spins(last.spins_ac),
        energy=last.energy,
        exchange_fields_ac=field_scale.value * last.printed_fields_ac,
        moment_magnitudes_a=last.moment_magnitudes_a,
        forces_ac=order.from_vasp(np.asarray(forces_ac)),
        stress_cc=None if stress_kbar_cc is None else tension_positive(stress_kbar_cc),
        target_spins_ac=last.target.spins_ac,
        info={
            "engine": "vasp",
            "moment_kind": "MW_int",
            "lambda_ev_per_muB2": last.lambda_,
            "constraint_energy_ev": last.table.penalty_energy,
            "field_scale": field_scale.value,
            "field_scale_source": field_scale.source,
            **quality_of(steps, settings, field_scale.known).as_info(),
        },
    )


def tension_positive(stress_kbar_cc: FloatArray) -> FloatArray:
    """Return VASP's stress (kB, pressure positive) in eV/Å³ with tension positive, exactly symmetric."""
    stress_cc = -KBAR * np.asarray(stress_kbar_cc, dtype=float)
    return np.asarray(0.5 * (stress_cc + stress_cc.T))


def wanted(configuration: Configuration) -> FloatArray:
    """Return the directions asked for, (a, 3) in VASP's order."""
    return for_vasp(configuration)[0].spins_ac
