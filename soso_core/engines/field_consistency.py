"""Fields and forces of any engine against finite differences of its energies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.spatial.transform import Rotation

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration

Labeller = Callable[[Configuration], LabelledConfiguration]

Value = TypeVar("Value")

SMALLEST_SLOPE = 1e-3
"""eV per radian, or eV/Å: below, the difference of two energies is mostly the noise of the self-consistency."""


@dataclass(frozen=True, eq=False)
class SlopeCheck:
    """Three labels along a line, and what they say.

    atom: the one that was tilted or moved; slope: of the middle label along the line, eV per radian or eV/Å;
    predicted, computed: change of the energy between the ends in eV, from fields and forces, and from the energies.
    """

    atom: int
    slope: float
    predicted: float
    computed: float
    labels: tuple[LabelledConfiguration, LabelledConfiguration, LabelledConfiguration]

    @property
    def ratio(self) -> float:
        """Field (or force) over finite difference; 1 when the engine is consistent."""
        return self.predicted / self.computed


def check_field(
    label: Labeller, middle: LabelledConfiguration, configuration: Configuration, angle: float, atom: int | None = None
) -> SlopeCheck:
    """Tilt one spin of `configuration` by plus and minus `angle` (radians) along its field, and compare.

    `middle` is the label of `configuration` itself; without `atom` the spin with the largest `-∂E/∂e` is taken.
    Raises InputError when the label has no fields, or a field too small for a comparison.
    """
    slope_ac = _required(middle.effective_fields_ac, "exchange fields")
    chosen = _largest(slope_ac) if atom is None else atom
    slope = _checked_slope(slope_ac, chosen, "field of", "eV")
    axis_c = np.cross(configuration.spins_ac[chosen], slope_ac[chosen])
    axis_c /= np.linalg.norm(axis_c)
    ends = [label(_tilted(configuration, chosen, sign * angle * axis_c)) for sign in (-1.0, 1.0)]
    return _compared(chosen, slope, (ends[0], middle, ends[1]))


def check_force(
    label: Labeller, middle: LabelledConfiguration, configuration: Configuration, shift: float, atom: int | None = None
) -> SlopeCheck:
    """Move one atom of `configuration` by plus and minus `shift` (Å) along its force, and compare.

    Raises InputError when the label has no forces, or a force too small for a comparison.
    """
    force_ac = _required(middle.forces_ac, "forces")
    chosen = _largest(force_ac) if atom is None else atom
    slope = _checked_slope(force_ac, chosen, "force on", "eV/Å")
    shift_ac = np.zeros_like(force_ac)
    shift_ac[chosen] = shift * force_ac[chosen] / slope
    ends = [label(configuration.with_positions(configuration.positions_ac + sign * shift_ac)) for sign in (-1.0, 1.0)]
    return _compared(chosen, slope, (ends[0], middle, ends[1]))


def predicted_change(labels: tuple[LabelledConfiguration, LabelledConfiguration, LabelledConfiguration]) -> float:
    """Return the change of the energy (eV) from the first to the last label, from fields and forces of all three.

    Simpson's rule along the great circle of every *achieved* direction and the straight line of every atom.
    """
    return float(np.dot([_change_by(labels, k) for k in range(3)], [1.0, 4.0, 1.0]) / 6.0)


def _change_by(labels: tuple[LabelledConfiguration, ...], k: int) -> float:
    """Return the change of the energy if all of the line had the slope of label k."""
    first, last = labels[0].configuration, labels[-1].configuration
    chord_ac = last.spins_ac - first.spins_ac
    half_a = np.arcsin(np.clip(0.5 * np.linalg.norm(chord_ac, axis=1), 0.0, 1.0))
    # At the ends the chord leans against the tangent by half the angle; in the middle it lies along it.
    lean_a = np.cos(half_a) if k != 1 else np.ones_like(half_a)
    stretch_a = 1.0 / (np.sinc(half_a / np.pi) * lean_a)
    change = -np.sum(_or_zero(labels[k].effective_fields_ac, chord_ac) * chord_ac * stretch_a[:, None])
    moved_ac = last.positions_ac - first.positions_ac
    return float(change - np.sum(_or_zero(labels[k].forces_ac, moved_ac) * moved_ac))


def _compared(
    atom: int, slope: float, labels: tuple[LabelledConfiguration, LabelledConfiguration, LabelledConfiguration]
) -> SlopeCheck:
    first, last = (_required(item.energy, "energy") for item in (labels[0], labels[2]))
    return SlopeCheck(atom, slope, predicted_change(labels), last - first, labels)


def _tilted(configuration: Configuration, atom: int, rotation_c: FloatArray) -> Configuration:
    spins_ac = configuration.spins_ac.copy()
    spins_ac[atom] = Rotation.from_rotvec(rotation_c).apply(spins_ac[atom])
    return configuration.with_spins(spins_ac)


def _largest(vectors_ac: FloatArray) -> int:
    return int(np.linalg.norm(vectors_ac, axis=1).argmax())


def _checked_slope(vectors_ac: FloatArray, atom: int, what: str, unit: str) -> float:
    if not 0 <= atom < len(vectors_ac):
        raise InputError(f"there is no atom {atom}; atoms are counted from 0 to {len(vectors_ac) - 1}")
    slope = float(np.linalg.norm(vectors_ac[atom]))
    if slope < SMALLEST_SLOPE:
        raise InputError(
            f"the {what} atom {atom} is {slope:.1e} {unit}: too small to compare with a difference of energies"
        )
    return slope


def _required(value: Value | None, what: str) -> Value:
    if value is None:
        raise InputError(f"the engine's label has no {what}")
    return value


def _or_zero(values_ac: FloatArray | None, like_ac: FloatArray) -> FloatArray:
    return np.zeros_like(like_ac) if values_ac is None else values_ac
