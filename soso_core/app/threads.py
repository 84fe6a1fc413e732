"""One BLAS thread unless the user says otherwise."""

import os
import sys

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def restart_with_one_blas_thread() -> None:
    """Start this very command again with one BLAS thread, when its environment does not say how many.

    The matrices here are small: more threads wait for each other, and on a busy machine two of them were
    measured to burn seventy times the CPU time of one.  BLAS reads its variables once, when NumPy is
    imported, and importing this package already does that; hence a fresh start, in the same process id.
    """
    if any(name in os.environ for name in VARIABLES):
        return
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
