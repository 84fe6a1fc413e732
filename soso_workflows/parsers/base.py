"""Parse exit status, stderr and output file of a job into nodes and exit codes."""

import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from aiida.engine import ExitCode
from aiida.orm import FolderData
from aiida.parsers import Parser

from soso_core.errors import ConvergenceError, InputError
from soso_workflows.calculations.base import SosoCalculation
from soso_workflows.parsers.retrieved import text_of

FIRST_SIGNAL_STATUS = 128
"""A shell reports a command that was killed by a signal as 128 + the number of the signal."""


class SosoParser(Parser):
    """Base of the parsers of `soso` CalcJobs: checks the exit status, then reads the output file."""

    @cached_property
    def retrieved(self) -> FolderData:
        """The retrieved files, cached because AiiDA queries the database at each access."""
        return super().retrieved

    def parse(self, **_kwargs: Any) -> ExitCode | None:
        """Return the exit code of the job, or None when it succeeded and its outputs are attached."""
        failure = self._failure_of_command()
        if failure is not None:
            return failure
        name = self._calculation_class.OUTPUT
        if name not in self.retrieved.base.repository.list_object_names():
            return self.exit_codes.ERROR_OUTPUT_MISSING.format(detail=f"`soso` wrote no {name}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(self.retrieved.base.repository.get_object_content(name, mode="rb"))
            try:
                return self.attach_outputs(path)
            except InputError as error:
                return self.exit_codes.ERROR_OUTPUT_UNREADABLE.format(detail=str(error).replace(f"{folder}/", ""))

    def attach_outputs(self, path: Path) -> ExitCode | None:
        """Read the output file and attach the output nodes.  Raises InputError when it cannot be read."""
        raise NotImplementedError

    @property
    def _calculation_class(self) -> type[SosoCalculation]:
        process_class = self.node.process_class
        assert issubclass(process_class, SosoCalculation)
        return process_class

    def _failure_of_command(self) -> ExitCode | None:
        status = self._text(SosoCalculation.STATUS).strip()
        if not status.isdecimal():
            return self.exit_codes.ERROR_OUT_OF_WALLTIME.format(detail="no exit status was written")
        if status == "0":
            return None
        lines = self._text(SosoCalculation.STDERR).strip().splitlines()
        detail = lines[-1] if lines else f"`soso` ended with status {status} without a message"
        if int(status) > FIRST_SIGNAL_STATUS:
            return self.exit_codes.ERROR_OUT_OF_WALLTIME.format(detail=f"killed by signal {int(status) - 128}")
        known = {
            ConvergenceError.exit_code: self.exit_codes.ERROR_NOT_CONVERGED,
            InputError.exit_code: self.exit_codes.ERROR_BAD_INPUT,
        }
        return known.get(int(status), self.exit_codes.ERROR_COMMAND_FAILED).format(detail=detail)

    def _text(self, name: str) -> str:
        return text_of(self.retrieved, name)
