"""The GP energy on a fixed lattice, for changes of one spin at a time."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.covariance import stack_covariances
from soso_core.compiled.many_body import CompiledManyBody
from soso_core.compiled.pair_density import CompiledDensity
from soso_core.compiled.three_body import CompiledThreeBody, absent_three_body
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
    LatticeTable,
    ReplicaState,
    Scratch,
    start_environments,
)
from soso_core.kernels.vector.covariance import Covariances, covariance_of, make_covariance_work
from soso_core.kernels.vector.simd import padded
from soso_core.kernels.vector.three_body import ThreeBody, count_product_rows
from soso_core.neighbours import find_neighbours
from soso_core.species import species_indices


@dataclass(frozen=True, eq=False)
class EnvironmentModel:
    """Descriptors and covariances of a model, without a lattice; `species` are its atomic numbers."""

    descriptor: EnvironmentDescriptor
    species: tuple[int, ...]
    descriptors: Descriptors
    covariances: Covariances

    @classmethod
    def of(cls, model: FittedModel) -> "EnvironmentModel":
        """Return those of a model with a GP.  Raises InputError for a model with element channels."""
        compiled = CompiledManyBody.of(model, Accuracy())
        density, three = compiled.density, compiled.three_body
        descriptors = Descriptors(
            density.packed.central_n if density else np.zeros(1),
            density.packed.coupling_l if density else np.zeros(1),
            _three_body(density, three),
            density is not None,
            three is not None,
        )
        covariances = stack_covariances([covariance.packed for covariance in compiled.covariances])
        return cls(model.basis.descriptor, model.basis.species, descriptors, covariances)

    def on(self, configuration: Configuration) -> "EnvironmentEnergy":
        """Return the environments of a lattice.  Raises InputError for an unknown element."""
        species_a = species_indices(configuration, self.species)
        pairs = ImagePairs.of(find_neighbours(configuration, self.descriptor.cutoff), species_a)
        first_a, touched_k, through_k = touched_by(pairs, species_a)
        lattice = LatticeTable(
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
        return EnvironmentEnergy(lattice, self.descriptors, self.covariances)

    def _shapes(self, pairs: ImagePairs) -> FloatArray:
        """Return shape_rn of `kernels.monte_carlo.environment_sweeps.LatticeTable`."""
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
        """Return h_qn of `kernels.monte_carlo.environment_sweeps.LatticeTable`."""
        if self.descriptor.pair is None:
            return np.zeros((1, 1))
        h_pn, _ = self.descriptor.pair.basis.evaluate(pairs.distances_p)
        q_p = np.repeat(np.arange(len(pairs.i_q)), np.diff(pairs.starts_q))
        return sum_images(q_p, h_pn, len(pairs.i_q))


def _three_body(density: CompiledDensity | None, three: CompiledThreeBody | None) -> ThreeBody:
    """Return p as the kernels take it, or its replacement when there is none."""
    if three is not None:
        return three.packed
    assert density is not None
    return absent_three_body(density.packed.radial)


def touched_by(pairs: ImagePairs, species_a: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return first_a, touched_k and through_k of `kernels.monte_carlo.environment_sweeps.LatticeTable`."""
    n_atoms = len(species_a)
    other_q = np.flatnonzero(pairs.i_q != pairs.j_q)
    by_k = np.concatenate([pairs.j_q[other_q], np.arange(n_atoms)])
    touched_k = np.concatenate([pairs.i_q[other_q], np.arange(n_atoms)])
    through_k = np.concatenate([other_q, np.full(n_atoms, -1)])
    order_k = np.lexsort((touched_k, species_a[touched_k], by_k))
    first_a = np.searchsorted(by_k[order_k], np.arange(n_atoms + 1)).astype(np.int64)
    return first_a, touched_k[order_k].astype(np.int64), through_k[order_k].astype(np.int64)


@dataclass(frozen=True, eq=False)
class EnvironmentEnergy:
    """The environments of one lattice; `start` makes the state of a replica."""

    lattice: LatticeTable
    descriptors: Descriptors
    covariances: Covariances

    def start(self, spins_ac: FloatArray) -> "Replica":
        """Return a state with these spins (a, 3), computed from scratch."""
        replica = Replica(self, self._empty_state(), self._scratch())
        start_environments(spins_ac, *replica.arguments)
        return replica

    def _empty_state(self) -> ReplicaState:
        n_atoms, three = len(self.lattice.species_a), self.descriptors.three_body
        n_y = len(three.harmonics.a_lm) ** 2
        n_columns = len(three.kinds_t) * three.n_pad * three.n_species
        return ReplicaState(
            np.zeros((2 * n_atoms, n_y, n_columns)),
            np.zeros((2 * n_atoms, self._n_density)),
            np.zeros(2 * n_atoms),
            np.zeros(n_atoms, dtype=np.int64),
        )

    def _scratch(self) -> Scratch:
        three, n_l = self.descriptors.three_body, len(self.descriptors.coupling_l)
        return Scratch(
            np.zeros((BLOCK, self.covariances.columns_sfk.shape[1])),
            np.zeros(BLOCK),
            np.zeros(BLOCK, dtype=np.int64),
            np.zeros((count_product_rows(three), three.n_species * three.n_pad)),
            np.zeros(n_l),
            np.zeros(n_l),
            np.zeros(len(three.kinds_t)),
            make_covariance_work(BLOCK, covariance_of(self.covariances, 0)),
        )

    @cached_property
    def _n_density(self) -> int:
        """Number of components of d."""
        model = self.descriptors
        return (
            len(self.covariances.values_sk) * len(model.central_n) * len(model.coupling_l) if model.has_density else 0
        )


@dataclass(frozen=True, eq=False)
class Replica:
    """The state of one chain: densities and energies of every centre."""

    table: EnvironmentEnergy
    state: ReplicaState
    work: Scratch

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments of the kernels, in their order."""
        return self.table.lattice, self.table.descriptors, self.table.covariances, self.state, self.work

    def energy(self) -> float:
        """Return the sum of the current energies, eV."""
        state = self.state
        return float(np.sum(state.e_w[2 * np.arange(len(state.now_a)) + state.now_a]))
