"""What the numbers of a benchmark belong to."""

import os
import platform
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np


def machine() -> dict[str, str | int]:
    """Return processor, cores and versions."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count() or 0,
        "target": llvmlite.binding.get_host_cpu_name(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }
