"""The formats of labels that `soso data convert` reads and writes: one entry of the table `FORMATS` each."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from soso_core.app.paths import check_output
from soso_core.dataset import Dataset
from soso_core.errors import InputError, locate_errors
from soso_core.formats import (
    read_dataset,
    read_deepmd,
    read_embset,
    read_structure,
    write_configurations,
    write_dataset,
    write_deepmd,
    write_embset,
)
from soso_core.formats.atomic_folder import check_folder_target
from soso_core.formats.deepmd_write import is_ours
from soso_core.formats.embset import check_same_lattice

XYZ_SUFFIXES = (".extxyz", ".xyz")


class Format(NamedTuple):
    """One format of labels.  `structure` is a file that holds the lattice, for formats that have none."""

    suffixes: tuple[str, ...]
    read: Callable[[Path, Path | None], Dataset] | None
    write: Callable[[Path, Dataset, Path | None], None] | None
    check_target: Callable[[Path, Iterable[Path]], None] = check_output


def find_format(path: Path, given: str | None, option: str) -> str:
    """Return the format `given`, or the one that the name of a path states.  Raises InputError when it states none."""
    if given or path.is_dir():
        return given or "deepmd"
    if path.name.upper().startswith("EMBSET"):
        return "embset"
    for name, item in FORMATS.items():
        if path.suffix.lower() in item.suffixes:
            return name
    *names, last = READABLE if option == "--from" else WRITABLE
    raise InputError(f"the format of {path} is unknown; add {option} {', '.join(names)} or {last}")


def _read_embset(path: Path, structure: Path | None) -> Dataset:
    if structure is None:
        raise InputError(f"{path} has no lattice; give a structure file with --structure")
    return read_embset(path, read_structure(structure))


def _write_embset(path: Path, dataset: Dataset, structure: Path | None) -> None:
    lattice = dataset[0].configuration
    if structure is not None and structure.exists():
        with locate_errors(f"the lattice in {structure} does not match"):
            check_same_lattice(read_structure(structure), lattice)
    elif structure is not None and structure.suffix.lower() not in XYZ_SUFFIXES:
        raise InputError(f"the lattice is written as extended XYZ; choose a name that ends in .extxyz, not {structure}")
    elif structure is not None:
        check_output(structure, [])
    write_embset(path, dataset)
    if structure is not None and not structure.exists():
        write_configurations(structure, [lattice])


def _check_folder(output: Path, inputs: Iterable[Path]) -> None:
    for path in inputs:
        if _is_inside(path, output):
            raise InputError(f"input and output are the same folder: {output}; choose another name for the output")
    check_folder_target(output, is_ours)
    check_output(output / "set", []) if output.is_dir() else check_output(output, [])


def _is_inside(path: Path, folder: Path) -> bool:
    """Return whether one path is the other or lies in it."""
    one, other = path.resolve(), folder.resolve()
    return one == other or other in one.parents or (one in other.parents and (one / "type.raw").exists())


FORMATS = {
    "extxyz": Format(XYZ_SUFFIXES, lambda path, _: read_dataset(path), lambda path, data, _: write_dataset(path, data)),
    "deepmd": Format(
        (".deepmd",), lambda path, _: read_deepmd(path), lambda path, data, _: write_deepmd(path, data), _check_folder
    ),
    "embset": Format((".embset",), _read_embset, _write_embset),
}
"""Every format by name; one that is only written has no `read`, one that is only read no `write`."""
READABLE = tuple(name for name, item in FORMATS.items() if item.read)
WRITABLE = tuple(name for name, item in FORMATS.items() if item.write)
ENDINGS = "; ".join(f"{name}: *{', *'.join(item.suffixes)}" for name, item in FORMATS.items())
"""The endings of every format, for the help."""


def convert(
    source: Path, given: str | None, output: Path, wanted: str | None, structure: Path | None
) -> tuple[int, str]:
    """Convert a set of labels; return the number of configurations and the format written.

    Raises InputError before anything is written when a format is unknown or the output cannot be written.
    """
    source_format, target_format = find_format(source, given, "--from"), find_format(output, wanted, "--to")
    read, (_, _, write, check_target) = FORMATS[source_format].read, FORMATS[target_format]
    if read is None:
        raise InputError(f"cannot read {source}: {source_format} can only be written")
    if write is None:
        raise InputError(f"cannot write {output}: {target_format} can only be read")
    check_target(output, [path for path in (source, structure) if path is not None])
    dataset = read(source, structure)
    with locate_errors(str(source)):
        write(output, dataset, structure if source_format != "embset" else None)
    return len(dataset), target_format
