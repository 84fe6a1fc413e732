"""The pair descriptor d in the form of `kernels.vector.pair_density`."""

import numpy as np

from soso_core.descriptors.pair import PairDescriptor
from soso_core.kernels.vector.near import Radial
from soso_core.kernels.vector.pair_density import SpinDensity


def pack_density(descriptor: PairDescriptor | None, radial: Radial) -> SpinDensity:
    """Return d with these radial functions as the kernels take it, or the replacement of an absent descriptor."""
    if descriptor is None:
        return SpinDensity(radial, np.zeros(1), np.zeros(1), 1)
    central_n = descriptor.basis.evaluate(np.zeros(1))[0][0]
    return SpinDensity(radial, np.ascontiguousarray(descriptor.coupling_l), central_n, len(descriptor.species))
