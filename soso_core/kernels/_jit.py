"""The one compile decorator of all kernels: compiled once, cached on disk, without the interpreter lock."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


_REORDERED = {"contract", "reassoc"}


def jit(kernel: Kernel) -> Kernel:
    """Compile a function of arrays and numbers with Numba; plain Python semantics for IEEE division."""
    return _compiled(kernel)


def inner_jit(kernel: Kernel) -> Kernel:
    """Compile a function that neither makes nor returns arrays: nobody counts who holds one, dear in inner loops.

    Products and sums may be fused and sums reordered.
    """
    return _compiled(kernel, fastmath=_REORDERED, _nrt=False)


def inlined_jit(kernel: Kernel) -> Kernel:
    """Compile like `inner_jit` and paste it into its callers: passing many arrays costs more than the work."""
    return _compiled(kernel, fastmath=_REORDERED, _nrt=False, forceinline=True)


def _compiled(kernel: Kernel, **options: Any) -> Kernel:
    settings: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"} | options
    return cast(Kernel, numba.njit(**settings)(kernel))
