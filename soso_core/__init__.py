"""Spin-lattice models of magnetic crystals: data, descriptors, Gaussian process, engines.

Usable without AiiDA by anyone with NumPy.  Units everywhere: eV, Å, fs, K, μB (docs/conventions.md).
"""

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.errors import ConvergenceError, InputError, SosoError
from soso_core.labels import LabelledConfiguration

__version__ = "0.1.0"

__all__ = [
    "Configuration",
    "ConvergenceError",
    "Dataset",
    "InputError",
    "LabelledConfiguration",
    "SosoError",
]
