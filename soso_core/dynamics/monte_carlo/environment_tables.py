"""The GP of a model for spins that move one at a time on a fixed lattice."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.covariance import stack_heads
from soso_core.compiled.descriptors import CompiledDensity, CompiledThreeBody, absent_three_body
from soso_core.compiled.many_body import CompiledManyBody
from soso_core.configuration import Configuration
from soso_core.descriptors.environment import EnvironmentDescriptor
from soso_core.descriptors.spin_pairs import ImagePairs
from soso_core.gp.model.fitted import FittedModel
from soso_core.kernels.exact.pair_density import sum_images
from soso_core.kernels.exact.spherical import spherical_harmonics
from soso_core.kernels.exact.three_body import add_images
from soso_core.kernels.monte_carlo.environment_sweeps import (
    BLOCK,
    Descriptors,
    Environments,
    Scratch,
    Surroundings,
    start_environments,
)
from soso_core.kernels.vector.covariance import Heads, head_of, make_head_work
from soso_core.kernels.vector.simd import padded
from soso_core.kernels.vector.three_body import ThreeBody
from soso_core.neighbours import find_neighbours
from soso_core.species import species_indices


@dataclass(frozen=True, eq=False)
class CompiledEnvironments:
    """Descriptors and heads of a model, without a lattice; `species` are the atomic numbers it knows."""

    descriptor: EnvironmentDescriptor
    species: tuple[int, ...]
    descriptors: Descriptors
    heads: Heads

    @classmethod
    def of(cls, model: FittedModel) -> "CompiledEnvironments":
        """Return those of a model with a GP.  Raises InputError for a descriptor the fast kernels do not know."""
        compiled = CompiledManyBody.of(model, Accuracy())
        density, three = compiled.density, compiled.three_body
        descriptors = Descriptors(
            density.packed.central_n if density else np.zeros(1),
            density.packed.coupling_l if density else np.zeros(1),
            _three_body(density, three),
            density is not None,
            three is not None,
        )
        heads = stack_heads([head.packed for head in compiled.heads])
        return cls(model.basis.descriptor, model.basis.species, descriptors, heads)

    def on(self, configuration: Configuration) -> "EnvironmentTable":
        """Return the environments of a lattice.  Raises InputError for an unknown element."""
        species_a = species_indices(configuration, self.species)
        pairs = ImagePairs.of(find_neighbours(configuration, self.descriptor.cutoff), species_a)
        first_a, touched_k, through_k = touched_by(pairs, species_a)
        around = Surroundings(
            species_a,
            np.array(configuration.is_magnetic_a),
            pairs.offsets_a,
            pairs.j_q,
            np.ascontiguousarray(pairs.s_q),
            self._shapes(pairs),
            self._radials(pairs),
            first_a,
            touched_k,
            through_k,
        )
        return EnvironmentTable(around, self.descriptors, self.heads)

    def _shapes(self, pairs: ImagePairs) -> FloatArray:
        """Return shape_rn of `kernels.monte_carlo.environment_sweeps.Surroundings`."""
        three = self.descriptor.three_body
        if three is None:
            return np.zeros((1, 4))
        p = three.parameters
        h_pn, _ = three.basis.evaluate(pairs.distances_p)
        y_py = spherical_harmonics(pairs.vectors_pc, pairs.distances_p, p.l_max)
        shapes_qyn = np.zeros((len(pairs.i_q), y_py.shape[1], padded(p.n_max)))
        shape_ny = np.zeros((p.n_max, y_py.shape[1]))
        for q in range(len(pairs.i_q)):
            add_images(pairs.starts_q[q], pairs.starts_q[q + 1], h_pn, y_py, shape_ny)
            shapes_qyn[q, :, : p.n_max] = shape_ny.T
        return shapes_qyn.reshape(-1, shapes_qyn.shape[2])

    def _radials(self, pairs: ImagePairs) -> FloatArray:
        """Return h_qn of `kernels.monte_carlo.environment_sweeps.Surroundings`."""
        if self.descriptor.pair is None:
            return np.zeros((1, 1))
        h_pn, _ = self.descriptor.pair.basis.evaluate(pairs.distances_p)
        q_p = np.repeat(np.arange(len(pairs.i_q)), np.diff(pairs.starts_q))
        return sum_images(q_p, h_pn, len(pairs.i_q))


def _three_body(density: CompiledDensity | None, three: CompiledThreeBody | None) -> ThreeBody:
    """Return p as the kernels take it, or what stands for it when there is none."""
    if three is not None:
        return three.packed
    assert density is not None
    return absent_three_body(density.packed.radial)


def touched_by(pairs: ImagePairs, species_a: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return first_a, touched_k and through_k of `kernels.monte_carlo.environment_sweeps.Surroundings`."""
    n_atoms = len(species_a)
    other_q = np.flatnonzero(pairs.i_q != pairs.j_q)
    by_k = np.concatenate([pairs.j_q[other_q], np.arange(n_atoms)])
    touched_k = np.concatenate([pairs.i_q[other_q], np.arange(n_atoms)])
    through_k = np.concatenate([other_q, np.full(n_atoms, -1)])
    order_k = np.lexsort((touched_k, species_a[touched_k], by_k))
    first_a = np.searchsorted(by_k[order_k], np.arange(n_atoms + 1)).astype(np.int64)
    return first_a, touched_k[order_k].astype(np.int64), through_k[order_k].astype(np.int64)


@dataclass(frozen=True, eq=False)
class EnvironmentTable:
    """The environments of one lattice; `start` makes the state of a replica."""

    around: Surroundings
    descriptors: Descriptors
    heads: Heads

    def start(self, spins_ac: FloatArray) -> "Replica":
        """Return a state with these spins (a, 3), summed from nothing."""
        replica = Replica(self, self._empty_state(), self._scratch())
        start_environments(spins_ac, *replica.arguments)
        return replica

    def _empty_state(self) -> Environments:
        n_atoms, three = len(self.around.species_a), self.descriptors.three_body
        n_y = len(three.harmonics.a_lm) ** 2
        n_columns = len(three.kinds_t) * three.n_pad * three.n_species
        return Environments(
            np.zeros((2 * n_atoms, n_y, n_columns)),
            np.zeros((2 * n_atoms, self._n_density)),
            np.zeros(2 * n_atoms),
            np.zeros(n_atoms, dtype=np.int64),
        )

    def _scratch(self) -> Scratch:
        three, n_l = self.descriptors.three_body, len(self.descriptors.coupling_l)
        # As many rows as `fast_three_body.make_three_body_work` takes.
        n_rows = int(max(three.row_f.max(), three.mirror_row_f.max())) + three.n_pad + 1
        return Scratch(
            np.zeros((BLOCK, self.heads.columns_sfk.shape[1])),
            np.zeros(BLOCK),
            np.zeros(BLOCK, dtype=np.int64),
            np.zeros((n_rows, three.n_species * three.n_pad)),
            np.zeros(n_l),
            np.zeros(n_l),
            np.zeros(len(three.kinds_t)),
            make_head_work(BLOCK, head_of(self.heads, 0)),
        )

    @cached_property
    def _n_density(self) -> int:
        """Number of components of d."""
        model = self.descriptors
        return len(self.heads.values_sk) * len(model.central_n) * len(model.coupling_l) if model.has_density else 0


@dataclass(frozen=True, eq=False)
class Replica:
    """The state of one chain: densities and energies of every centre."""

    table: EnvironmentTable
    state: Environments
    work: Scratch

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the kernels take, in their order."""
        return self.table.around, self.table.descriptors, self.table.heads, self.state, self.work

    def energy(self) -> float:
        """Return the sum of the present energies, eV."""
        state = self.state
        return float(np.sum(state.e_w[2 * np.arange(len(state.now_a)) + state.now_a]))
