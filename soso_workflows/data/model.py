"""`soso.model`: a fitted model file as a provenance node."""

import io
import tempfile
from pathlib import Path
from typing import Any

from aiida.orm import SinglefileData

from soso_core.gp.fitted import FittedModel


class SosoModel(SinglefileData):
    """One file written by `soso fit` (npz with a JSON header, no pickle).

    The model is loaded when the node is made: the constructor raises `soso_core.errors.InputError`
    for a truncated or foreign file.  The attribute `header` repeats the JSON header, for queries.
    """

    DEFAULT_FILENAME = "model.soso"

    @classmethod
    def from_model(cls, model: FittedModel, **kwargs: Any) -> "SosoModel":
        """Return an unstored node that holds `model`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / cls.DEFAULT_FILENAME
            model.save(path)
            return cls(path, **kwargs)

    def set_file(self, file: Any, filename: Any = None) -> None:
        """Take the file and copy its header into the attributes.  Raises InputError when it is not a model."""
        content = Path(file).read_bytes() if isinstance(file, (str, Path)) else file.read()
        model = _load(content)
        super().set_file(io.BytesIO(content), filename=Path(filename or self.DEFAULT_FILENAME).name)
        self.base.attributes.set("header", model.header())

    def get_model(self) -> FittedModel:
        """Return the content as a `soso_core` FittedModel."""
        return _load(self.content)

    @property
    def header(self) -> dict[str, Any]:
        """The JSON header of the file: format version, settings, species, what it was fitted to."""
        return dict(self.base.attributes.get("header"))


def _load(content: bytes) -> FittedModel:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SosoModel.DEFAULT_FILENAME
        path.write_bytes(content)
        return FittedModel.load(path)
