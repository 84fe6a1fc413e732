"""Output files, checked before the work starts."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from soso_core.errors import InputError


def check_output(output: Path, inputs: Iterable[Path]) -> None:
    """Raise InputError when `output` could not be written in the end, or would overwrite one of `inputs`."""
    folder = output.parent
    if output.is_dir():
        raise InputError(f"cannot write {output}: it is a folder")
    if not folder.is_dir():
        raise InputError(f"cannot write {output}: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"cannot write {output}: no permission to write in {folder}")
    for given in inputs:
        if output.exists() and given.exists() and output.samefile(given):
            raise InputError(f"{output} is input and output at once; choose another name")


def check_outputs_differ(outputs: Mapping[str, Path]) -> None:
    """Raise InputError when two options name one file."""
    seen: dict[Path, str] = {}
    for option, path in outputs.items():
        other = seen.setdefault(path.resolve(), option)
        if other != option:
            raise InputError(f"{other} and {option} both name {path}")
