"""Electronic-structure engines behind `soso label`, by name."""

from importlib import import_module

from soso_core.engines.contract import Engine
from soso_core.errors import InputError

__all__ = ["ENGINES", "Engine", "load_engine"]

ENGINES = ("tight-binding", "gpaw", "abinit")
"""Names of the engines; each is a package in this folder, with underscores, that has an `ENGINE`."""


def load_engine(name: str) -> Engine:
    """Import one engine, since a job needs no other, and return it.  Raises InputError for an unknown name."""
    if name not in ENGINES:
        raise InputError(f"unknown engine {name!r}; available: {', '.join(ENGINES)}")
    engine: Engine = import_module(f"{__name__}.{name.replace('-', '_')}").ENGINE
    return engine
