"""Checks of output files before a command starts its work."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from soso_core.errors import InputError


def check_output(output: Path, inputs: Iterable[Path]) -> None:
    """Raise InputError when the file `output` cannot be written, or when it is one of the `inputs`."""
    folder = output.parent
    if output.is_dir():
        raise InputError(f"cannot write {output}: it is a folder")
    if not folder.is_dir():
        raise InputError(f"cannot write {output}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"cannot write {output}: no permission to write in {folder}")
    for given in inputs:
        if output.exists() and given.exists() and output.samefile(given):
            raise InputError(f"input and output are the same file: {output}; choose another name for the output")


def check_outputs(outputs: Mapping[str, Path | None], inputs: Iterable[Path]) -> None:
    """Raise InputError when the file of an option cannot be written, is an input, or that of another option."""
    seen: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        check_output(path, inputs)
        other = seen.setdefault(path.resolve(), option)
        if other != option:
            raise InputError(f"{other} and {option} both name {path}")
