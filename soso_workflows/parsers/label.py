"""Parser of every calculation that runs `soso label`."""

from pathlib import Path

from aiida.engine import ExitCode
from aiida.orm import Dict

from soso_core.engines.contract import REQUIRED_LABELS
from soso_workflows.data.dataset import SosoDataset, describe_quality
from soso_workflows.parsers.base import SosoParser


class SosoLabelParser(SosoParser):
    """Attach `label` and `quality`."""

    def attach_outputs(self, path: Path) -> ExitCode | None:
        """Read the labelled configuration.  Raises InputError when it is truncated."""
        label = SosoDataset(path)
        missing = label.find_missing_labels(REQUIRED_LABELS)
        if missing or label.n_configurations != 1:
            detail = (
                f"{path.name}: {label.n_configurations} configurations, missing labels: {', '.join(missing) or 'none'}"
            )
            return self.exit_codes.ERROR_OUTPUT_UNREADABLE.format(detail=detail)
        self.out("label", label)
        self.out("quality", Dict(describe_quality(label.get_dataset()[0])))
        return None
