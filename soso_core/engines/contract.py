"""The contract of an electronic-structure engine: its functions, and the labels that it must give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from soso_core.configuration import Configuration
from soso_core.labels import LabelledConfiguration
from soso_core.settings import Settings

REQUIRED_LABELS = ("energy", "exchange_fields_ac", "moment_magnitudes_a", "forces_ac")
"""Attributes of a label that every engine must give; stress joins where the engine has it."""


@dataclass(frozen=True)
class Engine:
    """One engine behind `soso label`: the class of its settings, and two functions of a configuration and settings.

    `check` raises InputError, without costly work, for a configuration that `label` would refuse.  `label` raises
    ConvergenceError when there is no converged state along the requested directions.
    """

    settings_class: type[Settings]
    check: Callable[[Configuration, Any], None]
    label: Callable[[Configuration, Any], LabelledConfiguration]


def find_missing_labels(item: LabelledConfiguration, required: Sequence[str] = REQUIRED_LABELS) -> list[str]:
    """Return the names of the required labels that are absent."""
    return [name for name in required if getattr(item, name) is None]
