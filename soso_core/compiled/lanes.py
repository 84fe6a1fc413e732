"""Threads: kernels release the interpreter lock, so plain threads run them side by side."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from soso_core.errors import InputError

LANES = 8
"""Parts the atoms are divided into, for any number of threads up to this: so that results do not depend on it."""


def n_lanes(n_threads: int) -> int:
    """Return into how many parts the atoms are divided.  Raises InputError for less than one thread."""
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
