"""Crystal structures of any format ASE reads, without spins."""

from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read as ase_read

from soso_core.configuration import Configuration
from soso_core.errors import InputError


def read_structure(path: Path | str) -> Configuration:
    """Return the last structure of a file, every spin zero.

    Raises InputError, in one line, for a missing, unreadable or non-periodic structure.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"cannot read structure {file}: {'not a file' if file.exists() else 'no such file'}")
    try:
        atoms: Any = ase_read(file)
    except Exception as error:  # ASE's many readers raise many kinds; each means the same to a user
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"cannot read structure {file}: {reason}") from None
    return checked_structure(atoms, file)


def checked_structure(atoms: Any, file: Path) -> Configuration:
    """Return a structure that was read from `file`, every spin zero.

    Raises InputError, in one line, when it is not periodic, or no crystal.
    """
    if not all(atoms.pbc):
        raise InputError(f"structure {file}: pbc is {atoms.pbc.tolist()}; only fully periodic cells are supported")
    try:
        return Configuration(atoms.numbers, atoms.positions, atoms.cell.array, np.zeros((len(atoms), 3)))
    except InputError as error:
        raise InputError(f"structure {file}: {error}") from None
