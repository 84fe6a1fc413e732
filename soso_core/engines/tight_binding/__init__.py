"""Embedded electronic structure: a noncollinear d-band tight-binding model with exactly constrained moments.

A model for tutorials, tests and method development, with the physics of an itinerant magnet (moments of variable
magnitude, long-ranged and multi-spin exchange, forces that depend on spins).  It is not a replacement for DFT.
"""

from soso_core.engines.contract import Engine
from soso_core.engines.tight_binding.engine import check, label
from soso_core.engines.tight_binding.settings import SpeciesParameters, TightBindingSettings

__all__ = ["ENGINE", "SpeciesParameters", "TightBindingSettings", "check", "label"]

ENGINE = Engine(TightBindingSettings, check, label)
