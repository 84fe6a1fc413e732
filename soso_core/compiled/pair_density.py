"""The pair descriptor d compiled for `kernels.vector.pair_density`."""

from dataclasses import dataclass

import numpy as np

from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.polynomials import PolynomialFit
from soso_core.descriptors.pair import PairDescriptor
from soso_core.kernels.vector.near import Radial
from soso_core.kernels.vector.pair_density import SpinDensity


@dataclass(frozen=True, eq=False)
class CompiledDensity:
    """d with its radial functions as polynomials."""

    fit: PolynomialFit
    packed: SpinDensity

    @classmethod
    def of(cls, descriptor: PairDescriptor, accuracy: Accuracy) -> "CompiledDensity":
        """Return d as the kernels take it."""
        p = descriptor.parameters
        fit = accuracy.fit_basis(descriptor.basis, p.cutoff_angstrom, p.taper_angstrom)
        central_n = descriptor.basis.evaluate(np.zeros(1))[0][0]
        coupling_l = np.ascontiguousarray(descriptor.coupling_l)
        return cls(fit, SpinDensity(fit.packed, coupling_l, central_n, len(descriptor.species)))


def absent_density(radial: Radial) -> SpinDensity:
    """Return the replacement of an absent pair descriptor."""
    return SpinDensity(radial, np.zeros(1), np.zeros(1), 1)
