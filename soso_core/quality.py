"""How far a label can be trusted: a grade, and the numbers it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from soso_core.errors import InputError

GRADES = ("A", "B", "C", "D")
"""From best to worst."""

NOISE_FACTORS: Mapping[str, float] = MappingProxyType({"A": 1.0, "B": 2.0, "C": 4.0, "D": 8.0})
"""By how much the noise of a label exceeds that of an A label; the fit divides its rows by it.

Each grade allows numbers several times those of the one before; a factor of 2 is careful with a label that is better
than its numbers say, and a D label still counts, by 1/64.
"""

LIMITS: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        # Largest angle between a moment and the direction asked for.  Energy and field belong to where the moment
        # ended, so that a small angle costs nothing; a large one says that the state is not the one asked for.
        "angle_degree": (1.0, 3.0, 10.0),
        # Energy of the constraint, per atom.  It is taken off exactly, and energy and field stay consistent, but
        # it says how hard the constraint had to push.
        "constraint_energy_meV_per_atom": (1.0, 5.0, 25.0),
        # Change of energy and of -∂E/∂e (rms per component) against the step before with a weaker constraint.
        "energy_change_meV_per_atom": (0.2, 1.0, 5.0),
        "field_change_meV": (2.0, 6.0, 20.0),
        # Last change of the energy in the self-consistency iteration.
        "scf_change_meV_per_atom": (0.02, 0.1, 1.0),
    }
)
"""The largest value that still earns A, B and C; anything beyond is D."""

GRADE_KEY = "label_grade"
"""Key of the grade among the facts of a label (`LabelledConfiguration.info`)."""


@dataclass(frozen=True)
class LabelQuality:
    """Numbers on one label, each under a key of `LIMITS`; those an engine has no way to know are left out.

    Raises InputError for an unknown key or a number that is negative or not finite.
    """

    numbers: Mapping[str, float]

    def __post_init__(self) -> None:
        for key, value in self.numbers.items():
            if key not in LIMITS:
                raise InputError(f"unknown number of label quality '{key}'; known are {', '.join(LIMITS)}")
            if not np.isfinite(value) or value < 0.0:
                raise InputError(f"label quality: {key} is {value}; it must be finite and not negative")
        object.__setattr__(self, "numbers", MappingProxyType({key: float(x) for key, x in self.numbers.items()}))

    @property
    def grade(self) -> str:
        """The worst of the grades of the numbers."""
        return max((_grade_of(key, value) for key, value in self.numbers.items()), default=GRADES[0])

    @property
    def limited_by(self) -> str | None:
        """Name of the number that costs most; None for an A."""
        worst = max(self.numbers, key=lambda key: _grade_of(key, self.numbers[key]), default=None)
        return None if self.grade == GRADES[0] else worst

    def as_info(self) -> dict[str, Any]:
        """Return the grade and the numbers as facts of a label."""
        return {GRADE_KEY: self.grade, **self.numbers}


def grade_of(info: Mapping[str, Any]) -> str:
    """Return the grade in the facts of a label; A when there is none.  Raises InputError for another word."""
    grade = str(info.get(GRADE_KEY, GRADES[0]))
    if grade not in GRADES:
        raise InputError(f"{GRADE_KEY} is '{grade}'; it must be one of {', '.join(GRADES)}")
    return grade


def is_at_least(grade: str, minimum: str) -> bool:
    """Tell whether a grade is as good as the minimum or better."""
    return GRADES.index(grade) <= GRADES.index(minimum)


def noted_quality(info: Mapping[str, Any]) -> LabelQuality:
    """Return the numbers on quality among the facts of a label."""
    return LabelQuality({key: float(info[key]) for key in LIMITS if key in info})


def without_quality(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a label that do not speak of its quality: those that a new label does not inherit."""
    return {key: value for key, value in info.items() if key != GRADE_KEY and key not in LIMITS}


def _grade_of(key: str, value: float) -> str:
    return GRADES[sum(value > limit for limit in LIMITS[key])]
