"""Fields and forces of any engine against finite differences of its energies.

Along a path from label 1 to label n the energy changes by

    E_n - E_1 = -∫ Σ_i B_i·de_i - ∫ Σ_i F_i·dr_i

which holds for an engine whose fields and forces are derivatives of its energies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from scipy.spatial.transform import Rotation

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration

Labeller = Callable[[Configuration], LabelledConfiguration]

Value = TypeVar("Value")

MIN_SLOPE = 1e-3
"""eV per radian, or eV/Å: below, the difference of two energies is mostly the noise of the self-consistency."""


@dataclass(frozen=True)
class PathComparison:
    """The change of the energy along a path, eV: from fields and forces, and as the difference of the energies."""

    predicted: float
    computed: float

    @property
    def ratio(self) -> float:
        """Field (or force) over finite difference; 1 when the engine is consistent."""
        return self.predicted / self.computed


@dataclass(frozen=True, eq=False)
class SlopeCheck(PathComparison):
    """The comparison along a line of three labels.

    atom: the one that was tilted or displaced; slope: of the middle label along the line, eV per radian or eV/Å.
    """

    atom: int
    slope: float
    labels: tuple[LabelledConfiguration, LabelledConfiguration, LabelledConfiguration]


def check_field(
    label: Labeller, middle: LabelledConfiguration, configuration: Configuration, angle: float, atom: int | None = None
) -> SlopeCheck:
    """Tilt one spin by plus and minus an angle along its field, label both, and compare field and energies.

    Parameters
    ----------
    label : (configuration) -> label
    middle : the label of `configuration` itself
    angle : rad
    atom : the one whose spin is tilted; by default the one with the largest effective field

    Raises InputError when the label has no fields, or a field too small for a comparison.
    """
    field_ac = _require(middle.effective_fields_ac, "exchange fields")
    chosen, slope = _choose_atom(field_ac, atom, "field of", "eV")
    axis_c = np.cross(configuration.spins_ac[chosen], field_ac[chosen])
    ends = [label(rotate_spin(configuration, chosen, axis_c, sign * angle)) for sign in (-1.0, 1.0)]
    return _compare_line(chosen, slope, (ends[0], middle, ends[1]))


def check_force(
    label: Labeller, middle: LabelledConfiguration, configuration: Configuration, shift: float, atom: int | None = None
) -> SlopeCheck:
    """Displace one atom by plus and minus `shift` (Å) along its force, label both, and compare force and energies.

    Arguments and errors are those of `check_field`.
    """
    force_ac = _require(middle.forces_ac, "forces")
    chosen, slope = _choose_atom(force_ac, atom, "force on", "eV/Å")
    shift_ac = np.zeros_like(force_ac)
    shift_ac[chosen] = shift * force_ac[chosen] / slope
    ends = [label(configuration.with_positions(configuration.positions_ac + sign * shift_ac)) for sign in (-1.0, 1.0)]
    return _compare_line(chosen, slope, (ends[0], middle, ends[1]))


def compare_path(labels: Sequence[LabelledConfiguration]) -> PathComparison:
    """Compare fields and energies along the *achieved* directions and positions of two or three labels.

    Between two labels the trapezoidal rule holds.  With a third label in the middle, the direct way from the first to
    the last cancels the error of that rule (Richardson), which is Simpson's rule.  Raises InputError without energies.
    """
    energies = [_require(item.energy, "energy") for item in (labels[0], labels[-1])]
    halves = [_integrate_labels(start, end) for start, end in pairwise(labels)]
    predicted = sum(halves)
    if len(labels) == 3:
        predicted = (4.0 * predicted - _integrate_labels(labels[0], labels[2])) / 3.0
    return PathComparison(predicted, energies[1] - energies[0])


def integrate_fields(
    starts_ac: FloatArray, start_fields_ac: FloatArray, ends_ac: FloatArray, end_fields_ac: FloatArray
) -> float:
    """Return `-∫ Σ B·de` (eV) along great circles from `starts_ac` to `ends_ac` by the trapezoidal rule.

    Directions are (a, 3) unit vectors, or zero; the effective fields at both ends are (a, 3) in eV.
    """
    cosine_a = np.sum(starts_ac * ends_ac, axis=1, keepdims=True)
    sine_a = np.linalg.norm(np.cross(starts_ac, ends_ac), axis=1, keepdims=True)
    # arc over chord's tangent part; 1 for a spin that stays
    arc_a = np.where(sine_a > 0.0, np.arctan2(sine_a, cosine_a) / np.where(sine_a > 0.0, sine_a, 1.0), 1.0)
    leaving_ac, arriving_ac = ends_ac - cosine_a * starts_ac, cosine_a * ends_ac - starts_ac
    return -0.5 * float(np.sum(arc_a * (start_fields_ac * leaving_ac + end_fields_ac * arriving_ac)))


def rotate_spin(configuration: Configuration, atom: int, axis_c: FloatArray, angle: float) -> Configuration:
    """Return the configuration with one spin rotated by `angle` (rad) about an axis of any length."""
    spins_ac = configuration.spins_ac.copy()
    spins_ac[atom] = Rotation.from_rotvec(angle * axis_c / np.linalg.norm(axis_c)).apply(spins_ac[atom])
    return configuration.with_spins(spins_ac)


def _integrate_labels(start: LabelledConfiguration, end: LabelledConfiguration) -> float:
    """Return the change of the energy (eV) by fields and forces from one label to another."""
    first, last = start.configuration, end.configuration
    moved_ac = last.positions_ac - first.positions_ac
    fields = [_or_zero(item.effective_fields_ac, moved_ac) for item in (start, end)]
    forces_ac = _or_zero(start.forces_ac, moved_ac) + _or_zero(end.forces_ac, moved_ac)
    change = integrate_fields(first.spins_ac, fields[0], last.spins_ac, fields[1])
    return change - 0.5 * float(np.sum(forces_ac * moved_ac))


def _compare_line(
    atom: int, slope: float, labels: tuple[LabelledConfiguration, LabelledConfiguration, LabelledConfiguration]
) -> SlopeCheck:
    path = compare_path(labels)
    return SlopeCheck(path.predicted, path.computed, atom, slope, labels)


def _choose_atom(vectors_ac: FloatArray, atom: int | None, quantity: str, unit: str) -> tuple[int, float]:
    """Return the atom, by default the one with the longest vector, and the length of its vector."""
    slopes_a = np.linalg.norm(vectors_ac, axis=1)
    atom = int(slopes_a.argmax()) if atom is None else atom
    if not 0 <= atom < len(vectors_ac):
        raise InputError(f"there is no atom {atom}; atoms are counted from 0 to {len(vectors_ac) - 1}")
    if slopes_a[atom] < MIN_SLOPE:
        size = f"{slopes_a[atom]:.1e} {unit}"
        raise InputError(f"the {quantity} atom {atom} is {size}: too small to compare with a difference of energies")
    return atom, float(slopes_a[atom])


def _require(value: Value | None, quantity: str) -> Value:
    if value is None:
        raise InputError(f"the engine's label has no {quantity}")
    return value


def _or_zero(values_ac: FloatArray | None, like_ac: FloatArray) -> FloatArray:
    return np.zeros_like(like_ac) if values_ac is None else values_ac
