"""Validated, read-only arrays: the one function that turns raw input into frozen values."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soso_core.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

LARGEST = 1e150
"""No quantity has values beyond this, and their squares would overflow."""
WHOLE = frozenset({"cell", "stress"})
"""Quantities of a configuration as a whole, whose first index is not an atom."""


def frozen_floats(name: str, values: ArrayLike, shape: Sequence[int]) -> FloatArray:
    """Return `values` as a read-only float64 copy of the given shape.

    Raises InputError that names the quantity, the atom (first index) and the value when a number is not finite or
    exceeds LARGEST in size, and for another shape.
    """
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: not an array of numbers ({error})") from None
    if array.shape != tuple(shape):
        raise InputError(f"{name}: shape {array.shape}, expected {tuple(shape)}")
    bad = np.argwhere(~(np.abs(array) < LARGEST))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        where = f" of atom {index[0]}" if index and name not in WHOLE else ""
        raise InputError(f"{name}{where} is {array[index]}; every value must be a finite number, below {LARGEST:g}")
    array.setflags(write=False)
    return array
