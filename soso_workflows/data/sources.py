"""Labels and models that a campaign starts from: files, or nodes by their PK."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from aiida.common.exceptions import NotExistent
from aiida.orm import Node, load_node
from ase.data import chemical_symbols

from soso_core.dataset import Dataset
from soso_core.errors import InputError, locate_errors
from soso_core.formats import read_dataset
from soso_core.gp.model.model_file import load_model
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel

Source = Path | int
"""A file, or the PK of a node."""
NODE = "node:"
MEASURE = "measure"
"""Value of a key of `engine_settings` that is measured before the first label."""
SomeNode = TypeVar("SomeNode", SosoDataset, SosoModel)


def resolve_source(value: str | int, folder: Path) -> Source:
    """Return the source that a campaign file names: a PK, `node:PK`, or a path relative to the campaign file."""
    text = str(value).removeprefix(NODE)
    return int(text) if isinstance(value, int) or (value.startswith(NODE) and text.isdecimal()) else folder / text


def load_dataset_node(source: Source, where: str = "dataset") -> SosoDataset:
    """Return the node of labels, new for a file.  Raises InputError when the node is missing or of another type."""
    return SosoDataset(source) if isinstance(source, Path) else _node(source, SosoDataset, where)


def load_model_node(source: Source, where: str = "model") -> SosoModel:
    """Return the node of a model, new for a file.  Raises InputError when the node is missing or of another type."""
    return SosoModel(source) if isinstance(source, Path) else _node(source, SosoModel, where)


def read_content(source: Source) -> bytes:
    """Return the content of the file of a source, for fingerprints."""
    if isinstance(source, Path):
        return source.read_bytes()
    node = load_node(source)
    return bytes(node.base.repository.get_object_content(node.filename, mode="rb"))


def read_initial_dataset(source: Source, where: str) -> Dataset:
    """Return the labels.  Raises InputError when they cannot be read or have neither energies nor fields."""
    with locate_errors(where):
        dataset = read_dataset(source) if isinstance(source, Path) else load_dataset_node(source, where).get_dataset()
    if not dataset.n_energies and not dataset.n_field_configurations:
        raise InputError(f"{where}: no configuration has an energy or fields")
    return dataset


def check_initial_model(source: Source, symbols: Sequence[str], where: str) -> None:
    """Raise InputError when the model cannot be read or has no parameters for an element of the structure."""
    with locate_errors(where):
        model = load_model(source) if isinstance(source, Path) else load_model_node(source, where).get_model()
    if missing := sorted(set(symbols) - {chemical_symbols[number] for number in model.basis.species}):
        raise InputError(f"{where}: the structure contains {missing[0]}, for which the model has no parameters")


def _node(pk: int, kind: type[SomeNode], where: str) -> SomeNode:
    try:
        node: Node = load_node(pk)
    except NotExistent:
        raise InputError(f"{where}: there is no node {pk} in this profile") from None
    if not isinstance(node, kind):
        raise InputError(f"{where}: node {pk} is a {type(node).__name__}, not a {kind.__name__}")
    return node
