"""Limit the threads of BLAS and of this program."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

THREADS = "SOSO_NUM_THREADS"
"""Environment variable that sets the number of Python threads."""
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

Item = TypeVar("Item")
Result = TypeVar("Result")


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS runs on one thread; an environment variable that sets the number wins.

    The matrices here are small: more threads wait for each other, and on a busy machine two of them were
    measured to burn seventy times the CPU time of one.
    """
    if any(name in os.environ for name in BLAS_THREADS):
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limits


def worker_count() -> int:
    """Return how many Python threads may compute at once: SOSO_NUM_THREADS, or the cores this process may use."""
    given = os.environ.get(THREADS, "")
    return int(given) if given.isdecimal() and int(given) > 0 else available_cores()


def available_cores() -> int:
    """Return the number of cores this process may use; macOS does not restrict a process to some of the cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return function(item) of every item, in order, computed by `worker_count` threads."""
    with one_blas_thread(), ThreadPoolExecutor(worker_count()) as pool:
        return list(pool.map(function, items))
