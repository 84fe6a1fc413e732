"""Threads: kernels release the interpreter lock, so Python threads run them in parallel."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from soso_core.errors import InputError

LANES = 8
"""Number of parts of the atoms, the same for up to as many threads, so that results do not depend on their number."""


def n_lanes(n_threads: int) -> int:
    """Return the number of parts of the atoms.  Raises InputError for less than one thread."""
    if n_threads < 1:
        raise InputError(f"{n_threads} threads: at least one is needed")
    return max(LANES, n_threads)


def run_lanes(kernel: Callable[..., None], n_lanes: int, n_threads: int, *arguments: Any) -> None:
    """Call kernel(first, last, *arguments) for all lanes, on one thread or several; the same code, the same numbers."""
    if n_threads == 1:
        kernel(0, n_lanes, *arguments)
        return
    ends = np.linspace(0, n_lanes, n_threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(n_threads) as pool:
        running = [pool.submit(kernel, a, b, *arguments) for a, b in pairwise(ends)]
        for future in running:
            future.result()
