"""GPAW: constrained noncollinear density-functional theory with plane waves, in the local-density approximation.

GPAW itself is imported only when a label is computed; `make gpaw` installs it.
"""

from soso_core.engines.contract import Engine
from soso_core.engines.gpaw.engine import check, label
from soso_core.engines.gpaw.settings import GpawSettings, GpawSpecies

__all__ = ["ENGINE", "GpawSettings", "GpawSpecies", "check", "label"]

ENGINE = Engine(GpawSettings, check, label)
