"""Electronic-structure engines behind `soso label`, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from soso_core.configuration import Configuration
from soso_core.engines import abinit, gpaw, tight_binding
from soso_core.labels import LabelledConfiguration
from soso_core.settings import Settings


@dataclass(frozen=True)
class Engine:
    """One engine: the class of its settings, and what it does with a configuration and such settings.

    `check` is cheap and raises InputError for a configuration that `label` would refuse.
    """

    settings_class: type[Settings]
    check: Callable[[Configuration, Any], None]
    label: Callable[[Configuration, Any], LabelledConfiguration]


ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        "tight-binding": Engine(tight_binding.TightBindingSettings, tight_binding.check, tight_binding.label),
        "gpaw": Engine(gpaw.GpawSettings, gpaw.check, gpaw.label),
        "abinit": Engine(abinit.AbinitSettings, abinit.check, abinit.label),
    }
)
