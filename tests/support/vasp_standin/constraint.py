"""Where the moments end: the directions at which the penalty holds the model's torque.

With `MW_perp = m (e - (e·e_0) e_0)` the penalty is `E_p = Σ λ |MW_perp|²`, and the moments come to rest where

    -∂E/∂e_i = c |m_i| λ MW_perp_i      (both transverse to e_i)

For c = 2 this is the minimum of `E + E_p` over the directions, the lengths held.  For another c the printed field has
another scale, as some versions of VASP have; the relation above holds all the same, so that finite differences of
`F - E_p` give `c |m| (printed field)` at the achieved directions.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

STIFFNESS = 1.5  # eV; above the largest curvature of the model, so the iteration contracts
TOLERANCE = 1e-11  # eV, largest residual torque


class Model(Protocol):
    """What the search needs of a model."""

    def moments(self, directions_ac: np.ndarray) -> np.ndarray:
        """Return lengths (a,), μB."""

    def spin_gradient(self, directions_ac: np.ndarray) -> np.ndarray:
        """Return `-∂E/∂e` (a, 3), eV, transverse."""


@dataclass(frozen=True)
class Constraint:
    """Targets (a, 3), unit vectors, zero where nothing is held; strength λ in eV/μB²; scale c of the printed field."""

    targets_ac: np.ndarray
    lambda_: float
    scale: float

    @property
    def is_held_a(self) -> np.ndarray:
        """Whether the direction of each atom is held."""
        return np.linalg.norm(self.targets_ac, axis=1) > 0

    def perpendicular(self, moments_ac: np.ndarray) -> np.ndarray:
        """Return MW_perp (a, 3) of the moments in μB; zero where nothing is held."""
        along_a = np.einsum("ac,ac->a", moments_ac, self.targets_ac)
        return np.where(self.is_held_a[:, None], moments_ac - along_a[:, None] * self.targets_ac, 0.0)

    def penalty(self, moments_ac: np.ndarray) -> float:
        """Return E_p in eV."""
        return self.lambda_ * float((self.perpendicular(moments_ac) ** 2).sum())

    def printed_field(self, moments_ac: np.ndarray) -> np.ndarray:
        """Return the column `lambda*MW_perp` (a, 3), eV/μB."""
        return self.lambda_ * self.perpendicular(moments_ac)


def transverse(vectors_ac: np.ndarray, directions_ac: np.ndarray) -> np.ndarray:
    """Return the parts of the vectors across the directions."""
    return vectors_ac - np.einsum("ac,ac->a", vectors_ac, directions_ac)[:, None] * directions_ac


def torque(model: Model, constraint: Constraint, directions_ac: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what turns the moments (a, 3) in eV, zero at rest, and the stiffness (a,) of the penalty."""
    lengths_a = model.moments(directions_ac)
    field_ac = constraint.printed_field(lengths_a[:, None] * directions_ac)
    pull_ac = constraint.scale * lengths_a[:, None] * transverse(field_ac, directions_ac)
    return model.spin_gradient(directions_ac) - pull_ac, constraint.scale * constraint.lambda_ * lengths_a**2


def achieve(
    model: Model, constraint: Constraint, starts_ac: np.ndarray, max_steps: int = 4000, tolerance: float = TOLERANCE
) -> np.ndarray:
    """Return the directions at rest, from the starting directions (unit vectors)."""
    directions_ac = starts_ac.copy()
    for _ in range(max_steps):
        residual_ac, held_a = torque(model, constraint, directions_ac)
        if np.abs(residual_ac).max() < tolerance:
            break
        directions_ac += residual_ac / (np.where(constraint.is_held_a, held_a, 0.0) + STIFFNESS)[:, None]
        directions_ac /= np.linalg.norm(directions_ac, axis=1, keepdims=True)
    return directions_ac
