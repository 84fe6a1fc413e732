"""The environment of a centre as the GP sees it: a vector x of a pair block, a three-body block, or both."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.descriptors.pair import PairDescriptor, PairFeatures
from soso_core.descriptors.parameters import PairDescriptorParameters, ThreeBodyParameters
from soso_core.descriptors.rows import Columns, DividedColumns
from soso_core.descriptors.three_body import ThreeBodyDescriptor, ThreeBodyFeatures
from soso_core.errors import InputError
from soso_core.neighbours import Neighbours

SHORTEST = 1e-3
"""A block shorter than this fades to zero instead of being normalised; beside iron's |p| it is nothing."""
PAIR_BLOCK = "d"
"""Name of the block of the pair descriptor."""
LATTICE_PAIR = ("1", "1")
"""The channel pair that knows no spins."""
ALL = slice(None)


@dataclass(frozen=True, eq=False)
class EnvironmentFeatures:
    """x of every centre of one configuration, x_af (a, f), and what its adjoints need."""

    configuration: Configuration
    x_af: FloatArray
    pair: PairFeatures | None
    three_body: ThreeBodyFeatures | None


@dataclass(frozen=True, eq=False)
class EnvironmentDescriptor:
    """Compute x = [d/|d|, p/|p(1,1)|] and its exact adjoints; either part may be absent.

    Each part is normalised by itself.  p is divided by the length of its channel pair (1, 1), the part that knows no
    spins: what density does to all channels alike drops out, and the size of the magnetic ones beside it stays.
    Without (1, 1) in the parameters the length of the whole p is taken.
    """

    pair: PairDescriptor | None
    three_body: ThreeBodyDescriptor | None

    @classmethod
    def of(
        cls, pair: PairDescriptorParameters | None, three_body: ThreeBodyParameters | None, species: tuple[int, ...]
    ) -> "EnvironmentDescriptor":
        """Return the descriptor with these parameters.  Raises InputError when both are absent."""
        if pair is None and three_body is None:
            raise InputError("a descriptor of environments needs a pair part, a three-body part, or both")
        return cls(
            None if pair is None else PairDescriptor(pair, species),
            None if three_body is None else ThreeBodyDescriptor(three_body, species),
        )

    @property
    def pair_size(self) -> int:
        """Number of components of d in x."""
        return 0 if self.pair is None else self.pair.size

    @property
    def size(self) -> int:
        """Number of components of x."""
        return self.pair_size + (0 if self.three_body is None else self.three_body.size)

    @property
    def cutoff(self) -> float:
        """Reach, Å."""
        parts = (part.parameters.cutoff_angstrom for part in (self.pair, self.three_body) if part is not None)
        return max(parts)

    @cached_property
    def blocks(self) -> Mapping[str, slice]:
        """Features of the pair descriptor and of every channel pair, by name."""
        blocks = {PAIR_BLOCK: slice(0, self.pair_size)} if self.pair is not None else {}
        if self.three_body is not None:
            ends = self.pair_size + np.cumsum(self.three_body.sizes)
            for names, size, end in zip(
                self.three_body.parameters.channel_pairs, self.three_body.sizes, ends, strict=True
            ):
                blocks["-".join(names)] = slice(int(end) - size, int(end))
        return blocks

    @cached_property
    def reference(self) -> slice:
        """The components of p whose length p is divided by."""
        if self.three_body is None or LATTICE_PAIR not in self.three_body.parameters.channel_pairs:
            return slice(None)
        block = self.blocks["-".join(LATTICE_PAIR)]
        return slice(block.start - self.pair_size, block.stop - self.pair_size)

    def compute(self, configuration: Configuration, neighbours: Neighbours) -> EnvironmentFeatures:
        """Return the descriptors; `neighbours` must reach at least to the cutoff."""
        parts = []
        pair = None if self.pair is None else self.pair.compute(configuration, neighbours)
        three = None if self.three_body is None else self.three_body.compute(configuration, neighbours)
        if pair is not None:
            parts.append(_divided(_flat(pair), ALL))
        if three is not None:
            parts.append(_divided(three.p_af, self.reference))
        return EnvironmentFeatures(configuration, np.concatenate(parts, axis=1), pair, three)

    def spin_rows(self, features: EnvironmentFeatures, columns: Columns) -> FloatArray:
        """Return the derivatives of `columns`, whose g is by x, by spins, (a, c, b); not projected."""
        rows_acb = np.zeros((len(features.configuration), 3, columns.n_columns))
        if self.pair is not None and features.pair is not None:
            rows_acb += self.pair.spin_rows(features.pair, _inner_columns(columns, 0, _flat(features.pair), ALL))
        if self.three_body is not None and features.three_body is not None:
            inner = _inner_columns(columns, self.pair_size, features.three_body.p_af, self.reference)
            rows_acb += self.three_body.spin_rows(features.three_body, inner)
        return rows_acb

    def position_rows(
        self, features: EnvironmentFeatures, neighbours: Neighbours, columns: Columns
    ) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of `columns`, whose g is by x, by positions (a, c, b) and strain (c, c, b)."""
        rows_acb = np.zeros((len(features.configuration), 3, columns.n_columns))
        strain_ccb = np.zeros((3, 3, columns.n_columns))
        if self.pair is not None and features.pair is not None:
            inner = _inner_columns(columns, 0, _flat(features.pair), ALL)
            more_acb, more_ccb = self.pair.position_rows(features.pair, neighbours, inner)
            rows_acb, strain_ccb = rows_acb + more_acb, strain_ccb + more_ccb
        if self.three_body is not None and features.three_body is not None:
            inner = _inner_columns(columns, self.pair_size, features.three_body.p_af, self.reference)
            more_acb, more_ccb = self.three_body.position_rows(features.three_body, inner)
            rows_acb, strain_ccb = rows_acb + more_acb, strain_ccb + more_ccb
        return rows_acb, strain_ccb

    def spin_adjoint(self, features: EnvironmentFeatures, g_afb: FloatArray) -> FloatArray:
        """Return ∂E_b/∂e_i, (a, c, b), from ∂E_b/∂x, (a, f, b); not projected."""
        out_acb = np.zeros((len(g_afb), 3, g_afb.shape[2]))
        if self.pair is not None and features.pair is not None:
            g_pair_afb = _division_adjoint(_flat(features.pair), g_afb[:, : self.pair_size], ALL)
            out_acb += self.pair.spin_adjoint(features.pair, g_pair_afb.reshape(*features.pair.d_asnl.shape, -1))
        if self.three_body is not None and features.three_body is not None:
            g_three_afb = _division_adjoint(features.three_body.p_af, g_afb[:, self.pair_size :], self.reference)
            out_acb += self.three_body.spin_adjoint(features.three_body, g_three_afb)
        return out_acb

    def position_adjoint(
        self, features: EnvironmentFeatures, neighbours: Neighbours, g_af: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return ∂E/∂position (a, c), eV/Å, and ∂E/∂strain (c, c), eV, from ∂E/∂x (a, f)."""
        g_afb = g_af[:, :, None]
        position_ac, strain_cc = np.zeros((len(g_af), 3)), np.zeros((3, 3))
        if self.pair is not None and features.pair is not None:
            g_pair_afb = _division_adjoint(_flat(features.pair), g_afb[:, : self.pair_size], ALL)
            g_asnl = g_pair_afb.reshape(features.pair.d_asnl.shape)
            more_ac, more_cc = self.pair.position_adjoint(features.pair, neighbours, g_asnl)
            position_ac, strain_cc = position_ac + more_ac, strain_cc + more_cc
        if self.three_body is not None and features.three_body is not None:
            g_three_afb = _division_adjoint(features.three_body.p_af, g_afb[:, self.pair_size :], self.reference)
            more_ac, more_cc = self.three_body.position_adjoint(features.three_body, g_three_afb[:, :, 0])
            position_ac, strain_cc = position_ac + more_ac, strain_cc + more_cc
        return position_ac, strain_cc


def _flat(pair: PairFeatures) -> FloatArray:
    return pair.d_asnl.reshape(len(pair.d_asnl), -1)


def _lengths(x_af: FloatArray, reference: slice) -> FloatArray:
    """Return sqrt(|x_reference|² + SHORTEST²), (a, 1): smooth also where x vanishes."""
    return np.asarray(np.sqrt(np.sum(x_af[:, reference] ** 2, axis=1, keepdims=True) + SHORTEST**2))


def _divided(x_af: FloatArray, reference: slice) -> FloatArray:
    return x_af / _lengths(x_af, reference)


def _inner_columns(columns: Columns, first: int, x_af: FloatArray, reference: slice) -> DividedColumns:
    """Return columns of a block x from columns of x over its length, whose features start at `first`."""
    return DividedColumns.of(columns, first, x_af, _lengths(x_af, reference)[:, 0], reference)


def _division_adjoint(x_af: FloatArray, g_afb: FloatArray, reference: slice) -> FloatArray:
    """Return ∂E_b/∂x from g = ∂E_b/∂u, u = x / length, (a, f, b).

    The length moves with the reference components only: (g - u_reference (u·g)) / length.
    """
    length_a1 = _lengths(x_af, reference)
    u_af = x_af / length_a1
    along_ab = np.einsum("af,afb->ab", u_af, g_afb)
    out_afb = g_afb / length_a1[:, :, None]
    out_afb[:, reference] -= (u_af[:, reference] / length_a1)[:, :, None] * along_ab[:, None, :]
    return np.asarray(out_afb)
