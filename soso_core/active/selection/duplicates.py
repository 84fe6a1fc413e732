"""Candidates that symmetry turns into each other, or into something labelled already."""

from collections.abc import Sequence

import numpy as np

from soso_core.arrays import IntArray
from soso_core.configuration import Configuration
from soso_core.formats.extxyz import atoms_from_configuration
from soso_core.validation.duplicates import check_duplicates
from soso_core.validation.frame import raw_frame


def twins(configurations: Sequence[Configuration]) -> IntArray:
    """Return a number for every configuration, (k,): that of the first which symmetry does not tell apart from it."""
    frames = [raw_frame(index, atoms_from_configuration(item))[0] for index, item in enumerate(configurations)]
    first_k = np.arange(len(configurations))
    for found in check_duplicates(frames):
        first_k[found.configuration] = first_k[found.other]
    return first_k


def fresh(configurations: Sequence[Configuration], known: Sequence[Configuration]) -> list[int]:
    """Return the indices of the configurations that repeat none of the known ones."""
    first_k = twins([*known, *configurations])[len(known) :]
    return [k for k, first in enumerate(first_k) if first >= len(known)]
