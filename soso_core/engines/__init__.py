"""Electronic-structure engines that need nothing but this package, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from soso_core.configuration import Configuration
from soso_core.engines import tight_binding
from soso_core.labels import LabelledConfiguration
from soso_core.settings import Settings


@dataclass(frozen=True)
class Engine:
    """One engine: the class of its settings and the function that labels a configuration with such settings."""

    settings_class: type[Settings]
    label: Callable[[Configuration, Any], LabelledConfiguration]


ENGINES: Mapping[str, Engine] = MappingProxyType(
    {"tight-binding": Engine(tight_binding.TightBindingSettings, tight_binding.label)}
)
