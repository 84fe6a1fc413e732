"""The label and its quality, from the steps of the ramp."""

from collections.abc import Sequence

import numpy as np
from ase.units import GPa

from soso_core.arrays import FloatArray
from soso_core.engines.ramp import RampSettings, RampStep, make_quality
from soso_core.engines.vasp.field_scale import FieldScale
from soso_core.engines.vasp.order import arrange_for_vasp
from soso_core.labels import LabelledConfiguration
from soso_core.voigt import symmetrise

KBAR = 0.1 * GPa
"""eV/Å³."""


def make_label(
    steps: Sequence[RampStep],
    settings: RampSettings,
    field_scale: FieldScale,
    forces_ac: FloatArray,
    stress_kbar_cc: FloatArray | None,
) -> LabelledConfiguration:
    """Return the label of a finished ramp (oldest step first), at the achieved directions.

    `forces_ac` (a, 3), eV/Å, and `stress_kbar_cc` (3, 3), kB, are in VASP's order and with its signs.
    """
    last = steps[-1]
    order = arrange_for_vasp(last.target)[1]
    return LabelledConfiguration(
        configuration=last.target.with_spins(last.spins_ac),
        energy=last.energy,
        exchange_fields_ac=last.exchange_fields_ac,
        moment_magnitudes_a=last.moment_magnitudes_a,
        forces_ac=order.from_vasp(np.asarray(forces_ac)),
        stress_cc=None if stress_kbar_cc is None else tension_positive(stress_kbar_cc),
        target_spins_ac=last.target.spins_ac,
        info={
            "engine": "vasp",
            "moment_kind": "MW_int",
            "lambda_ev_per_muB2": last.lambda_,
            "constraint_energy_ev": last.penalty_energy,
            "field_scale": field_scale.value,
            "field_scale_source": field_scale.source,
            **make_quality(steps, settings).as_info(),
        },
    )


def tension_positive(stress_kbar_cc: FloatArray) -> FloatArray:
    """Return VASP's stress (kB, pressure positive) in eV/Å³ with tension positive, exactly symmetric."""
    return symmetrise(-KBAR * np.asarray(stress_kbar_cc, dtype=float))
