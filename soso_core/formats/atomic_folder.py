"""A folder written beside its target, then renamed: a reader never sees half of one."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from soso_core.errors import InputError


@contextmanager
def atomic_folder(path: Path | str, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; rename it to `path` when the block succeeds.

    A folder that is there already is replaced when `is_ours(path)` says so or when it is empty.  The temporary
    folder is removed when the block raises.  Raises InputError for anything else at `path`, and when the parent
    does not exist or cannot be written.
    """
    target = Path(path).resolve()
    check_folder_target(target, is_ours)
    try:
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}") from None
    try:
        fresh = temporary / "new"
        fresh.mkdir()  # mkdtemp's own folder is closed to others; this one has the usual permissions
        yield fresh
        _swap(fresh, target, temporary / "old")
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_folder_target(path: Path, is_ours: Callable[[Path], bool]) -> None:
    """Raise InputError when `path` is there and may not be replaced."""
    if not path.exists():
        return
    if not path.is_dir():
        raise InputError(f"cannot write {path}: it is a file")
    if any(path.iterdir()) and not is_ours(path):
        raise InputError(f"cannot write {path}: the folder holds files of others; choose another name")


def _swap(fresh: Path, target: Path, old: Path) -> None:
    """Put `fresh` in the place of `target`; what was there comes back when that fails."""
    if target.exists():
        target.replace(old)
    try:
        fresh.replace(target)
    except OSError:
        if old.exists():
            old.replace(target)
        raise
