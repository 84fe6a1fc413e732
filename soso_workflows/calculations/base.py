"""The base of all `soso` CalcJobs: one command, an input and an output file, and the exit status in a file."""

from collections.abc import Mapping
from typing import Any

import yaml
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from soso_core.threads import BLAS_THREADS, THREADS

ONE_BLAS_THREAD = dict.fromkeys(BLAS_THREADS, "1")
ONE_THREAD = {**ONE_BLAS_THREAD, THREADS: "1"}


class SosoCalculation(CalcJob):
    """Base of the CalcJobs that run one `soso` command in its own folder.

    Exit codes of all of them (their parsers decide):

    - 300: the job ended before the command did (walltime, memory, a signal)
    - 301: the output file is missing
    - 302: the output file cannot be read (truncated, or of another program)
    - 310: the command reported invalid input
    - 320: the command failed for another reason
    - 410: an iteration did not converge (engines only)
    """

    STDOUT, STDERR, STATUS = "soso.out", "soso.err", "soso.exit"
    SETTINGS = "settings.yaml"
    OUTPUT = ""
    WALLCLOCK_SECONDS = 3600
    ENVIRONMENT: Mapping[str, str] = ONE_THREAD
    """A label job uses one core, since many run at once; with `ONE_BLAS_THREAD` a job uses all cores."""

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Declare the inputs, options and exit codes of all `soso` CalcJobs."""
        super().define(spec)
        options = spec.inputs["metadata"]["options"]
        options["resources"].default = lambda: {"num_machines": 1, "num_mpiprocs_per_machine": 1}
        options["withmpi"].default = False
        options["max_wallclock_seconds"].default = cls.WALLCLOCK_SECONDS
        options["environment_variables"].default = lambda: dict(cls.ENVIRONMENT)
        spec.inputs["code"].required = True
        spec.exit_code(300, "ERROR_OUT_OF_WALLTIME", message="the job ended before `soso` did: {detail}")
        spec.exit_code(301, "ERROR_OUTPUT_MISSING", message="{detail}")
        spec.exit_code(302, "ERROR_OUTPUT_UNREADABLE", message="{detail}")
        spec.exit_code(310, "ERROR_BAD_INPUT", message="{detail}")
        spec.exit_code(320, "ERROR_COMMAND_FAILED", message="{detail}")
        spec.exit_code(410, "ERROR_NOT_CONVERGED", message="{detail}")

    def command(self) -> list[str]:
        """Return the arguments of `soso`."""
        raise NotImplementedError

    def write_inputs(self, folder: Folder) -> None:
        """Write the input files that are not copies of a node's file."""

    def copied_files(self) -> list[tuple[str, str, str]]:
        """Return (node UUID, name in the node, name in the job folder) of the files to copy."""
        return []

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Return the job description; the shell writes the exit status of `soso` to a file."""
        self.write_inputs(folder)
        code_info = CodeInfo()
        code_info.code_uuid = self.inputs.code.uuid
        code_info.cmdline_params = self.command()
        code_info.stdout_name, code_info.stderr_name = self.STDOUT, self.STDERR
        calc_info = CalcInfo()
        calc_info.codes_info = [code_info]
        calc_info.local_copy_list = self.copied_files()
        calc_info.append_text = f"echo $? > {self.STATUS}"
        calc_info.retrieve_list = [self.STDOUT, self.STDERR, self.STATUS, self.OUTPUT]
        return calc_info


def write_settings(folder: Folder, values: dict[str, Any]) -> None:
    """Write a settings file for the command."""
    with folder.open(SosoCalculation.SETTINGS, "w", encoding="utf8") as handle:
        yaml.safe_dump(values, handle, sort_keys=True)
