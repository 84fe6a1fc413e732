"""How many threads Numba uses."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba

from soso_core.errors import InputError


@contextmanager
def numba_threads(n_threads: int) -> Iterator[None]:
    """Let parallel kernels use so many threads inside the context.

    Raises InputError for a number that Numba was not started with (NUMBA_NUM_THREADS, by default all cores).
    """
    most = numba.config.NUMBA_NUM_THREADS
    if not 1 <= n_threads <= most:
        raise InputError(f"{n_threads} threads: 1 to {most} are possible (NUMBA_NUM_THREADS)")
    before = numba.get_num_threads()
    numba.set_num_threads(n_threads)
    try:
        yield
    finally:
        numba.set_num_threads(before)
