"""The replay oracle: labels of configurations that were labelled before, looked up instead of computed."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from pydantic import Field

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration
from soso_core.settings import Settings

DECIMALS = 6
"""Of Å and of unit vectors: what files keep."""


class ReplaySettings(Settings):
    """What a rehearsal is labelled from."""

    dataset: Path = Field(description="extended XYZ with energies; a relative path starts at the campaign file")


@dataclass(frozen=True, eq=False)
class ReplayOracle:
    """An engine whose answers are those of a labelled pool."""

    pool: Dataset

    @cached_property
    def _by_key(self) -> dict[str, LabelledConfiguration]:
        found: dict[str, LabelledConfiguration] = {}
        for item in self.pool:
            found.setdefault(_key(item.configuration), item)
        return found

    def check(self, configuration: Configuration) -> None:
        """Raise InputError for a configuration that is not in the pool."""
        if _key(configuration) not in self._by_key:
            raise InputError("the configuration is not in the labelled pool, so its label cannot be replayed")

    def label(self, configuration: Configuration) -> LabelledConfiguration:
        """Return the label of a configuration of the pool.  Raises InputError for any other."""
        self.check(configuration)
        return self._by_key[_key(configuration)]


def _key(where: Configuration) -> str:
    digest = sha256(where.numbers_a.tobytes())
    for array in (where.positions_ac, where.cell_vc, where.spins_ac):
        digest.update((np.round(array, DECIMALS) + 0.0).tobytes())
    return digest.hexdigest()
