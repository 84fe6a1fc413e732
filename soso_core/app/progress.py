"""The progress bar of long commands: on a terminal's stderr, silent elsewhere."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from soso_core.labels import LabelledConfiguration


def progress_bar() -> Progress:
    """Return a bar with counts and times."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, *times, console=console, disable=not console.is_terminal)


@contextmanager
def track_configurations(
    description: str,
) -> Iterator[Callable[[Sequence[LabelledConfiguration]], Iterable[LabelledConfiguration]]]:
    """Give a function that yields what it is given and moves a bar on."""
    with progress_bar() as progress:
        yield lambda items: progress.track(items, description=description)
