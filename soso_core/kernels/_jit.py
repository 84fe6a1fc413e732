"""The one compile decorator of all kernels: compiled once, cached on disk, without the interpreter lock.

Numba keys the cache of a function by the function's own file, so callers in other files keep the old machine code of
a kernel that has changed.  Here the key is the content of all kernels and the versions of Numba and llvmlite.  This
is the only place that uses Numba's private cache classes; the tested versions are in `pyproject.toml`.  Where these
classes differ, or no folder can be written, each process compiles its kernels, with a warning.
"""

import functools
import hashlib
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_FOLDER = Path(__file__).parent
_REORDERED = {"contract", "reassoc"}


def jit(kernel: Kernel) -> Kernel:
    """Compile a function of arrays and numbers with Numba; plain Python semantics for IEEE division."""
    return _compile(kernel)


def inner_jit(kernel: Kernel) -> Kernel:
    """Compile a function that neither makes nor returns arrays: no reference counting, which slows inner loops.

    Products and sums may be fused and sums reordered.
    """
    return _compile(kernel, fastmath=_REORDERED, _nrt=False)


def inlined_jit(kernel: Kernel) -> Kernel:
    """Compile like `inner_jit` and inline into the callers: passing many arrays costs more than the work."""
    return _compile(kernel, fastmath=_REORDERED, _nrt=False, forceinline=True)


def _compile(kernel: Kernel, **options: Any) -> Kernel:
    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy"} | options
    dispatcher = numba.njit(**settings)(kernel)
    if dispatcher is not kernel:  # it is with NUMBA_DISABLE_JIT=1
        _enable_cache(dispatcher)
    return cast(Kernel, dispatcher)


def _enable_cache(dispatcher: Any) -> None:
    """Cache as `cache=True` does, in the folder that Numba chooses, with another source stamp."""
    try:
        from numba.core.caching import FunctionCache, IndexDataCacheFile

        cache, stamp = FunctionCache(dispatcher.py_func), _source_stamp(inspect.getfile(dispatcher.py_func))
        index = IndexDataCacheFile(cache.cache_path, cache._impl.filename_base, stamp)
        if not (hasattr(dispatcher, "_cache") and hasattr(cache, "_cache_file") and hasattr(index, "_version")):
            raise AttributeError("a private attribute is missing")
        index._version = stamp  # compared before the types of an old index, which may not exist any more, are read
        cache._cache_file = index
        dispatcher._cache = cache
    except (ImportError, AttributeError, TypeError, RuntimeError) as error:
        message = f"Numba {numba.__version__} cannot keep compiled kernels on disk; each process compiles them: {error}"
        warnings.warn(message, RuntimeWarning, stacklevel=1)  # one place, so one warning


@functools.cache
def _source_stamp(file: str) -> str:
    """Return the digest of the compiler's version and of all sources that a kernel in `file` can call."""
    digest = hashlib.sha256(_digest_kernels())
    if _FOLDER not in Path(file).parents:
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


@functools.cache
def _digest_kernels() -> bytes:
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}".encode())
    for path in sorted(_FOLDER.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(_FOLDER).as_posix()} {len(content)} ".encode() + content)
    return digest.digest()
