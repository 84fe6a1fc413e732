"""The three-body descriptor p compiled for `kernels.vector.three_body`."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.polynomials import PolynomialFit
from soso_core.descriptors.channels import CHANNELS, component_kinds, first_components
from soso_core.descriptors.three_body import ThreeBodyDescriptor
from soso_core.errors import InputError
from soso_core.kernels.vector.harmonics import make_harmonics
from soso_core.kernels.vector.near import Radial
from soso_core.kernels.vector.simd import padded
from soso_core.kernels.vector.three_body import ThreeBody


@dataclass(frozen=True, eq=False)
class CompiledThreeBody:
    """p with its radial functions as polynomials, and where its features lie among the products of densities."""

    fit: PolynomialFit
    packed: ThreeBody

    @classmethod
    def of(cls, descriptor: ThreeBodyDescriptor, accuracy: Accuracy) -> "CompiledThreeBody":
        """Return p as the kernels take it.  Raises InputError for element channels."""
        p = descriptor.parameters
        if p.element_channels is not None and len(descriptor.species) > 1:
            raise InputError("a model with element_channels cannot be compiled; use FittedModel, or fit without them")
        fit = accuracy.fit_basis(descriptor.basis, p.cutoff_angstrom, p.taper_angstrom)
        table = FeatureTable.of(descriptor)
        packed = ThreeBody(
            fit.packed,
            make_harmonics(p.l_max),
            component_kinds(descriptor.channels),
            *table.arrays,
            len(descriptor.species),
            padded(p.n_max),
        )
        return cls(fit, packed)


def absent_three_body(radial: Radial) -> ThreeBody:
    """Return the replacement of an absent three-body descriptor."""
    one, none = np.zeros(1, dtype=np.int64), np.zeros(1)
    table = np.zeros((1, 4), dtype=np.int64)
    return ThreeBody(radial, make_harmonics(0), one, table, table, one, one, none, one, one, none, 1, 4)


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Tables pairs_wk ... back_f of `kernels.vector.three_body.ThreeBody`, in the order it has them."""

    arrays: tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray, IntArray, FloatArray]

    @classmethod
    def of(cls, descriptor: ThreeBodyDescriptor) -> "FeatureTable":
        """Return the tables; features are in the order of `kernels.exact.three_body.power_spectrum`."""
        p, n_species = descriptor.parameters, len(descriptor.species)
        first = first_components(descriptor.channels)
        n_pad, n_l = padded(p.n_max), p.l_max + 1
        place_x = np.array([s * n_pad + n for s in range(n_species) for n in range(p.n_max)])
        size = n_l * n_species * n_pad
        pairs: list[tuple[int, ...]] = []
        products: list[tuple[int, ...]] = []
        features = []
        for left, right in p.channel_pairs:
            start, n_k = len(products) * size, CHANNELS[left].n_components
            pairs.append((first[left], first[right], n_k, start))
            products.append((first[left], first[right], n_k, start))
            same = left == right
            if not same:
                products.append((first[right], first[left], n_k, start + size))
            features.append(_features(place_x, n_l, n_species * n_pad, start, start if same else start + size, same))
        columns = [np.concatenate(column) for column in zip(*features, strict=True)]
        row_f, column_f, scale_f, mirror_row_f, mirror_column_f, back_f = columns
        pairs_wk, products_qk = np.array(pairs, dtype=np.int64), np.array(products, dtype=np.int64)
        return cls((pairs_wk, products_qk, row_f, column_f, scale_f, mirror_row_f, mirror_column_f, back_f))


def _features(
    place_x: IntArray, n_l: int, n_x: int, start: int, mirror_start: int, same: bool
) -> tuple[IntArray, IntArray, FloatArray, IntArray, IntArray, FloatArray]:
    """Return row, column, scale, mirrored row and column, and factor of the adjoint of one channel pair's features."""
    left, right = np.meshgrid(np.arange(len(place_x)), np.arange(len(place_x)), indexing="ij")
    kept = left <= right if same else np.ones_like(left, dtype=bool)
    x_f, x2_f = np.repeat(place_x[left[kept]], n_l), np.repeat(place_x[right[kept]], n_l)
    l_f = np.tile(np.arange(n_l), int(kept.sum()))
    off = same & (x_f != x2_f)
    scale_f = np.sqrt(np.where(off, 2.0, 1.0) / (2 * l_f + 1))
    # A square gives its factor twice; with two different factors both places of the symmetric matrix do.
    back_f = scale_f * np.where(same & ~off, 2.0, 1.0)
    return start + l_f * n_x + x_f, x2_f, scale_f, mirror_start + l_f * n_x + x2_f, x_f, back_f
