"""The factor of VASP's printed field, measured: three runs, one spin tilted a little to either side.

VASP prints `lambda*MW_perp`, and -∂E/∂e = c · |MW_int| · (printed field).  The penalty `E_p = Σ λ|MW_perp|²` makes
one expect c = 2; published energies and fields say 1.0 to 1.1 for some versions and 2.0 to 2.4 for others.  So it is
measured.
"""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration

BASE_TILT_DEGREE = 30.0
"""Away from a symmetric arrangement, where all fields vanish and nothing could be compared."""
TILT_DEGREE = 5.0
"""Small against the 90 degrees on which energies vary, large against the three decimals of a moment."""
SMALLEST_WORK_EV = 1e-4
"""Energy difference by which the comparison is worth something; self-consistency is good to about 1e-6 eV."""
HALF_DIGIT = 5e-4
"""μB; half a unit of the third decimal, with which VASP prints moments."""


@dataclass(frozen=True)
class MeasuredScale:
    """The factor c, its error, and the energy difference in eV.

    The error is half the difference of the values on either side, and what the third decimal of a moment is worth.
    """

    value: float
    error: float
    work: float


def tilted(configuration: Configuration, tilt_degree: float = TILT_DEGREE) -> tuple[Configuration, ...]:
    """Return the configuration and two more, its first spin turned by plus and minus `tilt_degree`.

    The turn is in the plane of that spin and the sum of the others, where the field is.
    """
    atom = int(np.flatnonzero(configuration.is_magnetic_a)[0])
    axis_c = _turning_axis(configuration.spins_ac, atom)
    turned = [turn(configuration, atom, axis_c, sign * np.radians(tilt_degree)) for sign in (1.0, -1.0)]
    return (configuration, *turned)


def canted_ferromagnet(lattice: Configuration, tilt_degree: float = BASE_TILT_DEGREE) -> Configuration:
    """Return the ferromagnet along z with its first spin turned; zero spins of `lattice` stay zero.

    Raises InputError with fewer than two spins: a lone one has nothing to turn against.
    """
    if lattice.n_magnetic < 2:
        raise InputError("the field scale needs a cell with at least two spins")
    parallel = lattice.with_spins(np.where(lattice.is_magnetic_a[:, None], [0.0, 0.0, 1.0], 0.0))
    atom = int(np.flatnonzero(lattice.is_magnetic_a)[0])
    return turn(parallel, atom, np.array([0.0, 1.0, 0.0]), np.radians(tilt_degree))


def turn(configuration: Configuration, atom: int, axis_c: FloatArray, angle: float) -> Configuration:
    """Return the configuration with one spin turned about a unit axis by `angle` (radians)."""
    spins_ac = configuration.spins_ac.copy()
    spin_c = spins_ac[atom]
    along_c = (spin_c @ axis_c) * axis_c
    spins_ac[atom] = along_c + np.cos(angle) * (spin_c - along_c) + np.sin(angle) * np.cross(axis_c, spin_c)
    spins_ac[atom] /= np.linalg.norm(spins_ac[atom])
    return configuration.with_spins(spins_ac)


def measure(base: LabelledConfiguration, plus: LabelledConfiguration, minus: LabelledConfiguration) -> MeasuredScale:
    """Return c from three labels whose exchange fields are the printed ones.

    Energies differ by the work of the fields along the way that the spins really went, all of them, from `minus` over
    `base` to `plus`: c is the ratio of the two.  With the work of the straight way, the error of the trapezoidal rule
    cancels (Richardson).  Raises InputError when the energies hardly differ, or the signs contradict.
    """
    difference = _energy(plus) - _energy(minus)
    works = [_work(minus, base), _work(base, plus)]
    work = (4.0 * sum(works) - _work(minus, plus)) / 3.0
    if abs(difference) < SMALLEST_WORK_EV:
        raise InputError(f"the energies differ by only {1e3 * difference:.3g} meV; choose spins that feel a field")
    value = difference / work
    if value <= 0.0:
        raise InputError(f"energies and fields contradict each other: their ratio is {value:.3g}")
    sides = [(_energy(base) - _energy(minus)) / works[0], (_energy(plus) - _energy(base)) / works[1]]
    error = float(np.hypot(0.5 * (sides[0] - sides[1]), value * HALF_DIGIT / _shortest(base)))
    return MeasuredScale(value, error, difference)


def _work(start: LabelledConfiguration, end: LabelledConfiguration) -> float:
    """Return the energy that the printed fields say the way costs, eV, by the trapezoidal rule on great circles."""
    starts_ac, ends_ac = start.configuration.spins_ac, end.configuration.spins_ac
    cosine_a = np.sum(starts_ac * ends_ac, axis=1, keepdims=True)
    sine_a = np.linalg.norm(np.cross(starts_ac, ends_ac), axis=1, keepdims=True)
    arc_a = np.where(sine_a > 0.0, np.arctan2(sine_a, cosine_a) / np.where(sine_a > 0.0, sine_a, 1.0), 1.0)
    leaving_ac, arriving_ac = ends_ac - cosine_a * starts_ac, cosine_a * ends_ac - starts_ac
    along = np.sum(arc_a * (_gradient(start) * leaving_ac + _gradient(end) * arriving_ac))
    return -0.5 * float(along)


def _turning_axis(spins_ac: FloatArray, atom: int) -> FloatArray:
    others_c = spins_ac.sum(axis=0) - spins_ac[atom]
    axis_c = np.cross(others_c, spins_ac[atom])
    if np.linalg.norm(axis_c) < 1e-3:  # parallel: any axis across the spin does
        axis_c = np.cross(np.eye(3)[int(np.argmin(np.abs(spins_ac[atom])))], spins_ac[atom])
    return np.asarray(axis_c / np.linalg.norm(axis_c))


def _shortest(label: LabelledConfiguration) -> float:
    """Return the length of the shortest moment, μB."""
    assert label.moment_magnitudes_a is not None
    return float(np.min(label.moment_magnitudes_a[label.configuration.is_magnetic_a]))


def _energy(label: LabelledConfiguration) -> float:
    if label.energy is None:
        raise InputError("a label without energy cannot tell the field scale")
    return label.energy


def _gradient(label: LabelledConfiguration) -> FloatArray:
    if label.effective_fields_ac is None:
        raise InputError("a label without exchange fields cannot tell the field scale")
    return label.effective_fields_ac
