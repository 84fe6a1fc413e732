"""Quality of a label: a grade, and the numbers that determine it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from soso_core.errors import InputError

GRADES = ("A", "B", "C", "D")
"""From best to worst."""

NOISE_FACTORS: Mapping[str, float] = MappingProxyType({"A": 1.0, "B": 2.0, "C": 4.0, "D": 8.0})
"""Noise of a label relative to that of an A label; the fit divides the rows of the label by it.

The limits of each grade are several times those of the grade before.  The factor is only 2, because many labels are
better than their numbers suggest.  A D label still counts, with weight 1/64.
"""

LIMITS: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        # Largest angle between a moment and its target.  Energy and field belong to the achieved direction, so a
        # small angle is no error; a large one means that the state is not the requested one.
        "angle_degree": (1.0, 3.0, 10.0),
        # Energy of the constraint, per atom.  It is subtracted exactly, and energy and field stay consistent, but a
        # large value means a large deviation from the ground state of the moments.
        "constraint_energy_meV_per_atom": (1.0, 5.0, 25.0),
        # Change of energy and of -∂E/∂e (rms per component) from the previous step, which has a weaker constraint.
        "energy_change_meV_per_atom": (0.2, 1.0, 5.0),
        "field_change_meV": (2.0, 6.0, 20.0),
        # Last change of the energy in the self-consistency iteration.
        "scf_change_meV_per_atom": (0.02, 0.1, 1.0),
    }
)
"""Largest values of the grades A, B and C; larger ones give D."""

GRADE_KEY = "label_grade"
"""Key of the grade in `LabelledConfiguration.info`."""


@dataclass(frozen=True)
class LabelQuality:
    """Quality numbers of one label, each under a key of `LIMITS`; an engine leaves out those that it lacks.

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
        """Name of the number with the worst grade; None for an A."""
        worst = max(self.numbers, key=lambda key: _grade_of(key, self.numbers[key]), default=None)
        return None if self.grade == GRADES[0] else worst

    def as_info(self) -> dict[str, Any]:
        """Return the grade and the numbers as entries of `LabelledConfiguration.info`."""
        return {GRADE_KEY: self.grade, **self.numbers}


def grade_of(info: Mapping[str, Any]) -> str:
    """Return the grade in the info of a label; A when there is none.  Raises InputError for an unknown grade."""
    grade = str(info.get(GRADE_KEY, GRADES[0]))
    if grade not in GRADES:
        raise InputError(f"{GRADE_KEY} is '{grade}'; it must be one of {', '.join(GRADES)}")
    return grade


def is_at_least(grade: str, minimum: str) -> bool:
    """Return whether a grade is as good as the minimum or better."""
    return GRADES.index(grade) <= GRADES.index(minimum)


def read_quality(info: Mapping[str, Any]) -> LabelQuality:
    """Return the quality numbers in the info of a label."""
    return LabelQuality({key: float(info[key]) for key in LIMITS if key in info})


def without_quality(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the info of a label without its quality, which a new label must not inherit."""
    return {key: value for key, value in info.items() if key != GRADE_KEY and key not in LIMITS}


def _grade_of(key: str, value: float) -> str:
    return GRADES[sum(value > limit for limit in LIMITS[key])]
