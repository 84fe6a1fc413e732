"""The compiled sparse GP: descriptors, covariances and their adjoints over all atoms."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.covariance import CompiledCovariance
from soso_core.compiled.lanes import n_lanes, run_lanes
from soso_core.compiled.pair_density import CompiledDensity, absent_density
from soso_core.compiled.three_body import CompiledThreeBody, absent_three_body
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
    """Descriptors and one covariance for each species."""

    density: CompiledDensity | None
    three_body: CompiledThreeBody | None
    covariances: tuple[CompiledCovariance, ...]

    @classmethod
    def of(cls, model: FittedModel, accuracy: Accuracy) -> "CompiledManyBody":
        """Return the GP of a model."""
        descriptor = model.basis.descriptor
        covariances = tuple(CompiledCovariance.of(model, s, accuracy) for s in range(len(model.basis.species)))
        pair, three = descriptor.pair, descriptor.three_body
        return cls(
            None if pair is None else CompiledDensity.of(pair, accuracy),
            None if three is None else CompiledThreeBody.of(three, accuracy),
            covariances,
        )

    def evaluate(self, atoms_a8: FloatArray, species_a: IntArray, near: VerletList, n_threads: int) -> ManyBodyResult:
        """Return energy and derivatives; atoms as in `kernels.vector.near`."""
        models, sources = self._models(), self._sources(atoms_a8, species_a, near)
        n_atoms, parts = len(atoms_a8), n_lanes(n_threads)
        energy, gradient_a8, virial_6 = 0.0, np.zeros((n_atoms, 8)), np.zeros(6)
        for s, covariance in enumerate(self.covariances):
            order_a = np.flatnonzero(species_a == s)
            out = GpOutput(np.zeros(n_atoms), np.empty((parts, n_atoms, 8)), np.empty((parts, 6)))
            lanes_k = np.linspace(0, len(order_a), parts + 1).astype(np.int64)
            run_lanes(gp_lanes, parts, n_threads, lanes_k, order_a, sources, models, covariance.packed, out)
            energy += float(out.energy_a.sum())
            gradient_a8 += out.gradient_ka8.sum(axis=0)
            virial_6 += out.virial_k6.sum(axis=0)
        return ManyBodyResult(energy, gradient_a8[:, :3], gradient_a8[:, 4:7], from_voigt(virial_6))

    def description(self) -> list[str]:
        """Return lines on accuracy and path."""
        lines = [
            f"descriptor {name}: {part.fit.n_segments} polynomials, h within {part.fit.value_error:.1e}"
            for name, part in (("d", self.density), ("p", self.three_body))
            if part is not None
        ]
        for s, part in enumerate(self.covariances):
            lines.append(
                f"covariance of species {s}: {part.path}, {part.n_terms} terms for {part.n_inducing} inducing columns, "
                f"error at most {part.bound_meV:.2g} meV per atom, {part.seen_meV:.2g} on environments of the data"
            )
        return lines

    def _models(self) -> Models:
        radial = (self.density or self._three_body).packed.radial
        density = self.density.packed if self.density else absent_density(radial)
        three = self.three_body.packed if self.three_body else absent_three_body(radial)
        return Models(density, three, self.density is not None, self.three_body is not None)

    def _sources(self, atoms_a8: FloatArray, species_a: IntArray, near: VerletList) -> Sources:
        lists = [
            near.near(atoms_a8, species_a, len(self.covariances), part.fit)
            for part in (self.density, self.three_body)
            if part is not None
        ]
        return Sources(lists[0], lists[-1])

    @property
    def _three_body(self) -> CompiledThreeBody:
        assert self.three_body is not None
        return self.three_body
