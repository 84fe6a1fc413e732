"""`soso.dataset`: an extended-XYZ file of configurations, with or without labels, as a provenance node."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiida.orm import SinglefileData
from ase.data import chemical_symbols

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.engines.contract import REQUIRED_LABELS, find_missing_labels
from soso_core.errors import reading
from soso_core.formats import format_extxyz, parse_extxyz
from soso_core.labels import LabelledConfiguration
from soso_core.quality import GRADE_KEY

LABELS = (*REQUIRED_LABELS, "stress_cc")


class SosoDataset(SinglefileData):
    """Configurations (cell, Å; positions, Å; unit spins) and their labels, if any (eV, eV/μB, eV/Å, eV/Å³, μB).

    The file is read when the node is made, so that a stored node is valid: the constructor raises
    `soso_core.errors.InputError` (file, configuration, problem) for anything else.  Attributes, for queries and for
    answers that do not read the file: `n_configurations`, `n_energies`, `n_field_configurations`, `n_atoms` (of all
    cells together), `species` (symbols), `labels` (those that every configuration has), `grades` and `digests` (one
    for each configuration) and `fingerprint`.  A batch that waits for its labels is a dataset without labels.
    """

    DEFAULT_FILENAME = "dataset.extxyz"
    _dataset: Dataset | None = None

    @classmethod
    def from_dataset(cls, dataset: Iterable[LabelledConfiguration], **kwargs: Any) -> "SosoDataset":
        """Return an unstored node that holds `dataset`, all digits kept."""
        return cls(io.BytesIO(format_extxyz(dataset).encode("utf8")), **kwargs)

    @classmethod
    def from_configurations(cls, configurations: Iterable[Configuration], **kwargs: Any) -> "SosoDataset":
        """Return an unstored node of configurations without labels."""
        return cls.from_dataset([LabelledConfiguration(item) for item in configurations], **kwargs)

    def set_file(self, file: Any, filename: Any = None) -> None:
        """Store the file and describe it in the attributes.  Raises InputError when it is not a valid dataset."""
        content = Path(file).read_bytes() if isinstance(file, (str, Path)) else file.read()
        content = content.encode("utf8") if isinstance(content, str) else content
        name = Path(filename or (file if isinstance(file, (str, Path)) else self.DEFAULT_FILENAME)).name
        self._dataset = _parse(content, name)
        super().set_file(io.BytesIO(content), filename=name)
        self.base.attributes.set_many(_describe(self._dataset))

    def get_dataset(self) -> Dataset:
        """Return the content as a `soso_core` Dataset; each node object reads its file once."""
        if self._dataset is None:
            self._dataset = _parse(self.content, self.filename)
        return self._dataset

    @property
    def n_configurations(self) -> int:
        """Number of configurations."""
        return int(self.base.attributes.get("n_configurations"))

    @property
    def is_fully_labelled(self) -> bool:
        """Whether every configuration carries an energy."""
        return "energy" in self.labels

    @property
    def labels(self) -> list[str]:
        """Names of the labels that every configuration has, as in `LabelledConfiguration`."""
        return list(self.base.attributes.get("labels"))

    def find_missing_labels(self, required: Iterable[str]) -> list[str]:
        """Return the required labels that are missing in a configuration."""
        return [name for name in required if name not in self.labels]

    @property
    def grades(self) -> list[str]:
        """Grade of each configuration, A to D."""
        return list(self.base.attributes.get("grades"))

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the labelled configurations."""
        return frozenset(self.base.attributes.get("digests"))


def describe_quality(item: LabelledConfiguration) -> dict[str, Any]:
    """Return the facts of a label as plain values, with its grade; only converged labels exist."""
    plain = {key: value for key, value in item.info.items() if isinstance(value, (str, int, float))}
    return {"converged": True, **plain, GRADE_KEY: item.grade}


def _parse(content: bytes, name: str) -> Dataset:
    with reading(Path(name)):
        text = content.decode("utf8")
    return parse_extxyz(text, name)


def _describe(dataset: Dataset) -> dict[str, Any]:
    missing = {name for item in dataset for name in find_missing_labels(item, LABELS)}
    return {
        "n_configurations": len(dataset),
        "n_energies": dataset.n_energies,
        "n_field_configurations": dataset.n_field_configurations,
        "n_atoms": sum(len(item.configuration) for item in dataset),
        "species": [chemical_symbols[number] for number in dataset.species],
        "labels": [name for name in LABELS if name not in missing],
        "grades": [item.grade for item in dataset],
        "digests": [item.digest for item in dataset],
        "fingerprint": dataset.fingerprint,
    }
