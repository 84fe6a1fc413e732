"""Voigt order of a symmetric tensor: xx, yy, zz, yz, xz, xy, without factors of 2.  ASE has the same order."""

import numpy as np
from numpy.typing import ArrayLike

from soso_core.arrays import FloatArray

VOIGT = ((0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1))
"""Row and column of each of the six components."""
_COMPONENT_CC = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])


def symmetrise(matrix: FloatArray) -> FloatArray:
    """Return the symmetric part of a square matrix."""
    return np.asarray(0.5 * (matrix + matrix.T))


def to_voigt(tensor_cc: FloatArray) -> FloatArray:
    """Return the six components (6, ...) of a symmetric tensor (3, 3, ...)."""
    return np.asarray(tensor_cc[VOIGT])


def from_voigt(components_6: ArrayLike) -> FloatArray:
    """Return the symmetric tensor (3, 3, ...) of six components (6, ...)."""
    return np.asarray(np.asarray(components_6)[_COMPONENT_CC])
