"""The factor of VASP's printed field, measured: three runs, one spin tilted a little to either side.

VASP prints `lambda*MW_perp`, and -∂E/∂e = c · |MW_int| · (printed field).  The penalty `E_p = Σ λ|MW_perp|²` suggests
c = 2; published energies and fields give 1.0 to 1.1 for some versions and 2.0 to 2.4 for others.  So it is measured.
"""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.field_consistency import PathComparison, compare_path, rotate_spin
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration

PRINTED = "as printed"
"""Source of the factor 1 that a label gets while the factor is being measured."""
BASE_TILT_DEGREE = 30.0
"""Away from a symmetric arrangement, where all fields vanish and no comparison is possible."""
TILT_DEGREE = 5.0
"""Small against the 90 degrees on which energies vary, large against the three decimals of a moment."""
MIN_WORK_EV = 1e-4
"""Smallest energy difference for a comparison; self-consistency is good to about 1e-6 eV."""
HALF_DIGIT = 5e-4
"""μB; half a unit of the third decimal, with which VASP prints moments."""


@dataclass(frozen=True)
class FieldScale:
    """The factor c in -∂E/∂e = c · |MW_int| · (printed field), and its source."""

    value: float
    source: str

    def __post_init__(self) -> None:
        if not np.isfinite(self.value) or self.value <= 0.0:
            raise InputError(f"field scale is {self.value}; it must be positive")

    @property
    def is_known(self) -> bool:
        """True when the factor is that of this VASP; False while it is being measured."""
        return self.source != PRINTED


@dataclass(frozen=True)
class MeasuredScale:
    """The factor c, its error, and the energy difference in eV.

    The error holds half the difference of the values on either side, and the effect of the third decimal of a moment.
    """

    value: float
    error: float
    work: float


def tilt_first_spin(configuration: Configuration, tilt_degree: float = TILT_DEGREE) -> tuple[Configuration, ...]:
    """Return the configuration and two more, with the first spin rotated by plus and minus `tilt_degree`.

    The rotation is in the plane of that spin and the sum of the others, which holds the field.
    """
    atom = int(np.flatnonzero(configuration.is_magnetic_a)[0])
    axis_c = _tilt_axis(configuration.spins_ac, atom)
    angles = [sign * np.radians(tilt_degree) for sign in (1.0, -1.0)]
    return (configuration, *(rotate_spin(configuration, atom, axis_c, angle) for angle in angles))


def canted_ferromagnet(lattice: Configuration, tilt_degree: float = BASE_TILT_DEGREE) -> Configuration:
    """Return the ferromagnet along z with its first spin rotated; zero spins of `lattice` stay zero.

    Raises InputError with fewer than two spins, since a single one has no partner.
    """
    if lattice.n_magnetic < 2:
        raise InputError("the field scale needs a cell with at least two spins")
    parallel = lattice.with_spins(np.where(lattice.is_magnetic_a[:, None], [0.0, 0.0, 1.0], 0.0))
    atom = int(np.flatnonzero(lattice.is_magnetic_a)[0])
    return rotate_spin(parallel, atom, np.array([0.0, 1.0, 0.0]), np.radians(tilt_degree))


def measure(base: LabelledConfiguration, plus: LabelledConfiguration, minus: LabelledConfiguration) -> MeasuredScale:
    """Return c from three labels whose exchange fields are the printed ones.

    c is the energy difference from `minus` over `base` to `plus` divided by the work of the printed fields along
    the achieved directions of all spins (`compare_path`).

    Raises InputError when a label has no energy or no fields, the energies hardly differ, or the signs contradict.
    """
    if base.moment_magnitudes_a is None or any(item.effective_fields_ac is None for item in (base, plus, minus)):
        raise InputError("the field scale cannot be measured from labels without exchange fields")
    path = compare_path((minus, base, plus))
    if abs(path.computed) < MIN_WORK_EV:
        raise InputError(f"the energies differ by only {1e3 * path.computed:.3g} meV; choose spins in a larger field")
    value = _divide(path)
    if value <= 0.0:
        raise InputError(f"energies and fields contradict each other: their ratio is {value:.3g}")
    sides = [_divide(compare_path(side)) for side in ((minus, base), (base, plus))]
    smallest_moment = np.min(base.moment_magnitudes_a[base.configuration.is_magnetic_a])
    error = float(np.hypot(0.5 * (sides[0] - sides[1]), value * HALF_DIGIT / smallest_moment))
    return MeasuredScale(value, error, path.computed)


def _divide(path: PathComparison) -> float:
    """Return the factor by which fields must be multiplied; zero, which no scale is, when they do no work."""
    return path.computed / path.predicted if path.predicted else 0.0


def _tilt_axis(spins_ac: FloatArray, atom: int) -> FloatArray:
    others_c = spins_ac.sum(axis=0) - spins_ac[atom]
    axis_c = np.cross(others_c, spins_ac[atom])
    if np.linalg.norm(axis_c) < 1e-3:  # parallel: any axis across the spin will do
        axis_c = np.cross(np.eye(3)[int(np.argmin(np.abs(spins_ac[atom])))], spins_ac[atom])
    return np.asarray(axis_c)
