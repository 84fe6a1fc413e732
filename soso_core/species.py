"""Indices of atoms in the list of species of a model."""

from collections.abc import Sequence

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError


def species_indices(configuration: Configuration, species: Sequence[int]) -> IntArray:
    """Return the index of every atom in `species` (atomic numbers, sorted), (a,).

    Raises InputError for an element that is not in it.
    """
    numbers_s = np.asarray(species, dtype=np.int64)
    index_a = np.minimum(np.searchsorted(numbers_s, configuration.numbers_a), len(numbers_s) - 1)
    unknown = np.flatnonzero(numbers_s[index_a] != configuration.numbers_a)
    if len(unknown):
        symbol = configuration.symbols[int(unknown[0])]
        raise InputError(f"element {symbol} is unknown to this model; its atomic numbers are {numbers_s.tolist()}")
    return index_a.astype(np.int64)


def species_counts(configuration: Configuration, species: Sequence[int]) -> FloatArray:
    """Return the number of atoms of each species, (s,).  Raises InputError as `species_indices` does."""
    return np.bincount(species_indices(configuration, species), minlength=len(species)).astype(float)
