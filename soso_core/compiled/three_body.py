"""The three-body descriptor p in the form of `kernels.vector.three_body`."""

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.descriptors.channels import CHANNELS, component_kinds, first_components
from soso_core.descriptors.three_body import ThreeBodyDescriptor
from soso_core.errors import InputError
from soso_core.kernels.vector.harmonics import make_harmonics
from soso_core.kernels.vector.near import Radial
from soso_core.kernels.vector.simd import round_up_to_width
from soso_core.kernels.vector.three_body import ThreeBody


def pack_three_body(descriptor: ThreeBodyDescriptor | None, radial: Radial) -> ThreeBody:
    """Return p with these radial functions as the kernels take it, or the replacement of an absent descriptor.

    Raises InputError for element channels.
    """
    if descriptor is None:
        one, none, table = np.zeros(1, dtype=np.int64), np.zeros(1), np.zeros((1, 4), dtype=np.int64)
        return ThreeBody(radial, make_harmonics(0), one, table, table, one, one, none, one, one, none, 1, 4)
    p, n_species = descriptor.parameters, len(descriptor.species)
    if p.element_channels is not None and n_species > 1:
        raise InputError("a model with element_channels cannot be compiled; use FittedModel, or fit without them")
    kinds_t, tables = component_kinds(descriptor.channels), feature_tables(descriptor)
    return ThreeBody(radial, make_harmonics(p.l_max), kinds_t, *tables, n_species, round_up_to_width(p.n_max))


def feature_tables(
    descriptor: ThreeBodyDescriptor,
) -> tuple[IntArray, IntArray, IntArray, IntArray, FloatArray, IntArray, IntArray, FloatArray]:
    """Return the tables pairs_wk ... back_f of `kernels.vector.three_body.ThreeBody`, in the order it has them.

    Features are in the order of `kernels.exact.three_body.power_spectrum`.
    """
    p, n_species = descriptor.parameters, len(descriptor.species)
    first = first_components(descriptor.channels)
    n_pad, n_l = round_up_to_width(p.n_max), p.l_max + 1
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
    return pairs_wk, products_qk, row_f, column_f, scale_f, mirror_row_f, mirror_column_f, back_f


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
