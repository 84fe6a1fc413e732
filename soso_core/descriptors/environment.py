"""The environment of a centre, the input of the GP: a vector x of a pair block, a three-body block, or both."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

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
"""A block shorter than this goes to zero smoothly instead of being normalised; |p| of iron is far larger."""
PAIR_BLOCK = "d"
"""Name of the block of the pair descriptor."""
LATTICE_PAIR = ("1", "1")
"""The channel pair without spins."""


@dataclass(frozen=True, eq=False)
class EnvironmentFeatures:
    """x of every centre of one configuration, x_af (a, f), and its parts, the input of its adjoints."""

    configuration: Configuration
    x_af: FloatArray
    parts: "tuple[_Part, ...]"


@dataclass(frozen=True, eq=False)
class EnvironmentDescriptor:
    """Compute x = [d/|d|, p/|p(1,1)|] and its exact adjoints; either part may be absent.

    Each part is normalised by itself.  p is divided by the length of its channel pair (1, 1), which does
    not depend on spins: the effect of the density on all channels cancels, and the relative size of the magnetic ones
    remains.  Without (1, 1) in the parameters p is divided by its own length.
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
        if self.pair is not None:
            parts.append(_Part(self.pair, self.pair.compute(configuration, neighbours), 0, slice(None)))
        if self.three_body is not None:
            three = self.three_body.compute(configuration, neighbours)
            parts.append(_Part(self.three_body, three, self.pair_size, self.reference))
        x_af = np.concatenate([part.x_af / part.length_a1 for part in parts], axis=1)
        return EnvironmentFeatures(configuration, x_af, tuple(parts))

    def spin_rows(self, features: EnvironmentFeatures, columns: Columns) -> FloatArray:
        """Return the derivatives of `columns`, whose g is by x, by spins, (a, c, b); not projected."""
        return _sum(part.descriptor.spin_rows(part.features, part.divide(columns)) for part in features.parts)

    def position_rows(self, features: EnvironmentFeatures, columns: Columns) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of `columns`, whose g is by x, by positions (a, c, b) and strain (c, c, b)."""
        rows = [part.descriptor.position_rows(part.features, part.divide(columns)) for part in features.parts]
        return _sum(position_acb for position_acb, _ in rows), _sum(strain_ccb for _, strain_ccb in rows)

    def spin_adjoint(self, features: EnvironmentFeatures, g_af: FloatArray) -> FloatArray:
        """Return ∂E/∂e_i, (a, c), from ∂E/∂x, (a, f); not projected."""
        parts = features.parts
        return _sum(part.descriptor.spin_adjoint(part.features, part.division_adjoint(g_af)) for part in parts)

    def position_adjoint(self, features: EnvironmentFeatures, g_af: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return ∂E/∂position (a, c), eV/Å, and ∂E/∂strain (c, c), eV, from ∂E/∂x (a, f)."""
        parts = features.parts
        sums = [part.descriptor.position_adjoint(part.features, part.division_adjoint(g_af)) for part in parts]
        return _sum(position_ac for position_ac, _ in sums), _sum(strain_cc for _, strain_cc in sums)


def _sum(arrays: Iterable[FloatArray]) -> FloatArray:
    return reduce(np.add, arrays)


@dataclass(frozen=True, eq=False)
class _Part:
    """A block x of a descriptor and its features, divided by the length of its `reference`; `first` is its place."""

    descriptor: Any
    features: PairFeatures | ThreeBodyFeatures
    first: int
    reference: slice

    @property
    def x_af(self) -> FloatArray:
        """Features before the division."""
        return self.features.x_af

    @cached_property
    def length_a1(self) -> FloatArray:
        """sqrt(|x_reference|² + SHORTEST²), (a, 1): smooth also where x vanishes."""
        return np.asarray(np.sqrt(np.sum(self.x_af[:, self.reference] ** 2, axis=1, keepdims=True) + SHORTEST**2))

    def divide(self, columns: Columns) -> DividedColumns:
        """Return columns of x from columns of x over its length."""
        return DividedColumns.of(columns, self.first, self.x_af, self.length_a1[:, 0], self.reference)

    def division_adjoint(self, g_af: FloatArray) -> FloatArray:
        """Return ∂E/∂x from g = ∂E/∂u of all parts, u = x / length, (a, f).

        The length depends on the reference components only: (g - u_reference (u·g)) / length.
        """
        u_af = self.x_af / self.length_a1
        out_af = np.array(g_af[:, self.first : self.first + u_af.shape[1]])
        out_af[:, self.reference] -= u_af[:, self.reference] * np.sum(u_af * out_af, axis=1, keepdims=True)
        return out_af / self.length_a1
