"""Dataset: an ordered, immutable collection of labelled configurations."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled configurations in a fixed order.

    Parameters
    ----------
    labelled : LabelledConfigurations; InputError without any
    """

    labelled: tuple[LabelledConfiguration, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labelled", tuple(self.labelled))
        if not self.labelled:
            raise InputError("the dataset is empty")

    def __len__(self) -> int:
        return len(self.labelled)

    def __iter__(self) -> Iterator[LabelledConfiguration]:
        return iter(self.labelled)

    def __getitem__(self, index: int) -> LabelledConfiguration:
        return self.labelled[index]

    def subset(self, indices: Iterable[int]) -> "Dataset":
        """Return the configurations at `indices`, in that order."""
        return Dataset(tuple(self.labelled[int(i)] for i in indices))

    def __add__(self, other: "Dataset") -> "Dataset":
        return Dataset(self.labelled + other.labelled)

    @property
    def n_energies(self) -> int:
        """Number of configurations with an energy."""
        return sum(item.energy is not None for item in self.labelled)

    @property
    def n_field_configurations(self) -> int:
        """Number of configurations with exchange fields."""
        return sum(item.exchange_fields_ac is not None for item in self.labelled)

    @cached_property
    def species(self) -> tuple[int, ...]:
        """Sorted atomic numbers of all configurations."""
        return tuple(sorted({int(z) for item in self.labelled for z in item.configuration.numbers_a}))

    def without_repeats(self) -> "Dataset":
        """Return the dataset without items that equal an earlier one in all numbers and the grade."""
        first: dict[str, LabelledConfiguration] = {}
        for item in self.labelled:
            first.setdefault(item.digest, item)
        return Dataset(tuple(first.values()))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all labels; a model records that of its training data."""
        return self.fingerprint_of([item.digest for item in self.labelled])

    @staticmethod
    def fingerprint_of(digests: Iterable[str]) -> str:
        """Return the fingerprint of labels with these digests, in order."""
        return hashlib.sha256("".join(digests).encode()).hexdigest()
