"""Parser of `soso.explore`."""

from pathlib import Path

from aiida.engine import ExitCode

from soso_workflows.calculations.base import SosoCalculation
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.parsers.base import SosoParser

NOTE = "note: "
"""Beginning of a line of `soso explore` that is passed on to the user."""


class SosoExploreParser(SosoParser):
    """Attach `candidates`."""

    def attach_outputs(self, path: Path) -> ExitCode | None:
        """Read the batch.  Raises InputError when it is truncated.

        Too many configurations end with ERROR_OUTPUT_UNREADABLE.
        The batch is smaller than requested when too few candidates are not symmetry-equivalent to labels.  Notes of
        the command become warnings in the report of the process.
        """
        for line in self._text(SosoCalculation.STDOUT).splitlines():
            if line.startswith(NOTE):
                self.logger.warning(line.removeprefix(NOTE))
        candidates, wanted = SosoDataset(path), self.node.inputs.n_select.value
        if candidates.n_configurations > wanted:
            detail = f"{wanted} configurations were requested, {candidates.n_configurations} were found"
            return self.exit_codes.ERROR_OUTPUT_UNREADABLE.format(detail=detail)
        self.out("candidates", candidates)
        return None
