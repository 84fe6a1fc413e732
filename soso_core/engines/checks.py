"""Checks that several engines make before they compute: chemical symbols, species and distances."""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from ase.data import atomic_numbers
from pydantic import AfterValidator

from soso_core.arrays import BoolArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.neighbours import Neighbours


def _check_symbol(symbol: str) -> str:
    if symbol not in atomic_numbers or symbol == "X":
        raise ValueError(f"'{symbol}' is not a chemical symbol")
    return symbol


SpeciesKey = Annotated[str, AfterValidator(_check_symbol)]
"""A chemical symbol as the key of a setting."""


def check_species(configuration: Configuration, known: Iterable[str], is_checked_a: BoolArray | None = None) -> None:
    """Raise InputError for the first atom whose element is not `known`; `is_checked_a` (a,) selects atoms."""
    for atom in np.flatnonzero(np.ones(len(configuration)) if is_checked_a is None else is_checked_a):
        if configuration.symbols[atom] not in known:
            names = ", ".join(known)
            raise InputError(f"atom {atom} is {configuration.symbols[atom]}; `species` has parameters for {names} only")


def check_distances(pairs: Neighbours, min_distance: float) -> None:
    """Raise InputError when the two closest atoms of `pairs` are closer than `min_distance` (Å)."""
    if len(pairs) and pairs.distances_p.min() < min_distance:
        pair = int(pairs.distances_p.argmin())
        found = f"{pairs.words(pair)} are {pairs.distances_p[pair]:.3g} Å apart"
        raise InputError(f"{found}; the minimum allowed distance is {min_distance:g} Å (min_distance_angstrom)")
