"""The one compile decorator of all kernels: compiled once, cached on disk, without the interpreter lock."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def jit(kernel: Kernel) -> Kernel:
    """Compile a function of arrays and numbers with Numba; plain Python semantics for IEEE division."""
    return cast(Kernel, numba.njit(cache=True, nogil=True, error_model="numpy")(kernel))


def inner_jit(kernel: Kernel) -> Kernel:
    """Compile a function that makes no arrays: nothing counts who holds an array, which is dear in inner loops.

    Products and sums may be fused and sums reordered.
    """
    fast = {"contract", "reassoc"}
    return cast(Kernel, numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=fast, _nrt=False)(kernel))



def inlined_jit(kernel: Kernel) -> Kernel:
    """Compile like `inner_jit` and paste it into every caller: a call that passes many arrays costs more than it does."""
    return cast(
        Kernel,
        numba.njit(
            cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"}, _nrt=False, forceinline=True
        )(kernel),
    )
