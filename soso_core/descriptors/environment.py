"""The environment of a centre as the GP sees it: a vector x of a pair block and, when asked for, a three-body block."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.descriptors.pair import PairDescriptor, PairFeatures
from soso_core.descriptors.parameters import PairDescriptorParameters, ThreeBodyParameters
from soso_core.descriptors.rows import Columns, PositionRows, SpinRows, UnitColumns
from soso_core.descriptors.three_body import ThreeBodyDescriptor, ThreeBodyFeatures
from soso_core.neighbours import Neighbours

SHORTEST = 1e-3
"""A three-body block shorter than this fades to zero instead of being normalised; beside iron's |p| it is nothing."""


@dataclass(frozen=True, eq=False)
class EnvironmentFeatures:
    """x of every centre of one configuration, x_af (a, f), and what its adjoints need."""

    configuration: Configuration
    x_af: FloatArray
    pair: PairFeatures
    three_body: ThreeBodyFeatures | None


@dataclass(frozen=True, eq=False)
class EnvironmentDescriptor:
    """Compute x and its exact adjoints: x = d for pairs alone, otherwise [√(1-share) d/|d|, √share p/|p|].

    Each block is normalised by itself, so that the covariance is ((1-share) k_pair + share k_three)^zeta: the share
    means the same for every material, cutoff and radial basis (|p| goes with the square of the density), and the
    constant part of one block cannot drown what varies in the other.  |p| should stay away from zero, which the
    channel pair (1, 1) sees to.
    """

    pair: PairDescriptor
    three_body: ThreeBodyDescriptor | None

    @classmethod
    def of(
        cls, pair: PairDescriptorParameters, three_body: ThreeBodyParameters | None, species: tuple[int, ...]
    ) -> "EnvironmentDescriptor":
        """Return the descriptor with these parameters."""
        three = None if three_body is None else ThreeBodyDescriptor(three_body, species)
        return cls(PairDescriptor(pair, species), three)

    @property
    def size(self) -> int:
        """Number of components of x."""
        return self.pair.size + (0 if self.three_body is None else self.three_body.size)

    @property
    def cutoff(self) -> float:
        """Reach, Å."""
        reach = self.pair.parameters.cutoff_angstrom
        return reach if self.three_body is None else max(reach, self.three_body.parameters.cutoff_angstrom)

    def compute(self, configuration: Configuration, neighbours: Neighbours) -> EnvironmentFeatures:
        """Return the descriptors; `neighbours` must reach at least to the cutoff."""
        pair = self.pair.compute(configuration, neighbours)
        d_af = pair.d_asnl.reshape(len(configuration), -1)
        if self.three_body is None:
            return EnvironmentFeatures(configuration, d_af, pair, None)
        three = self.three_body.compute(configuration, neighbours)
        to_pair, to_three = self._roots
        x_af = np.concatenate([to_pair * d_af / _lengths(d_af), to_three * three.p_af / _lengths(three.p_af)], axis=1)
        return EnvironmentFeatures(configuration, x_af, pair, three)

    def spin_rows(self, features: EnvironmentFeatures, columns: Columns) -> SpinRows:
        """Return the rows by spins of `columns`, whose g is by x, and of Σ_i p_if (none of d); not projected."""
        pair_columns, three_columns = self._block_columns(features, columns)
        rows_acb = self.pair.spin_rows(features.pair, pair_columns)
        if self.three_body is None or features.three_body is None:
            return SpinRows(rows_acb, np.zeros((*rows_acb.shape[:2], len(self.pair.species), 0)))
        more = self.three_body.spin_rows(features.three_body, three_columns)
        return SpinRows(rows_acb + more.columns_acb, more.features_acsf)

    def position_rows(self, features: EnvironmentFeatures, neighbours: Neighbours, columns: Columns) -> PositionRows:
        """Return the rows by positions and strain of `columns`, whose g is by x, and of Σ_i p_if (none of d)."""
        pair_columns, three_columns = self._block_columns(features, columns)
        rows_acb, strain_ccb = self.pair.position_rows(features.pair, neighbours, pair_columns)
        if self.three_body is None or features.three_body is None:
            none_ccsf = np.zeros((3, 3, len(self.pair.species), 0))
            return PositionRows(rows_acb, strain_ccb, np.zeros((len(rows_acb), *none_ccsf.shape[1:])), none_ccsf)
        more = self.three_body.position_rows(features.three_body, three_columns)
        return PositionRows(
            rows_acb + more.columns_acb, strain_ccb + more.strain_ccb, more.features_acsf, more.features_strain_ccsf
        )

    def spin_adjoint(self, features: EnvironmentFeatures, g_afb: FloatArray) -> FloatArray:
        """Return ∂E_b/∂e_i, (a, c, b), from ∂E_b/∂x, (a, f, b); not projected."""
        g_pair_afb, g_three_afb = self._block_adjoints(features, g_afb)
        out_acb = self.pair.spin_adjoint(features.pair, g_pair_afb.reshape(*features.pair.d_asnl.shape, -1))
        if self.three_body is None or features.three_body is None:
            return out_acb
        return out_acb + self.three_body.spin_adjoint(features.three_body, g_three_afb)

    def position_adjoint(
        self, features: EnvironmentFeatures, neighbours: Neighbours, g_af: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return ∂E/∂position (a, c), eV/Å, and ∂E/∂strain (c, c), eV, from ∂E/∂x (a, f)."""
        g_pair_afb, g_three_afb = self._block_adjoints(features, g_af[:, :, None])
        g_asnl = g_pair_afb.reshape(features.pair.d_asnl.shape)
        position_ac, strain_cc = self.pair.position_adjoint(features.pair, neighbours, g_asnl)
        if self.three_body is None or features.three_body is None:
            return position_ac, strain_cc
        more_ac, more_cc = self.three_body.position_adjoint(features.three_body, g_three_afb[:, :, 0])
        return position_ac + more_ac, strain_cc + more_cc

    @property
    def _roots(self) -> tuple[float, float]:
        share = 0.0 if self.three_body is None else self.three_body.parameters.share
        return float(np.sqrt(1.0 - share)), float(np.sqrt(share))

    def _block_columns(self, features: EnvironmentFeatures, columns: Columns) -> tuple[Columns, Columns]:
        """Return columns of d and of p from columns of x."""
        if features.three_body is None:
            return columns, columns
        (to_pair, to_three), p_af = self._roots, features.three_body.p_af
        d_af = features.pair.d_asnl.reshape(len(p_af), -1)
        return (
            UnitColumns.of(columns, 0, to_pair, d_af, _lengths(d_af)[:, 0]),
            UnitColumns.of(columns, self.pair.size, to_three, p_af, _lengths(p_af)[:, 0]),
        )

    def _block_adjoints(self, features: EnvironmentFeatures, g_afb: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return ∂E_b/∂d and ∂E_b/∂p, (a, f, b), from ∂E_b/∂x."""
        size = self.pair.size
        if features.three_body is None:
            return g_afb, g_afb[:, size:]
        to_pair, to_three = self._roots
        d_af = features.pair.d_asnl.reshape(len(g_afb), -1)
        return (
            _normalisation_adjoint(d_af, to_pair * g_afb[:, :size]),
            _normalisation_adjoint(features.three_body.p_af, to_three * g_afb[:, size:]),
        )


def _lengths(x_af: FloatArray) -> FloatArray:
    """Return sqrt(|x|² + SHORTEST²), (a, 1): smooth also where x vanishes."""
    return np.asarray(np.sqrt(np.sum(x_af**2, axis=1, keepdims=True) + SHORTEST**2))


def _normalisation_adjoint(x_af: FloatArray, g_afb: FloatArray) -> FloatArray:
    """Return ∂E_b/∂x from g = ∂E_b/∂u with u = x / `_lengths`(x): (g - u (u·g)) / length, (a, f, b)."""
    length_a1 = _lengths(x_af)
    unit_af = x_af / length_a1
    along_ab = np.einsum("af,afb->ab", unit_af, g_afb)
    return np.asarray((g_afb - unit_af[:, :, None] * along_ab[:, None, :]) / length_a1[:, :, None])
