"""One finished step of the ramp, from the numbers that VASP printed."""

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.moments import achieved_directions, measure_magnitudes
from soso_core.engines.ramp import RampStep
from soso_core.engines.vasp.field_scale import FieldScale
from soso_core.engines.vasp.order import arrange_for_vasp
from soso_core.engines.vasp.oszicar import ConstraintTable
from soso_core.errors import InputError

ROUNDING = 1.5e-3
"""μB.  Largest rounding error of a component: VASP prints three decimals."""

PRINTED_LAMBDA = 6e-3
"""Relative; lambda is printed with three digits, of which half a unit is at most 5e-3."""


def read_step(
    target: Configuration, lambda_: float, free_energy: float, table: ConstraintTable, field_scale: FieldScale
) -> RampStep:
    """Return one step of a ramp, in the order of atoms of `target`, which has the requested spins.

    `lambda_` is the requested strength (eV/μB²).  `free_energy` (eV) includes the energy of the constraint.  `table` is
    in VASP's order, and `field_scale` the factor of its field.

    Raises InputError when the table is of another cell, strength or set of constrained atoms.
    """
    arranged, order = arrange_for_vasp(target)
    if len(table) != len(arranged):
        raise InputError(f"OSZICAR has {len(table)} ions, the configuration {len(arranged)} atoms")
    if np.any(table.is_constrained_a != arranged.is_magnetic_a):
        raise InputError("OSZICAR lists other constrained ions than the configuration has spins")
    if abs(table.lambda_ - lambda_) > PRINTED_LAMBDA * lambda_:
        raise InputError(f"OSZICAR has lambda {table.lambda_:g}, requested was {lambda_:g}")
    moments_ac, printed_ac = order.from_vasp(table.moments_mw_ac), order.from_vasp(table.constraint_fields_ac)
    return RampStep(
        target=target,
        lambda_=lambda_,
        energy=free_energy - table.penalty_energy,
        penalty_energy=table.penalty_energy,
        spins_ac=refine_directions(target.spins_ac, moments_ac, printed_ac / lambda_),
        moment_magnitudes_a=measure_magnitudes(target.spins_ac, moments_ac),
        exchange_fields_ac=field_scale.value * printed_ac,
        has_field_scale=field_scale.is_known,
        scf_change=table.scf_change,
    )


def refine_directions(targets_ac: FloatArray, moments_ac: FloatArray, across_ac: FloatArray) -> FloatArray:
    """Return the (a, 3) unit vectors along `moments_ac`, which carry three decimals.

    `across_ac` is the part of each moment perpendicular to its target, with five digits, from the table of fields.
    Where target and that part add up to the moment, their sum gives the better direction.
    """
    along_a = np.sqrt(np.maximum(np.sum(moments_ac**2, axis=1) - np.sum(across_ac**2, axis=1), 0.0))
    side_a = np.where(np.sum(moments_ac * targets_ac, axis=1) < 0.0, -1.0, 1.0)
    fine_ac = (side_a * along_a)[:, None] * targets_ac + across_ac
    agrees_a = np.all(np.abs(fine_ac - moments_ac) <= ROUNDING, axis=1)
    return achieved_directions(targets_ac, np.where(agrees_a[:, None], fine_ac, moments_ac))
