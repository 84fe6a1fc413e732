"""The replay engine: labels of a labelled pool, looked up instead of computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import numpy as np
from pydantic import Field

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration
from soso_core.settings import Settings

DECIMALS = 6
"""Of Å and of unit vectors, as in files."""


class ReplaySettings(Settings):
    """The labelled pool of an offline study."""

    dataset: Path = Field(description="extended XYZ with energies; a relative path starts at the campaign file")


@dataclass(frozen=True, eq=False)
class ReplayOracle:
    """An engine that returns the labels of a pool."""

    pool: Dataset

    @cached_property
    def _by_key(self) -> dict[str, LabelledConfiguration]:
        found: dict[str, LabelledConfiguration] = {}
        for item in self.pool:
            found.setdefault(_key(item.configuration), item)
        return found

    def check(self, configuration: Configuration) -> None:
        """Raise InputError, with the first difference, for a configuration that is not in the pool."""
        if _key(configuration) not in self._by_key:
            known = [item.configuration for item in self.pool]
            difference = find_difference(configuration, known)
            raise InputError(f"the configuration is not in the labelled pool, which has all labels: {difference}")

    def label(self, configuration: Configuration) -> LabelledConfiguration:
        """Return the label of a configuration of the pool.  Raises InputError for any other."""
        self.check(configuration)
        return self._by_key[_key(configuration)]


PARTS = MappingProxyType({"cell": "cell_vc", "positions": "positions_ac", "spins": "spins_ac"})
"""Name and attribute of the parts that are compared, besides the elements; a strain changes the first two."""


def find_difference(configuration: Configuration, known: Sequence[Configuration]) -> str:
    """Return in words the first part of a configuration that differs from that of all known ones.

    Elements come first, then the parts in their order; each is compared with the known ones that agree so far.
    """
    alike = [item for item in known if np.array_equal(item.numbers_a, configuration.numbers_a)]
    if not alike:
        return "none has the same elements in the same order"
    shared = "elements"
    for name, part in PARTS.items():
        left = [item for item in alike if _round(item, part) == _round(configuration, part)]
        if not left:
            return f"none with the same {shared} has the same {name}"
        alike, shared = left, f"{shared.replace(' and', ',')} and {name}"
    return "nothing differs"


def _key(where: Configuration) -> str:
    digest = sha256(where.numbers_a.tobytes())
    for part in PARTS.values():
        digest.update(_round(where, part))
    return digest.hexdigest()


def _round(where: Configuration, part: str) -> bytes:
    values: FloatArray = np.round(getattr(where, part), DECIMALS) + 0.0
    return values.tobytes()
