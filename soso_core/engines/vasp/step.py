"""One finished step of the ramp: what VASP said, and where the moments ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.vasp.order import VaspOrder, for_vasp
from soso_core.engines.vasp.oszicar import ConstraintTable
from soso_core.errors import InputError
from soso_core.labels import transverse

ROUNDING = 1.5e-3
"""μB; by how much three decimals of each component and of the length can move a component of a moment."""

PRINTED_LAMBDA = 6e-3
"""Relative; lambda is printed with three digits, of which half a unit is at most 5e-3."""


@dataclass(frozen=True, eq=False)
class VaspStep:
    """A configuration as it was asked for, and what VASP said of it; arrays of VASP are in VASP's order.

    `free_energy`, eV, is VASP's, energy of the constraint included.  `lambda_` is the strength asked for, eV/μB².

    Raises InputError when the table is of another cell, strength or set of constrained atoms.
    """

    target: Configuration
    lambda_: float
    free_energy: float
    table: ConstraintTable

    def __post_init__(self) -> None:
        arranged, _ = self._arranged
        if len(self.table) != len(arranged):
            raise InputError(f"OSZICAR has {len(self.table)} ions, the configuration {len(arranged)} atoms")
        if np.any(self.table.is_constrained_a != arranged.is_magnetic_a):
            raise InputError("OSZICAR lists other constrained ions than the configuration has spins")
        if abs(self.table.lambda_ - self.lambda_) > PRINTED_LAMBDA * self.lambda_:
            raise InputError(f"OSZICAR has lambda {self.table.lambda_:g}, asked for was {self.lambda_:g}")

    @cached_property
    def _arranged(self) -> tuple[Configuration, VaspOrder]:
        return for_vasp(self.target)

    @cached_property
    def energy(self) -> float:
        """Free energy of the cell without that of the constraint, eV."""
        return self.free_energy - self.table.penalty_energy

    @cached_property
    def moment_magnitudes_a(self) -> FloatArray:
        """(a,) lengths |MW_int|, μB, in our order; zero for an atom without spin."""
        lengths_a = self._ours(np.linalg.norm(self.table.moments_mw_ac, axis=1))
        return np.where(self.target.is_magnetic_a, lengths_a, 0.0)

    @cached_property
    def printed_fields_ac(self) -> FloatArray:
        """(a, 3) the printed field, eV/μB up to its factor, in our order."""
        return self._ours(self.table.constraint_fields_ac)

    @cached_property
    def spins_ac(self) -> FloatArray:
        """(a, 3) unit vectors along which the moments ended; an atom whose moment vanished keeps its target."""
        return achieved_spins(
            self.target.spins_ac, self._ours(self.table.moments_mw_ac), self.printed_fields_ac / self.lambda_
        )

    @cached_property
    def printed_gradient_ac(self) -> FloatArray:
        """(a, 3) `|MW_int|` times the printed field across the achieved direction: -∂E/∂e up to its factor, eV."""
        return transverse(self.printed_fields_ac * self.moment_magnitudes_a[:, None], self.spins_ac)

    @cached_property
    def angles_a(self) -> FloatArray:
        """(a,) angle in degrees between achieved and wanted direction; zero without a spin."""
        cosine_a = np.sum(self.spins_ac * self.target.spins_ac, axis=1)
        sine_a = np.linalg.norm(np.cross(self.spins_ac, self.target.spins_ac), axis=1)
        return np.where(self.target.is_magnetic_a, np.degrees(np.arctan2(sine_a, cosine_a)), 0.0)

    @property
    def angle_degree(self) -> float:
        """The largest of those angles."""
        return float(np.max(self.angles_a))

    @property
    def penalty_meV_per_atom(self) -> float:
        """Energy of the constraint."""
        return 1e3 * abs(self.table.penalty_energy) / len(self.target)

    def _ours(self, values_a: FloatArray) -> FloatArray:
        return self._arranged[1].from_vasp(values_a)


def achieved_spins(targets_ac: FloatArray, moments_ac: FloatArray, across_ac: FloatArray) -> FloatArray:
    """Return the directions (a, 3) of `moments_ac`, which carry three decimals.

    `across_ac` is the part of each moment across its target with five digits, as the table of fields gives it.
    Where target and that part add up to the moment, they are the better direction.
    """
    along_a = np.sqrt(np.maximum(np.sum(moments_ac**2, axis=1) - np.sum(across_ac**2, axis=1), 0.0))
    side_a = np.where(np.sum(moments_ac * targets_ac, axis=1) < 0.0, -1.0, 1.0)
    fine_ac = (side_a * along_a)[:, None] * targets_ac + across_ac
    agrees_a = np.all(np.abs(fine_ac - moments_ac) <= ROUNDING, axis=1)
    vectors_ac = np.where(agrees_a[:, None], fine_ac, moments_ac)
    lengths_a = np.linalg.norm(vectors_ac, axis=1)
    has_length_a = (lengths_a > 0.0) & np.any(targets_ac != 0.0, axis=1)
    units_ac = vectors_ac / np.where(lengths_a > 0.0, lengths_a, 1.0)[:, None]
    return np.where(has_length_a[:, None], units_ac, targets_ac)


def energy_change(steps: Sequence[VaspStep], field_scale: float | None) -> float | None:
    """Return by how much the energy of the last two steps differs, eV; None for a single step.

    With a known factor of the field, what the turn of the moments from one to the other explains is taken off.
    """
    if len(steps) < 2:
        return None
    before, last = steps[-2:]
    explained = 0.0
    if field_scale is not None:
        mean_ac = 0.5 * field_scale * (before.printed_gradient_ac + last.printed_gradient_ac)
        explained = -float(np.sum(mean_ac * (last.spins_ac - before.spins_ac)))
    return abs(last.energy - before.energy - explained)


def field_change(steps: Sequence[VaspStep], field_scale: float | None) -> float | None:
    """Return the rms difference per component of -∂E/∂e in the last two steps, eV; None for a single step."""
    if len(steps) < 2:
        return None
    difference_ac = steps[-1].printed_gradient_ac - steps[-2].printed_gradient_ac
    magnetic_ac = difference_ac[steps[-1].target.is_magnetic_a]
    return float((field_scale or 1.0) * np.sqrt(np.mean(magnetic_ac**2)))
