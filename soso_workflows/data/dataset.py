"""`soso.dataset`: an extended-XYZ file of configurations, with or without labels, as a provenance node."""

import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiida.orm import SinglefileData
from ase.data import chemical_symbols

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.formats import read_dataset, write_dataset
from soso_core.labels import LabelledConfiguration


class SosoDataset(SinglefileData):
    """Configurations (cell, Å; positions, Å; unit spins) and whatever labels they carry (eV, eV/μB, eV/Å, eV/Å³, μB).

    The file is read when the node is made, so a stored node is a valid one: the constructor raises
    `soso_core.errors.InputError` (file, configuration, fault) for anything else.  Attributes, for queries:
    `n_configurations`, `n_energies`, `n_field_configurations`, `n_atoms` (of all cells together),
    `species` (symbols) and `fingerprint`.  A batch that waits for its labels is a dataset without labels.
    """

    DEFAULT_FILENAME = "dataset.extxyz"

    @classmethod
    def from_dataset(cls, dataset: Iterable[LabelledConfiguration], **kwargs: Any) -> "SosoDataset":
        """Return an unstored node that holds `dataset`, all digits kept."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / cls.DEFAULT_FILENAME
            write_dataset(path, dataset)
            return cls(path, **kwargs)

    @classmethod
    def from_configurations(cls, configurations: Iterable[Configuration], **kwargs: Any) -> "SosoDataset":
        """Return an unstored node of configurations without labels."""
        return cls.from_dataset([LabelledConfiguration(item) for item in configurations], **kwargs)

    def set_file(self, file: Any, filename: Any = None) -> None:
        """Take the file and describe it in the attributes.  Raises InputError when it is not a valid dataset."""
        content = Path(file).read_bytes() if isinstance(file, (str, Path)) else _as_bytes(file.read())
        name = Path(filename or (file if isinstance(file, (str, Path)) else self.DEFAULT_FILENAME)).name
        dataset = _parse(content, name)
        super().set_file(io.BytesIO(content), filename=name)
        self.base.attributes.set_many(_describe(dataset))

    def get_dataset(self) -> Dataset:
        """Return the content as a `soso_core` Dataset."""
        return _parse(self.content, self.filename)

    @property
    def n_configurations(self) -> int:
        """Number of configurations."""
        return int(self.base.attributes.get("n_configurations"))

    @property
    def is_fully_labelled(self) -> bool:
        """Whether every configuration carries an energy."""
        return bool(self.base.attributes.get("n_energies") == self.n_configurations)


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode("utf8") if isinstance(content, str) else content


def _parse(content: bytes, name: str) -> Dataset:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read_dataset(path)


def _describe(dataset: Dataset) -> dict[str, Any]:
    return {
        "n_configurations": len(dataset),
        "n_energies": dataset.n_energies,
        "n_field_configurations": dataset.n_field_configurations,
        "n_atoms": sum(len(item.configuration) for item in dataset),
        "species": [chemical_symbols[number] for number in dataset.species],
        "fingerprint": dataset.fingerprint,
    }
