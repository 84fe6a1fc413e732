"""Atomic writing of a folder: it is written beside its target and renamed, so that a reader never sees half of it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from soso_core.errors import InputError


@contextmanager
def atomic_folder(path: Path | str, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path` when the block succeeds.

    An existing folder is replaced when it is empty or `is_ours(path)` is true.  The temporary folder is removed when
    the block raises.  Raises InputError for anything else at `path`, and when the parent does not exist or is not
    writable.
    """
    target = Path(path).resolve()
    check_folder_target(target, is_ours)
    try:
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}") from None
    try:
        new = temporary / "new"
        new.mkdir()  # with the usual permissions; mkdtemp's folder is private
        yield new
        _swap(new, target, temporary / "old")
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_folder_target(path: Path, is_ours: Callable[[Path], bool]) -> None:
    """Raise InputError when `path` exists and must not be replaced."""
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"cannot write {path}: it is a file")
    if any(path.iterdir()) and not is_ours(path):
        raise InputError(f"cannot write {path}: the folder contains files not written by soso; choose another name")


def _swap(new: Path, target: Path, old: Path) -> None:
    """Move `new` to `target`; restore the previous folder when that fails."""
    if target.exists():
        target.replace(old)
    try:
        new.replace(target)
    except OSError:
        if old.exists():
            old.replace(target)
        raise
