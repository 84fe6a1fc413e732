"""The errors a user can meet.  Each message is one line that names the problem and its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SosoError(Exception):
    """Any error that this package reports in one line; the `soso` command then exits with `exit_code`."""

    exit_code = 1


class InputError(SosoError):
    """Invalid input: a bad file, a value out of range, an unknown key."""

    exit_code = 2


class ConvergenceError(SosoError):
    """An iteration that did not reach its tolerance; its result was discarded."""

    exit_code = 3


@contextmanager
def locate_errors(where: str) -> Iterator[None]:
    """Put `where` (a file, a configuration, a key) before the message of an error unless the message begins with it.

    Raises the InputError or ConvergenceError of the block, its class unchanged.
    """
    try:
        yield
    except (InputError, ConvergenceError) as error:
        text = str(error)
        raise type(error)(text if text.startswith(where) else f"{where}: {text}") from None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise InputError in place of the errors of a file that cannot be opened or is not text."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"cannot read {path}: not a text file") from None


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or the name of its class when it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
