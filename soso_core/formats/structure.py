"""Crystal structures of any format that ASE reads, without spins."""

from pathlib import Path

import numpy as np
from ase import Atoms

from soso_core.configuration import Configuration
from soso_core.errors import InputError, first_line, locate_errors
from soso_core.formats.atoms import check_periodic


def read_structure(path: Path | str) -> Configuration:
    """Return the last structure of a file, every spin zero.

    Raises InputError, in one line, for a missing or unreadable file, and as `validate_structure` does.
    """
    return validate_structure(read_structure_atoms(path), path)


def read_structure_atoms(path: Path | str) -> Atoms:
    """Return the last structure of a file as ASE Atoms.  Raises InputError as `read_structure` does."""
    from ase.io import read as ase_read

    file = Path(path)
    if not file.is_file():
        raise InputError(f"cannot read structure {file}: {'not a file' if file.exists() else 'no such file'}")
    try:
        atoms = ase_read(file)
    except Exception as error:  # ASE's many readers raise many classes; each means the same to a user
        raise InputError(f"cannot read structure {file}: {first_line(error)}") from None
    assert isinstance(atoms, Atoms)  # without an index ASE returns one frame
    validate_structure(atoms, file)
    return atoms


def validate_structure(atoms: Atoms, path: Path | str) -> Configuration:
    """Return the structure that was read from `path` as a Configuration, every spin zero.

    Raises InputError, in one line, when it is not periodic along all three directions or its cell is no crystal's.
    """
    with locate_errors(f"structure {path}"):
        check_periodic(atoms)
        return Configuration(atoms.numbers, atoms.positions, atoms.cell.array, np.zeros((len(atoms), 3)))
