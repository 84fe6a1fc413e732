"""Parser of `soso.explore`."""

from pathlib import Path

from aiida.engine import ExitCode

from soso_workflows.calculations.base import SosoCalculation
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.parsers.base import SosoParser

NOTE = "note: "
"""What a line of `soso explore` begins with that a user should see."""


class SosoExploreParser(SosoParser):
    """Attach `candidates`."""

    def attach_outputs(self, path: Path) -> ExitCode | None:
        """Read the chosen batch.  Raises InputError when it is truncated; too many of them is an unreadable output.

        Fewer come when there are no more that no symmetry turns into a label there is.  Notes of the command become
        warnings in the report of the process.
        """
        for line in self._text(SosoCalculation.STDOUT).splitlines():
            if line.startswith(NOTE):
                self.logger.warning(line.removeprefix(NOTE))
        candidates, wanted = SosoDataset(path), self.node.inputs.n_select.value
        if candidates.n_configurations > wanted:
            detail = f"{wanted} configurations were asked for, {candidates.n_configurations} came"
            return self.exit_codes.ERROR_OUTPUT_UNREADABLE.format(detail=detail)
        self.out("candidates", candidates)
        return None
