"""Hyperparameters of a model, and the names of the targets that have a noise level."""

from collections.abc import Mapping
from dataclasses import dataclass

TARGETS = ("energy", "field", "force", "stress")
"""Kinds of label that the energy model is fitted to."""
MOMENT = "moment"
"""The kind of label that the model of moment magnitudes is fitted to."""


@dataclass(frozen=True, eq=False)
class Hyperparameters:
    """Prior standard deviation of each block and noise standard deviation of each target (eV).

    `field_scale` is c in -∂E/∂e = c · (field of the labels).
    """

    prior: Mapping[str, float]
    noise: Mapping[str, float]
    field_scale: float = 1.0

    def factor(self, target: str) -> float:
        """Return f in y = f Φ w: 1/c for fields, 1 for all other targets."""
        return 1.0 / self.field_scale if target == "field" else 1.0
