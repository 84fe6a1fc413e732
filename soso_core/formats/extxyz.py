"""Reader and writer of extended XYZ through ASE, with the columns of docs/conventions.md."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from ase import Atoms

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.errors import InputError, first_line, locate_errors, reading
from soso_core.formats.atomic_write import write_file
from soso_core.formats.atoms import (
    atoms_from_configuration,
    atoms_from_labelled,
    configuration_from_atoms,
    full_stress,
    labelled_from_atoms,
)
from soso_core.labels import LabelledConfiguration

Value = TypeVar("Value")


def read_atoms(path: Path | str) -> list[Atoms]:
    """Return every frame of an extended XYZ file, unchecked.

    Raises InputError, in one line, for a missing, empty, truncated or malformed file.
    """
    with reading(Path(path)):
        text = Path(path).read_text(encoding="utf8")
    return _parse_atoms(text, str(path))


def parse_extxyz(text: str, name: str) -> Dataset:
    """Return the labelled configurations of a text; `name` is that of its file in messages.  Raises InputError."""
    return Dataset(tuple(_convert_frames(_parse_atoms(text, name), name, labelled_from_atoms)))


def format_extxyz(dataset: Iterable[LabelledConfiguration]) -> str:
    """Return labelled configurations as text, all digits kept."""
    return "".join(_frame_text(atoms_from_labelled(item)) for item in dataset)


def _parse_atoms(text: str, file: str) -> list[Atoms]:
    from ase.io import read as ase_read  # imports SciPy, which no help text needs

    n_frames = _check_text(file, text.splitlines())
    try:
        frames = ase_read(io.StringIO(text, newline=None), ":", format="extxyz")
    except Exception as error:  # ASE's parser raises many classes; each means the same to a user
        raise InputError(f"cannot read {file} as extended XYZ: {first_line(error)}") from None
    if len(frames) != n_frames:
        raise InputError(f"cannot read {file}: {n_frames} frames announced, {len(frames)} found")
    return list(frames)


def read_dataset(path: Path | str) -> Dataset:
    """Read labelled configurations; absent labels are None.

    Raises InputError that names file, configuration and problem.
    """
    return Dataset(tuple(_convert_frames(read_atoms(path), path, labelled_from_atoms)))


def read_configurations(path: Path | str) -> list[Configuration]:
    """Read configurations without their labels.  Raises InputError as `read_dataset` does."""
    return list(_convert_frames(read_atoms(path), path, configuration_from_atoms))


def write_dataset(path: Path | str, dataset: Iterable[LabelledConfiguration]) -> None:
    """Write labelled configurations atomically, with all digits."""
    write_atoms(path, [atoms_from_labelled(item) for item in dataset])


def write_configurations(path: Path | str, configurations: Iterable[Configuration]) -> None:
    """Write configurations without labels atomically, with all digits."""
    write_atoms(path, [atoms_from_configuration(item) for item in configurations])


def write_atoms(path: Path | str, frames: Iterable[Atoms]) -> None:
    """Write ASE frames (arrays, info and calculator results) with 17 significant digits, atomically."""
    write_file(path, "".join(_frame_text(atoms) for atoms in frames))


def _convert_frames(frames: Iterable[Atoms], path: Path | str, convert: Callable[[Atoms], Value]) -> Iterator[Value]:
    for i, atoms in enumerate(frames):
        with locate_errors(f"{path}, configuration {i}"):
            yield convert(atoms)


def _check_text(file: str, lines: list[str]) -> int:
    """Return the number of frames.  Raises InputError that names the line of a bad header or row.

    ASE alone would stop at a blank line without an error, drop columns that Properties does not announce, and name no
    line for a bad number.
    """
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise InputError(f"{file} is empty")
    cursor = n_frames = 0
    while cursor < len(lines):
        header = lines[cursor].strip()
        if not header.isdecimal():
            raise InputError(f"{file}, line {cursor + 1}: expected a number of atoms, found {header[:40]!r}")
        end = cursor + int(header) + 2
        if end > len(lines):
            raise InputError(f"{file} is truncated: configuration {n_frames} lacks {end - len(lines)} lines")
        kinds = _column_kinds(lines[cursor + 1])
        for number in range(cursor + 2, end):
            _check_row(f"{file}, line {number + 1} (configuration {n_frames})", lines[number].split(), kinds)
        cursor = end
        n_frames += 1
    return n_frames


def _column_kinds(header: str) -> str:
    """Return the type letter of every column (S, R, I, L) that the header's Properties announce."""
    found = re.search(r"Properties=\"?([^\s\"]+)", header)
    fields = (found.group(1) if found else "species:S:1:pos:R:3").split(":")
    widths = [int(width) if width.isdecimal() else 1 for width in fields[2::3]]
    return "".join(kind * width for kind, width in zip(fields[1::3], widths, strict=False))


def _check_row(where: str, words: list[str], kinds: str) -> None:
    if len(words) != len(kinds):
        raise InputError(f"{where}: {len(words)} columns, Properties announce {len(kinds)}")
    for word, kind in zip(words, kinds, strict=True):
        if kind == "R":
            parse_number(word, where)


def parse_number(word: str, where: str) -> float:
    """Return a number in a file.  Raises InputError that names the place."""
    try:
        return float(word)
    except ValueError:
        raise InputError(f"{where}: {word[:40]!r} is not a number") from None


def _frame_text(atoms: Atoms) -> str:
    """Return one frame as text: the header is ASE's, the numbers have 17 digits, where ASE writes 8 decimals."""
    from ase.io.extxyz import output_column_format

    frame = atoms.copy()
    if atoms.calc is not None:
        _move_results(frame, dict(atoms.calc.results))
    names = ["symbols", "positions", *(k for k in frame.arrays if k not in ("numbers", "positions"))]
    columns = {name: frame.arrays[name] for name in names if name != "symbols"}
    columns["symbols"] = np.array(frame.get_chemical_symbols())
    header, _, _, _ = output_column_format(frame, names, columns)
    flat = [columns[name].reshape(len(frame), -1) for name in names]
    rows = [" ".join(_cell_text(value) for block in flat for value in block[a]) for a in range(len(frame))]
    return "\n".join([str(len(frame)), header, *rows]) + "\n"


def _move_results(frame: Atoms, results: dict[str, Any]) -> None:
    for key, value in results.items():
        if np.ndim(value) and len(value) == len(frame) and key != "stress":
            frame.arrays[key] = np.asarray(value)
        else:
            frame.info[key] = full_stress(value) if key == "stress" else value


def _cell_text(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{value:.17g}"
    if isinstance(value, (bool, np.bool_)):
        return "T" if value else "F"
    return str(value)
