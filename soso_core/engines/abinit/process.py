"""Run ABINIT: one process in a folder of its own, which never outlives this one."""

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from soso_core.errors import InputError

INPUT_NAME, OUTPUT_NAME, LOG_NAME = "run.abi", "run.abo", "run.log"

GRACE_SECONDS = 5.0
"""From SIGTERM to SIGKILL; mpirun ends its processes in this time."""

PARENT_DEATH_SIGNAL = 1
"""Linux: prctl(PR_SET_PDEATHSIG), the signal that a process receives when its parent dies."""


@dataclass(frozen=True)
class Finished:
    """The end of a run: `status` is that of the process (minus the signal), None when time ran out."""

    status: int | None
    output: str
    log: str


def split_command(command: str) -> list[str]:
    """Return the words of a command.  Raises InputError when it is malformed or its program is not installed."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"command: {command!r}: {error}") from None
    if not words or shutil.which(words[0]) is None:
        program = words[0] if words else command
        raise InputError(
            f"ABINIT is not installed: there is no program '{program}'; on Debian: apt-get install abinit; "
            "elsewhere set its path: command: /path/to/abinit"
        )
    return words


def run(command: str, folder: Path, timeout_seconds: float) -> Finished:
    """Run ABINIT on the input file in a folder and wait; the process is ended in every case.

    Raises InputError when the program is not installed.
    """
    words = [*split_command(command), INPUT_NAME]
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    with (folder / LOG_NAME).open("wb") as log:
        process = subprocess.Popen(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        status: int | None = None
        try:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(timeout=timeout_seconds)
        finally:
            _end(process)
    return Finished(status, _read(folder / OUTPUT_NAME), _read(folder / LOG_NAME))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the process and its children: by SIGTERM, then by SIGKILL."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_SECONDS)
            return


def _die_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, even by a signal that cannot be caught."""
    ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _read(path: Path) -> str:
    """Return the text of a file, empty when there is none."""
    return path.read_text(encoding="utf8", errors="replace") if path.exists() else ""
