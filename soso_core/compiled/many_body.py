"""The compiled sparse GP: descriptors, covariances and their adjoints over all atoms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.covariance import CompiledCovariance
from soso_core.compiled.lanes import n_lanes, run_lanes
from soso_core.compiled.pair_density import pack_density
from soso_core.compiled.polynomials import PolynomialFit
from soso_core.compiled.three_body import pack_three_body
from soso_core.compiled.verlet import VerletList
from soso_core.gp.model.fitted import FittedModel
from soso_core.kernels.vector.many_body import GpOutput, Models, Sources, gp_lanes
from soso_core.voigt import from_voigt


class ManyBodyResult(NamedTuple):
    """Energy (eV), ∂E/∂position (a, c), ∂E/∂e (a, c) and ∂E/∂strain (c, c)."""

    energy: float
    position_ac: FloatArray
    spin_ac: FloatArray
    strain_cc: FloatArray


@dataclass(frozen=True, eq=False)
class CompiledManyBody:
    """Descriptors and one covariance for each species; `fits` are the radial functions of d and of p in use."""

    models: Models
    fits: Mapping[str, PolynomialFit]
    covariances: tuple[CompiledCovariance, ...]

    @classmethod
    def of(cls, model: FittedModel, accuracy: Accuracy) -> "CompiledManyBody":
        """Return the GP of a model.  Raises InputError for a model with element channels."""
        pair, three = model.basis.descriptor.pair, model.basis.descriptor.three_body
        parts = {"d": pair, "p": three}
        fits = {
            name: accuracy.fit_basis(part.basis, part.parameters) for name, part in parts.items() if part is not None
        }
        radials = [fit.packed for fit in fits.values()]
        density, three_body = pack_density(pair, radials[0]), pack_three_body(three, radials[-1])
        covariances = tuple(CompiledCovariance.of(model, s, accuracy) for s in range(len(model.basis.species)))
        return cls(Models(density, three_body, pair is not None, three is not None), fits, covariances)

    def evaluate(self, atoms_a8: FloatArray, species_a: IntArray, near: VerletList, n_threads: int) -> ManyBodyResult:
        """Return energy and derivatives; atoms as in `kernels.vector.near`."""
        lists = [near.near(atoms_a8, species_a, len(self.covariances), fit) for fit in self.fits.values()]
        sources = Sources(lists[0], lists[-1])
        n_atoms, parts = len(atoms_a8), n_lanes(n_threads)
        energy, gradient_a8, virial_6 = 0.0, np.zeros((n_atoms, 8)), np.zeros(6)
        for s, covariance in enumerate(self.covariances):
            order_a = np.flatnonzero(species_a == s)
            out = GpOutput(np.zeros(n_atoms), np.empty((parts, n_atoms, 8)), np.empty((parts, 6)))
            lanes_k = np.linspace(0, len(order_a), parts + 1).astype(np.int64)
            run_lanes(gp_lanes, parts, n_threads, lanes_k, order_a, sources, self.models, covariance.packed, out)
            energy += float(out.energy_a.sum())
            gradient_a8 += out.gradient_ka8.sum(axis=0)
            virial_6 += out.virial_k6.sum(axis=0)
        return ManyBodyResult(energy, gradient_a8[:, :3], gradient_a8[:, 4:7], from_voigt(virial_6))

    def description(self) -> list[str]:
        """Return lines on accuracy and path."""
        lines = [
            f"descriptor {name}: {fit.n_segments} polynomials, h within {fit.value_error:.1e}"
            for name, fit in self.fits.items()
        ]
        for s, part in enumerate(self.covariances):
            lines.append(
                f"covariance of species {s}: {part.path}, {part.n_terms} terms for {part.n_inducing} inducing columns, "
                f"error at most {part.bound_meV:.2g} meV per atom, {part.seen_meV:.2g} on environments of the data"
            )
        return lines
