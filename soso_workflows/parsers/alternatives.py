"""Parser of `soso.alternatives`."""

import json
from pathlib import Path

from aiida.orm import Dict

from soso_core.active.stopping.records import Alternative, LearningCurve
from soso_core.errors import InputError
from soso_core.settings import parse_settings
from soso_workflows.parsers.base import SosoParser


class SosoAlternativesParser(SosoParser):
    """Attach `alternatives`, with the errors of the learning-curve check and of other model forms."""

    def attach_outputs(self, path: Path) -> None:
        """Read the numbers.  Raises InputError when the file is truncated or holds something else."""
        try:
            found = json.loads(path.read_text(encoding="utf8"))
            learning, forms = found["learning_curve"], found["alternatives"]
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path.name}: no alternatives can be read from it") from None
        parse_settings(LearningCurve, learning, path.name)
        for item in forms:
            parse_settings(Alternative, item, path.name)
        self.out("alternatives", Dict({"learning_curve": learning, "alternatives": forms}))
