"""Parser of `soso.fit`."""

from pathlib import Path

from soso_workflows.data.model import SosoModel
from soso_workflows.parsers.base import SosoParser


class SosoFitParser(SosoParser):
    """Attach `model`."""

    def attach_outputs(self, path: Path) -> None:
        """Load the model file.  Raises InputError when it is truncated or foreign."""
        self.out("model", SosoModel(path))
