"""The embedded engine, by the real `soso` command."""

import sys
from pathlib import Path

from aiida.orm import InstalledCode
from label_contract import Harness


def code(computer, folder):
    executable = Path(sys.executable).parent / "soso"
    return InstalledCode(label="soso", computer=computer, filepath_executable=str(executable)).store()


HARNESS = Harness(code, settings={"k_mesh": [3, 3, 3], "tolerance": 1e-7})
