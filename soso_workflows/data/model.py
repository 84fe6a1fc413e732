"""`soso.model`: a fitted model file as a provenance node."""

import io
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiida.orm import SinglefileData
from ase.data import chemical_symbols

from soso_core.gp.model.fitted import FittedModel
from soso_core.gp.model.model_file import load_model


class SosoModel(SinglefileData):
    """A file written by `soso fit` (npz with a JSON header, no pickle).

    The model is loaded when the node is made: the constructor raises `soso_core.errors.InputError` for a truncated
    file or one of another program.  Attributes, for queries: `species` (symbols), and of the training set
    `n_configurations`, `n_energies`, `n_field_configurations`, `digests` and `fingerprint`.
    """

    DEFAULT_FILENAME = "model.soso"
    _model: FittedModel | None = None

    def set_file(self, file: Any, filename: Any = None) -> None:
        """Store the file and describe it in the attributes.  Raises InputError when it is not a model."""
        content = Path(file).read_bytes() if isinstance(file, (str, Path)) else file.read()
        self._model = _load(content)
        super().set_file(io.BytesIO(content), filename=Path(filename or self.DEFAULT_FILENAME).name)
        self.base.attributes.set_many(_describe(self._model))

    def get_model(self) -> FittedModel:
        """Return the content as a `soso_core` FittedModel; each node object reads its file once."""
        if self._model is None:
            self._model = _load(self.content)
        return self._model

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the labels that the model was fitted to."""
        return frozenset(self.base.attributes.get("digests"))


def _describe(model: FittedModel) -> dict[str, Any]:
    return {**asdict(model.record), "species": [chemical_symbols[number] for number in model.basis.species]}


def _load(content: bytes) -> FittedModel:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SosoModel.DEFAULT_FILENAME
        path.write_bytes(content)
        return load_model(path)
