"""Design rows of many columns: the Jacobian of one centre at a time, multiplied into all of them.

A column b is Σ_i E_b(x_i) with g = ∂E_b/∂x_i of every centre (`Columns`).  The columns Σ_i x_if themselves, one for
each feature f and species s of the centre, need no product: their rows are sums of Jacobians.  Memory holds the
Jacobian of one centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels.rows import add_neighbour_rows, add_position_rows, add_product_rows, scale_and_project


class Columns(Protocol):
    """The gradients g of columns b by the features of a centre, as something that Jacobians are multiplied into."""

    @property
    def n_columns(self) -> int:
        """Number of columns b."""

    def times(self, centre: int, features: slice, jacobian_fd: FloatArray) -> FloatArray:
        """Return Σ_f jacobian_fd g_fb over these features of a centre, (d, b)."""


@dataclass(frozen=True, eq=False)
class DenseColumns:
    """Columns whose gradients are all at hand, g_afb (a, f, b)."""

    g_afb: FloatArray

    @property
    def n_columns(self) -> int:
        """Number of columns b."""
        return int(self.g_afb.shape[2])

    def times(self, centre: int, features: slice, jacobian_fd: FloatArray) -> FloatArray:
        """Return Σ_f jacobian_fd g_fb over these features of a centre, (d, b)."""
        return np.asarray(jacobian_fd.T @ self.g_afb[centre, features])


@dataclass(frozen=True, eq=False)
class UnitColumns:
    """Columns of a block x that their `inner` columns see as scale x / length, from feature `first` on.

    The gradient by x is scale (g - û (û·g)) / length, û = x / length; it is applied after the product, with
    scale_ab = scale / length and along_ab = û·g scale / length.
    """

    inner: Columns
    first: int
    unit_af: FloatArray
    scale_ab: FloatArray
    along_ab: FloatArray

    @classmethod
    def of(cls, inner: Columns, first: int, scale: float, x_af: FloatArray, length_a: FloatArray) -> "UnitColumns":
        """Return the columns of a block x_af (a, f) that is divided by length_a (a,)."""
        unit_af = x_af / length_a[:, None]
        block = slice(first, first + x_af.shape[1])
        along_ab = np.array([inner.times(a, block, unit_f[:, None])[0] for a, unit_f in enumerate(unit_af)])
        scale_ab = np.repeat(scale / length_a[:, None], inner.n_columns, axis=1)
        return cls(inner, first, unit_af, scale_ab, scale_ab * along_ab)

    @property
    def n_columns(self) -> int:
        """Number of columns b."""
        return self.inner.n_columns

    def times(self, centre: int, features: slice, jacobian_fd: FloatArray) -> FloatArray:
        """Return Σ_f jacobian_fd g_fb over these features of a centre, (d, b)."""
        moved = slice(self.first + features.start, self.first + features.stop)
        rows_db = self.inner.times(centre, moved, jacobian_fd)
        move_d = self.unit_af[centre, features] @ jacobian_fd
        scale_and_project(rows_db, self.scale_ab[centre], move_d, self.along_ab[centre])
        return rows_db


@dataclass(frozen=True, eq=False)
class SpinRows:
    """Derivatives by spins, not projected.

    columns_acb (a, c, b): of the columns.  features_acsf (a, c, s, f): of Σ_i x_if over the centres of species s.
    """

    columns_acb: FloatArray
    features_acsf: FloatArray


@dataclass(frozen=True, eq=False)
class PositionRows:
    """Derivatives by positions, 1/Å, and strain (of the symmetric strain, so symmetric themselves).

    columns_acb (a, c, b), strain_ccb (c, c, b): of the columns.  features_acsf (a, c, s, f), features_strain_ccsf
    (c, c, s, f): of Σ_i x_if over the centres of species s.
    """

    columns_acb: FloatArray
    strain_ccb: FloatArray
    features_acsf: FloatArray
    features_strain_ccsf: FloatArray


@dataclass(frozen=True, eq=False)
class SpinJacobian:
    """∂x/∂(e_i·e_j), (f, q), and ∂x/∂e_j, (f, d) with d = (c, q), of one centre.

    `product_runs` and `vector_runs` are the features where they are not zero.
    """

    centre: int
    j_q: IntArray
    by_product_fq: FloatArray
    by_vector_fd: FloatArray
    product_runs: Sequence[slice]
    vector_runs: Sequence[slice]


@dataclass(frozen=True, eq=False)
class PositionJacobian:
    """∂x of one centre by the positions of its neighbours, d = (q, c), and by the six strains, (f, d)."""

    centre: int
    j_q: IntArray
    by_position_fd: FloatArray


class SpinRowSums:
    """Sums of the rows of centre after centre."""

    def __init__(self, e_ac: FloatArray, columns: Columns | None, n_species: int, n_features: int) -> None:
        """Start from zero; n_features = 0 leaves the columns Σ_i x_if out."""
        self._e_ac = e_ac
        self._columns = columns
        self._rows_acb = np.zeros((len(e_ac), 3, columns.n_columns if columns else 0))
        self._features_sacf = np.zeros((n_species, len(e_ac), 3, n_features))

    def add(self, jacobian: SpinJacobian, species: int) -> None:
        """Add what the centre of this Jacobian, of this species index, gives."""
        if self._columns is not None:
            self._add_columns(jacobian, self._columns)
        if self._features_sacf.shape[3]:
            self._add_features(jacobian, self._features_sacf[species])

    def result(self) -> SpinRows:
        """Return the sums."""
        return SpinRows(self._rows_acb, np.moveaxis(self._features_sacf, 0, 2))

    def _add_columns(self, jac: SpinJacobian, columns: Columns) -> None:
        for run in jac.product_runs:
            u_qb = columns.times(jac.centre, run, jac.by_product_fq[run])
            add_product_rows(jac.centre, jac.j_q, self._e_ac, u_qb, self._rows_acb)
        for run in jac.vector_runs:
            v_db = columns.times(jac.centre, run, jac.by_vector_fd[run])
            add_neighbour_rows(jac.j_q, v_db, self._rows_acb)

    def _add_features(self, jac: SpinJacobian, out_acf: FloatArray) -> None:
        if jac.product_runs:
            add_product_rows(jac.centre, jac.j_q, self._e_ac, np.ascontiguousarray(jac.by_product_fq.T), out_acf)
        if jac.vector_runs:
            add_neighbour_rows(jac.j_q, np.ascontiguousarray(jac.by_vector_fd.T), out_acf)


class PositionRowSums:
    """Sums of the rows of centre after centre."""

    def __init__(self, n_atoms: int, columns: Columns | None, n_species: int, n_features: int) -> None:
        """Start from zero; n_features = 0 leaves the columns Σ_i x_if out."""
        n_columns = columns.n_columns if columns else 0
        self._columns = columns
        self._rows_acb = np.zeros((n_atoms, 3, n_columns))
        self._strain_db = np.zeros((6, n_columns))
        self._features_sacf = np.zeros((n_species, n_atoms, 3, n_features))
        self._strain_sdf = np.zeros((n_species, 6, n_features))

    def add(self, jacobian: PositionJacobian, species: int) -> None:
        """Add what the centre of this Jacobian, of this species index, gives."""
        centre, j_q, by_position_fd = jacobian.centre, jacobian.j_q, jacobian.by_position_fd
        if self._columns is not None:
            rows_db = self._columns.times(centre, slice(0, len(by_position_fd)), by_position_fd)
            add_position_rows(centre, j_q, rows_db, self._rows_acb, self._strain_db)
        if self._features_sacf.shape[3]:
            rows_df = np.ascontiguousarray(by_position_fd.T)
            add_position_rows(centre, j_q, rows_df, self._features_sacf[species], self._strain_sdf[species])

    def result(self) -> PositionRows:
        """Return the sums."""
        return PositionRows(
            self._rows_acb,
            full_strain(self._strain_db),
            np.moveaxis(self._features_sacf, 0, 2),
            full_strain(np.moveaxis(self._strain_sdf, 1, 0)),
        )


def full_strain(six_db: FloatArray) -> FloatArray:
    """Return the symmetric (c, c, ...) of six strains xx, yy, zz, yz, xz, xy in the first axis."""
    return np.asarray(six_db[np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])])


def feature_runs(starts: Sequence[int], stops: Sequence[int]) -> tuple[slice, ...]:
    """Return ranges of features in ascending order, neighbouring ones joined."""
    runs: list[slice] = []
    for start, stop in zip(starts, stops, strict=True):
        if runs and runs[-1].stop == start:
            runs[-1] = slice(runs[-1].start, stop)
        else:
            runs.append(slice(start, stop))
    return tuple(runs)
