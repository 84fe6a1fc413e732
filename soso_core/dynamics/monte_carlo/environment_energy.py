"""The GP energy on a fixed lattice, for changes of one spin at a time."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.covariance import stack_covariances
from soso_core.compiled.many_body import CompiledManyBody
from soso_core.configuration import Configuration
from soso_core.descriptors.environment import EnvironmentDescriptor
from soso_core.descriptors.spin_pairs import ImagePairs
from soso_core.gp.model.fitted import FittedModel
from soso_core.kernels.exact.spherical import spherical_harmonics
from soso_core.kernels.exact.three_body import add_images
from soso_core.kernels.monte_carlo.environments import (
    Environments,
    LatticeTable,
    ReplicaState,
    Scratch,
    start_environments,
)
from soso_core.kernels.vector.covariance import Covariances, covariance_of, make_covariance_work
from soso_core.kernels.vector.many_body import BLOCK, Models
from soso_core.kernels.vector.simd import round_up_to_width
from soso_core.kernels.vector.three_body import count_product_rows
from soso_core.neighbours import find_neighbours
from soso_core.species import species_indices


@dataclass(frozen=True, eq=False)
class EnvironmentModel:
    """Descriptors and covariances of a model, without a lattice; `species` are its atomic numbers."""

    descriptor: EnvironmentDescriptor
    species: tuple[int, ...]
    models: Models
    covariances: Covariances

    @classmethod
    def of(cls, model: FittedModel) -> "EnvironmentModel":
        """Return those of a model with a GP.  Raises InputError for a model with element channels."""
        compiled = CompiledManyBody.of(model, Accuracy())
        covariances = stack_covariances([covariance.packed for covariance in compiled.covariances])
        return cls(model.basis.descriptor, model.basis.species, compiled.models, covariances)

    def on(self, configuration: Configuration) -> "EnvironmentEnergy":
        """Return the environments of a lattice.  Raises InputError for an unknown element."""
        species_a = species_indices(configuration, self.species)
        pairs = ImagePairs.of(find_neighbours(configuration, self.descriptor.cutoff), species_a)
        first_a, touched_k, through_k = find_touched(pairs, species_a)
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
        return EnvironmentEnergy(lattice, self.models, self.covariances)

    def _shapes(self, pairs: ImagePairs) -> FloatArray:
        """Return shape_rn of `kernels.monte_carlo.environments.LatticeTable`."""
        three = self.descriptor.three_body
        if three is None:
            return np.zeros((1, 4))
        p = three.parameters
        h_pn, _ = three.basis.evaluate(pairs.distances_p)
        y_py = spherical_harmonics(pairs.vectors_pc, pairs.distances_p, p.l_max)
        shapes_qyn = np.zeros((len(pairs.i_q), y_py.shape[1], round_up_to_width(p.n_max)))
        shape_ny = np.zeros((p.n_max, y_py.shape[1]))
        for q in range(len(pairs.i_q)):
            add_images(pairs.starts_q[q], pairs.starts_q[q + 1], h_pn, y_py, shape_ny)
            shapes_qyn[q, :, : p.n_max] = shape_ny.T
        return shapes_qyn.reshape(-1, shapes_qyn.shape[2])

    def _radials(self, pairs: ImagePairs) -> FloatArray:
        """Return h_qn of `kernels.monte_carlo.environments.LatticeTable`."""
        if self.descriptor.pair is None:
            return np.zeros((1, 1))
        return pairs.sum_radial(self.descriptor.pair.basis)


def find_touched(pairs: ImagePairs, species_a: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return first_a, touched_k and through_k of `kernels.monte_carlo.environments.LatticeTable`."""
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
    models: Models
    covariances: Covariances

    def start(self, spins_ac: FloatArray) -> tuple[float, Environments]:
        """Return the energy of these spins (a, 3), eV, computed from scratch, and the state of a replica with them."""
        around = Environments(self.lattice, self.models, self.covariances, self._empty_state(), self._scratch())
        return start_environments(spins_ac, around), around

    def _empty_state(self) -> ReplicaState:
        n_atoms, three = len(self.lattice.species_a), self.models.three_body
        n_columns = len(three.kinds_t) * three.n_pad * three.n_species
        density, n_species = self.models.density, len(self.covariances.values_sk)
        n_density = n_species * len(density.central_n) * len(density.coupling_l) if self.models.has_density else 0
        return ReplicaState(
            np.zeros((2 * n_atoms, len(three.harmonics.a_lm) ** 2, n_columns)),
            np.zeros((2 * n_atoms, n_density)),
            np.zeros(2 * n_atoms),
            np.zeros(n_atoms, dtype=np.int64),
        )

    def _scratch(self) -> Scratch:
        three, n_l = self.models.three_body, len(self.models.density.coupling_l)
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
