"""Which format a name stands for, and how each is read and written."""

from collections.abc import Iterable
from pathlib import Path

from soso_core.app.paths import check_output
from soso_core.dataset import Dataset
from soso_core.errors import InputError, located
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

FORMATS = ("extxyz", "deepmd", "embset")
XYZ_SUFFIXES = (".extxyz", ".xyz")


def source_format(path: Path, given: str | None) -> str:
    """Return the format of an input.  Raises InputError when its name leaves it open."""
    return given or ("deepmd" if path.is_dir() else _by_name(path, "--from"))


def target_format(path: Path, given: str | None) -> str:
    """Return the format of an output.  Raises InputError when its name leaves it open."""
    return given or ("deepmd" if path.is_dir() else _by_name(path, "--to"))


def _by_name(path: Path, option: str) -> str:
    if path.suffix.lower() in XYZ_SUFFIXES:
        return "extxyz"
    if path.suffix.lower() == ".deepmd":
        return "deepmd"
    if path.suffix.lower() == ".embset" or path.name.upper().startswith("EMBSET"):
        return "embset"
    raise InputError(
        f"the name {path} does not tell its format; say {option} {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    )


def check_target(output: Path, kind: str, inputs: Iterable[Path]) -> None:
    """Raise InputError when the output could not be written in the end, or would overwrite an input."""
    if kind != "deepmd":
        check_output(output, inputs)
        return
    for path in inputs:
        if _inside(path, output):
            raise InputError(f"{output} is input and output at once; choose another name")
    check_folder_target(output, is_ours)
    check_output(output / "set", []) if output.is_dir() else check_output(output, [])


def _inside(path: Path, folder: Path) -> bool:
    """Whether one path is the other or lies in it."""
    one, other = path.resolve(), folder.resolve()
    return one == other or other in one.parents or (one in other.parents and (one / "type.raw").exists())


def read_any(path: Path, kind: str, structure: Path | None) -> Dataset:
    """Read a set of labels.  Raises InputError."""
    if kind == "embset":
        if structure is None:
            raise InputError(f"{path} has no lattice; name a file that has it with --structure")
        return read_embset(path, read_structure(structure))
    return read_deepmd(path) if kind == "deepmd" else read_dataset(path)


def write_any(path: Path, kind: str, dataset: Dataset, source: Path, structure: Path | None) -> None:
    """Write a set of labels; `structure` names the file for the lattice of an EMBSET.  Raises InputError."""
    with located(str(source)):
        if kind == "embset":
            _write_embset(path, dataset, structure)
        elif kind == "deepmd":
            write_deepmd(path, dataset)
        else:
            write_dataset(path, dataset)


def _write_embset(path: Path, dataset: Dataset, structure: Path | None) -> None:
    lattice = dataset[0].configuration
    if structure is not None and structure.exists():
        with located(f"the lattice in {structure} does not match"):
            check_same_lattice(read_structure(structure), lattice)
    elif structure is not None and structure.suffix.lower() not in XYZ_SUFFIXES:
        raise InputError(f"the lattice is written as extended XYZ; choose a name that ends in .extxyz, not {structure}")
    elif structure is not None:
        check_output(structure, [])
    write_embset(path, dataset)
    if structure is not None and not structure.exists():
        write_configurations(structure, [lattice])
