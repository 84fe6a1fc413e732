"""What an electronic-structure engine offers to `soso label`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from soso_core.configuration import Configuration
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
