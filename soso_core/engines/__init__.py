"""Electronic-structure engines behind `soso label`, by name."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from soso_core.engines.contract import Engine
from soso_core.errors import InputError

__all__ = ["ENGINES", "Engine", "load_engine"]

ENGINES: Mapping[str, str] = MappingProxyType({"tight-binding": "tight_binding", "gpaw": "gpaw", "abinit": "abinit"})
"""The package of each engine in this folder, by the name of the engine; each package has an `ENGINE`."""


def load_engine(name: str) -> Engine:
    """Import one engine, since a job needs no other, and return it.  Raises InputError for an unknown name."""
    if name not in ENGINES:
        raise InputError(f"unknown engine {name!r}; available: {', '.join(ENGINES)}")
    engine: Engine = import_module(f"{__name__}.{ENGINES[name]}").ENGINE
    return engine
