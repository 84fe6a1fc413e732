"""One finished step of the ramp: the numbers that VASP printed, and the directions that the moments achieved."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.moments import achieved_directions, measure_angles, measure_magnitudes
from soso_core.engines.vasp.field_scale import FieldScale
from soso_core.engines.vasp.order import VaspOrder, arrange_for_vasp
from soso_core.engines.vasp.oszicar import ConstraintTable
from soso_core.errors import InputError
from soso_core.labels import transverse

ROUNDING = 1.5e-3
"""μB; error of a component of a moment by three decimals of each component and of the magnitude."""

PRINTED_LAMBDA = 6e-3
"""Relative; lambda is printed with three digits, of which half a unit is at most 5e-3."""


@dataclass(frozen=True, eq=False)
class VaspStep:
    """A requested configuration and VASP's result for it: a `soso_core.engines.ramp.RampStep`.

    Attributes
    ----------
    target : Configuration
        With the requested spins, in our order, as all properties of this class.
    lambda_ : float, eV/μB²
        The requested strength of the constraint.
    free_energy : float, eV
        As VASP gives it, energy of the constraint included.
    table : ConstraintTable
        In VASP's order.
    field_scale : FieldScale
        The factor of the printed field.

    Raises
    ------
    InputError
        The table is of another cell, strength or set of constrained atoms.
    """

    target: Configuration
    lambda_: float
    free_energy: float
    table: ConstraintTable
    field_scale: FieldScale

    def __post_init__(self) -> None:
        arranged, _ = self._arranged
        if len(self.table) != len(arranged):
            raise InputError(f"OSZICAR has {len(self.table)} ions, the configuration {len(arranged)} atoms")
        if np.any(self.table.is_constrained_a != arranged.is_magnetic_a):
            raise InputError("OSZICAR lists other constrained ions than the configuration has spins")
        if abs(self.table.lambda_ - self.lambda_) > PRINTED_LAMBDA * self.lambda_:
            raise InputError(f"OSZICAR has lambda {self.table.lambda_:g}, requested was {self.lambda_:g}")

    @cached_property
    def _arranged(self) -> tuple[Configuration, VaspOrder]:
        return arrange_for_vasp(self.target)

    @cached_property
    def energy(self) -> float:
        """Free energy of the cell without that of the constraint, eV."""
        return self.free_energy - self.table.penalty_energy

    @cached_property
    def moment_magnitudes_a(self) -> FloatArray:
        """(a,) |MW_int|, μB; zero for an atom without spin."""
        return measure_magnitudes(self.target.spins_ac, self._ours(self.table.moments_mw_ac))

    @cached_property
    def printed_fields_ac(self) -> FloatArray:
        """(a, 3) the printed field, eV/μB up to its factor."""
        return self._ours(self.table.constraint_fields_ac)

    @cached_property
    def spins_ac(self) -> FloatArray:
        """(a, 3) unit vectors along the achieved moments; an atom whose moment vanished keeps its target."""
        return refine_directions(
            self.target.spins_ac, self._ours(self.table.moments_mw_ac), self.printed_fields_ac / self.lambda_
        )

    @cached_property
    def effective_fields_ac(self) -> FloatArray:
        """(a, 3) -∂E/∂e, eV: `|MW_int|` times the printed field across the achieved direction, times its factor."""
        scales_a1 = self.field_scale.value * self.moment_magnitudes_a[:, None]
        return transverse(self.printed_fields_ac * scales_a1, self.spins_ac)

    @property
    def has_field_scale(self) -> bool:
        """Whether the factor of the printed field is known."""
        return self.field_scale.is_known

    @cached_property
    def angles_a(self) -> FloatArray:
        """(a,) angles in degrees between achieved and requested directions; zero without a spin."""
        return measure_angles(self.target.spins_ac, self.spins_ac)

    @property
    def penalty_meV_per_atom(self) -> float:
        """Energy of the constraint."""
        return 1e3 * abs(self.table.penalty_energy) / len(self.target)

    def _ours(self, values_a: FloatArray) -> FloatArray:
        return self._arranged[1].from_vasp(values_a)


def refine_directions(targets_ac: FloatArray, moments_ac: FloatArray, across_ac: FloatArray) -> FloatArray:
    """Return the (a, 3) unit vectors along `moments_ac`, which carry three decimals.

    `across_ac` is the part of each moment across its target with five digits, as the table of fields gives it.
    Where target and that part add up to the moment, their sum gives the better direction.
    """
    along_a = np.sqrt(np.maximum(np.sum(moments_ac**2, axis=1) - np.sum(across_ac**2, axis=1), 0.0))
    side_a = np.where(np.sum(moments_ac * targets_ac, axis=1) < 0.0, -1.0, 1.0)
    fine_ac = (side_a * along_a)[:, None] * targets_ac + across_ac
    agrees_a = np.all(np.abs(fine_ac - moments_ac) <= ROUNDING, axis=1)
    vectors_ac = np.where(agrees_a[:, None], fine_ac, moments_ac)
    return achieved_directions(targets_ac, vectors_ac)
