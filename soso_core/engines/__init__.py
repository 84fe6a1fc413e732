"""Electronic-structure engines behind `soso label`, by name."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType

from soso_core.engines.contract import Engine

__all__ = ["ENGINES", "Engine"]

PACKAGES: Mapping[str, str] = MappingProxyType({"tight-binding": "tight_binding", "gpaw": "gpaw", "abinit": "abinit"})
"""Packages of this one, by the names of their engines; each has an `ENGINE`."""


class _Engines(Mapping[str, Engine]):
    """The `ENGINE` of each package, imported when it is asked for: a job needs one, and imports take time."""

    def __getitem__(self, name: str) -> Engine:
        engine: Engine = import_module(f"{__name__}.{PACKAGES[name]}").ENGINE
        return engine

    def __contains__(self, name: object) -> bool:
        return name in PACKAGES

    def __iter__(self) -> Iterator[str]:
        return iter(PACKAGES)

    def __len__(self) -> int:
        return len(PACKAGES)


ENGINES = _Engines()
