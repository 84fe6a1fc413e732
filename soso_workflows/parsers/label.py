"""Parser of every calculation that runs `soso label`."""

from pathlib import Path
from typing import Any

from aiida.engine import ExitCode
from aiida.orm import Dict

from soso_core.engines.contract import find_missing_labels
from soso_core.labels import LabelledConfiguration
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.parsers.base import SosoParser


class SosoLabelParser(SosoParser):
    """Attach `label` and `quality`."""

    def attach_outputs(self, path: Path) -> ExitCode | None:
        """Read the labelled configuration.  Raises InputError when it is truncated."""
        label = SosoDataset(path)
        item = label.get_dataset()[0]
        missing = find_missing_labels(item)
        if missing or label.n_configurations != 1:
            detail = (
                f"{path.name}: {label.n_configurations} configurations, missing labels: {', '.join(missing) or 'none'}"
            )
            return self.exit_codes.ERROR_OUTPUT_UNREADABLE.format(detail=detail)
        self.out("label", label)
        self.out("quality", Dict(_quality(item)))
        return None


def _quality(item: LabelledConfiguration) -> dict[str, Any]:
    """Return what the engine wrote about the label; it writes converged labels only."""
    return {
        "converged": True,
        **{key: value for key, value in item.info.items() if isinstance(value, (str, int, float))},
    }
