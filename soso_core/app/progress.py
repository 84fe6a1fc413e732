"""Progress bar of long commands, on stderr when it is a terminal."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def progress_bar() -> Progress:
    """Return a progress bar with counts and times."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, *times, console=console, disable=not console.is_terminal)


@contextmanager
def track(description: str) -> Iterator[Callable[[Sequence[Any]], Iterable[Any]]]:
    """Yield a function that iterates over its argument and advances a progress bar."""
    with progress_bar() as progress:
        yield lambda items: progress.track(items, description=description)
