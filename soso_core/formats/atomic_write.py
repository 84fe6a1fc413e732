"""Atomic writing: a file is written beside its target and renamed, so that a reader never sees half of it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from soso_core.errors import InputError


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` when the block succeeds.

    The temporary file is removed when the block raises, so `path` is either the old file or the complete new one.
    A symbolic link is followed.  Raises InputError when the folder does not exist or is not writable, and when
    `path` is not a regular file (a device would be replaced by one).
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        raise InputError(f"cannot write {path}: it is not a regular file")
    # Named before it is created: a signal may raise anywhere, and a file without a known name would remain.
    temporary = target.parent / f".{target.name}.{secrets.token_hex(6)}.part"
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_current_umask())
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):  # it does not exist when it could not be created
            temporary.unlink()


def write_file(path: Path | str, content: str | bytes) -> None:
    """Write text (as UTF-8) or bytes into a file, atomically.  Raises InputError as `atomic_write` does."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.encode("utf8") if isinstance(content, str) else content)


def _current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
