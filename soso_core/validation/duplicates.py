"""The finding of configurations that repeat an earlier one up to symmetry."""

from collections.abc import Sequence

import numpy as np

from soso_core.symmetry.equivalence import equivalence_classes
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import RawFrame

ENERGY_TOLERANCE = 1e-5
"""eV per atom: two runs of one configuration agree to their convergence, not to rounding."""
LENGTH_TOLERANCE = 1e-3
"""μB, and eV/μB for fields: the three decimals of common outputs."""
_UNITS = {"moments": "μB", "fields": "eV/μB", "forces": "eV/Å"}


def check_duplicates(frames: Sequence[RawFrame]) -> list[Finding]:
    """Return a finding for every usable configuration that repeats an earlier one."""
    usable = [frame for frame in frames if frame.is_usable]
    first_k = equivalence_classes([frame.configuration for frame in usable])
    return [_duplicate(usable[k], usable[first]) for k, first in enumerate(first_k) if first != k]


def _duplicate(frame: RawFrame, first: RawFrame) -> Finding:
    equal, difference = compare_labels(frame, first)
    text = f"same as configuration {first.index} up to symmetry; labels {difference}"
    return Finding(Kind.DUPLICATE, text, frame.index, other=first.index, labels_equal=equal)


def compare_labels(one: RawFrame, other: RawFrame) -> tuple[bool, str]:
    """Return whether the invariants of the labels are equal, and how they differ.

    Compared are energies and the sorted lengths of the vectors, which no symmetry changes.
    """
    if one.energy is not None and other.energy is not None:
        difference = (one.energy - other.energy) / len(one)
        if abs(difference) > ENERGY_TOLERANCE:
            return False, f"differ: energy by {1e3 * difference:.3g} meV/atom"
    for name in ("energy", "moments", "fields", "forces"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if (mine is None) != (theirs is None):
            return False, f"differ: only configuration {(one if theirs is None else other).index} has {name}"
        if mine is None or name == "energy":
            continue
        lists = [np.sort(np.linalg.norm(values.reshape(len(one), -1), axis=1)) for values in (mine, theirs)]
        difference = float(np.max(np.abs(lists[0] - lists[1])))
        if difference > LENGTH_TOLERANCE * max(1.0, float(lists[0].max()) if name == "forces" else 1.0):
            return False, f"differ: {name} by {difference:.3g} {_UNITS[name]}"
    return True, "equal"
