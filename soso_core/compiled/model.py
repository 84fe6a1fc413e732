"""CompiledModel: a fitted model compiled for speed; predictions without error bars for many atoms and many steps."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.accuracy import LARGE_PAIR_ENERGY, Accuracy
from soso_core.compiled.lanes import n_lanes, run_lanes
from soso_core.compiled.many_body import CompiledManyBody
from soso_core.compiled.pairs import CompiledPairs
from soso_core.compiled.verlet import VerletList
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.gp.model.fitted import FittedModel, Prediction
from soso_core.kernels.vector.atoms import make_atoms, transverse_fields
from soso_core.kernels.vector.pairs import PairOutput, pair_lanes
from soso_core.species import species_indices
from soso_core.threads import one_blas_thread
from soso_core.voigt import from_voigt


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """Energy, effective fields, forces and stress of a fitted model, to a stated accuracy.

    `pairs.fit` and `many_body` state the errors of the parts; `describe()` prints them.
    """

    model: FittedModel
    accuracy: Accuracy
    pairs: CompiledPairs
    many_body: CompiledManyBody | None
    species: tuple[int, ...]

    @classmethod
    def of(cls, model: FittedModel, accuracy: Accuracy | None = None) -> "CompiledModel":
        """Return the compiled form of a model."""
        accuracy = accuracy or Accuracy()
        many_body = None if model.basis.inducing is None else CompiledManyBody.of(model, accuracy)
        return cls(model, accuracy, CompiledPairs.of(model, accuracy), many_body, model.basis.species)

    @property
    def cutoff(self) -> float:
        """Reach, Å."""
        return self.model.basis.cutoff

    def neighbours(self, configuration: Configuration, skin: float = 0.0) -> VerletList:
        """Return the neighbour list of a configuration, with a skin (Å) for use in dynamics.

        Raises InputError for a skin longer than the polynomials allow.
        """
        if not 0.0 <= skin <= self.accuracy.skin:
            raise InputError(f"skin {skin:g} Å: this compiled model allows 0 to {self.accuracy.skin:g} Å")
        return VerletList.of(configuration.positions_ac, configuration.cell_vc, self.cutoff, skin)

    def predict(
        self, configuration: Configuration, neighbours: VerletList | None = None, n_threads: int = 1
    ) -> Prediction:
        """Return energy, fields, forces and stress, without error bars.

        `neighbours` from an earlier step are used while they hold, see `VerletList.update`.  Raises InputError for
        an unknown element and for atoms nearer than `accuracy.shortest`.
        """
        species_a = species_indices(configuration, self.species)
        positions_ac, cell_vc = configuration.positions_ac, configuration.cell_vc
        near = self.neighbours(configuration) if neighbours is None else neighbours.update(positions_ac, cell_vc)
        atoms_a8 = make_atoms(positions_ac, species_a, configuration.spins_ac)
        energy = float(np.sum(self.model.species_energies_s[species_a]))
        pair_energy, forces_ac, gradient_ac, virial_cc = self._pairs(atoms_a8, species_a, near, n_threads)
        energy += pair_energy
        if self.many_body is not None:
            with one_blas_thread():
                more = self.many_body.evaluate(atoms_a8, species_a, near, n_threads)
            energy += more.energy
            forces_ac -= more.position_ac
            gradient_ac += more.spin_ac
            virial_cc = virial_cc + more.strain_cc
        effective_fields_ac = transverse_fields(gradient_ac, configuration.spins_ac)
        return Prediction(energy, effective_fields_ac, forces_ac, virial_cc / configuration.volume)

    def describe(self) -> str:
        """Return a few lines on how the model is evaluated and how accurately."""
        fit = self.pairs.fit
        lines = [
            f"distances {self.accuracy.shortest:g} Å to {self.cutoff:g} Å, skin up to {self.accuracy.skin:g} Å",
            f"pair part: {fit.n_segments} polynomials of degree {self.accuracy.pair_degree}, "
            f"J within {1e3 * fit.value_error:.1e} meV, J' within {1e3 * fit.slope_error:.1e} meV/Å",
        ]
        if fit.largest > 1.0:
            lines.append(
                f"  and |J| / (1 eV) times as much where |J|, at a distance or beyond, is above 1 eV (it reaches "
                f"{LARGE_PAIR_ENERGY * fit.largest:.3g} eV)"
            )
        return "\n".join(lines + (self.many_body.description() if self.many_body else []))

    def _pairs(
        self, atoms_a8: FloatArray, species_a: IntArray, near: VerletList, n_threads: int
    ) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        """Return energy, forces, ∂E/∂e and strain derivative of the pair part."""
        n_atoms, parts = len(atoms_a8), n_lanes(n_threads)
        source = near.near(atoms_a8, species_a, len(self.species), self.pairs.fit)
        out = PairOutput(
            np.empty(n_atoms), np.empty((n_atoms, 3)), np.empty((n_atoms, 3)), np.empty((parts, 6)), np.empty(parts)
        )
        lanes_k = np.linspace(0, n_atoms, parts + 1).astype(np.int64)
        run_lanes(pair_lanes, parts, n_threads, lanes_k, source, self.pairs.packed, out)
        if out.shortest_k.min() < self.accuracy.shortest:
            raise InputError(
                f"two atoms are {out.shortest_k.min():.3g} Å apart; this compiled model holds from "
                f"{self.accuracy.shortest:g} Å on"
            )
        return float(out.energy_a.sum()), out.force_ac, out.gradient_ac, from_voigt(out.virial_k6.sum(axis=0))
