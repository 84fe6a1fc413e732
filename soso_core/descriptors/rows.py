"""Design rows of many columns: the Jacobian of one centre at a time, multiplied into all of them.

A column b is Σ_i E_b(x_i) with g = ∂E_b/∂x_i of every centre (`Columns`).  Memory holds the Jacobian of one centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels.exact.rows import scale_and_project


class Columns(Protocol):
    """The gradients g of columns b by the features of a centre, as something that Jacobians are multiplied into."""

    @property
    def n_columns(self) -> int:
        """Number of columns b."""

    def times(self, centre: int, features: slice, jacobian_fd: FloatArray) -> FloatArray:
        """Return Σ_f jacobian_fd g_fb over these features of a centre, (d, b)."""


@dataclass(frozen=True, eq=False)
class DividedColumns:
    """Columns of a block x that their `inner` columns see as u = x / length, from feature `first` on.

    length moves with some reference features of x, of which u has reference_af (zero elsewhere).  The gradient by x is
    (g - reference (u·g)) / length; it is applied after the product: scale_ab = 1 / length, along_ab = u·g / length.
    """

    inner: Columns
    first: int
    reference_af: FloatArray
    scale_ab: FloatArray
    along_ab: FloatArray

    @classmethod
    def of(
        cls, inner: Columns, first: int, x_af: FloatArray, length_a: FloatArray, reference: slice
    ) -> "DividedColumns":
        """Return the columns of a block x_af (a, f) that is divided by length_a (a,), that of its `reference` part."""
        u_af = x_af / length_a[:, None]
        block = slice(first, first + x_af.shape[1])
        along_ab = np.array([inner.times(a, block, u_f[:, None])[0] for a, u_f in enumerate(u_af)])
        scale_ab = np.repeat(1.0 / length_a[:, None], inner.n_columns, axis=1)
        reference_af = np.zeros_like(u_af)
        reference_af[:, reference] = u_af[:, reference]
        return cls(inner, first, reference_af, scale_ab, scale_ab * along_ab)

    @property
    def n_columns(self) -> int:
        """Number of columns b."""
        return self.inner.n_columns

    def times(self, centre: int, features: slice, jacobian_fd: FloatArray) -> FloatArray:
        """Return Σ_f jacobian_fd g_fb over these features of a centre, (d, b)."""
        moved = slice(self.first + features.start, self.first + features.stop)
        rows_db = self.inner.times(centre, moved, jacobian_fd)
        move_d = self.reference_af[centre, features] @ jacobian_fd
        scale_and_project(rows_db, self.scale_ab[centre], move_d, self.along_ab[centre])
        return rows_db


def feature_runs(starts: Sequence[int], stops: Sequence[int]) -> tuple[slice, ...]:
    """Return ranges of features in ascending order, neighbouring ones joined."""
    runs: list[slice] = []
    for start, stop in zip(starts, stops, strict=True):
        if runs and runs[-1].stop == start:
            runs[-1] = slice(runs[-1].start, stop)
        else:
            runs.append(slice(start, stop))
    return tuple(runs)
