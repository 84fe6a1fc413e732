"""SpinEnergy: the energy of the spins on a fixed lattice, for changes of one spin at a time."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from soso_core.arrays import BoolArray, FloatArray, IntArray, frozen_floats
from soso_core.configuration import Configuration
from soso_core.dynamics.monte_carlo.couplings import Couplings
from soso_core.dynamics.monte_carlo.environment_energy import EnvironmentEnergy, EnvironmentModel
from soso_core.errors import InputError
from soso_core.gp.model.fitted import FittedModel
from soso_core.kernels.monte_carlo.sweeps import PairTable, pair_energy
from soso_core.species import species_counts


@dataclass(frozen=True, eq=False)
class SpinEnergy:
    """E(e) = constant + pairs + environments - Σ_i b_i·e_i, eV, for the magnetic atoms of a fixed lattice.

    `environments` is None for a model of pairs alone.
    """

    is_magnetic_a: BoolArray
    constant: float
    pairs: PairTable
    environments: EnvironmentEnergy | None = None

    @classmethod
    def of_bonds(
        cls, n_atoms: int, bonds_k2: IntArray, j_kl: FloatArray, field_ac: ArrayLike | None = None
    ) -> "SpinEnergy":
        """Return that of n spins with J_λ (k, l), λ from 0, eV, on bonds (k, 2) given once each, in a field b (a, 3).

        Raises InputError for bonds or fields that do not fit.
        """
        couplings, magnetic_a = Couplings.of_bonds(bonds_k2, j_kl), np.ones(n_atoms, dtype=bool)
        if len(couplings.i_q) and not 0 <= couplings.i_q.min() <= couplings.i_q.max() < n_atoms:
            raise InputError(f"a bond has an atom index that is not one of the {n_atoms} atoms")
        table = couplings.table(magnetic_a, _check_field(field_ac, n_atoms))
        return cls(magnetic_a, couplings.constant(magnetic_a), table)

    @property
    def n_atoms(self) -> int:
        """Number of atoms, with and without a spin."""
        return len(self.is_magnetic_a)

    @cached_property
    def sites_k(self) -> IntArray:
        """The atoms that carry a spin, (k,)."""
        return np.flatnonzero(self.is_magnetic_a).astype(np.int64)

    def of_spins(self, spins_ac: FloatArray) -> float:
        """Return the energy of these spins (a, 3), eV, computed from scratch."""
        spins_ac = self.check_spins(spins_ac)
        more = 0.0 if self.environments is None else self.environments.start(spins_ac)[0]
        return self.constant + pair_energy(self.pairs, spins_ac) + more

    def check_spins(self, spins_ac: ArrayLike) -> FloatArray:
        """Return a copy of spins (a, 3).  Raises InputError unless they are unit vectors on magnetic atoms only."""
        spins_ac = np.array(frozen_floats("spin", spins_ac, (self.n_atoms, 3)))
        if np.any(np.abs(np.linalg.norm(spins_ac, axis=1) - self.is_magnetic_a) > 1e-6):
            raise InputError("spins must be unit vectors on the magnetic atoms of the lattice, and zero on the others")
        return spins_ac


@dataclass(frozen=True, eq=False)
class SpinModel:
    """A fitted model prepared for lattices; `SpinModel.of(model).on(configuration)` is its energy on one.

    Everything that does not depend on the lattice is computed once.
    """

    model: FittedModel
    environments: EnvironmentModel | None

    @classmethod
    def of(cls, model: FittedModel) -> "SpinModel":
        """Prepare the model.  Raises InputError for a model with element channels."""
        return cls(model, None if model.basis.inducing is None else EnvironmentModel.of(model))

    def on(self, configuration: Configuration, field_ac: ArrayLike | None = None) -> SpinEnergy:
        """Return the energy on the lattice of a configuration, in a field b (a, 3), eV: E - Σ b·e.

        Its spins only mark the magnetic atoms.  Raises InputError for an unknown element.
        """
        model, magnetic_a = self.model, configuration.is_magnetic_a
        couplings = Couplings.of(model, configuration)
        table = couplings.table(magnetic_a, _check_field(field_ac, len(configuration)))
        atoms_energy = float(species_counts(configuration, model.basis.species) @ model.species_energies_s)
        around = None if self.environments is None else self.environments.on(configuration)
        return SpinEnergy(np.array(magnetic_a), atoms_energy + couplings.constant(magnetic_a), table, around)


def _check_field(field_ac: ArrayLike | None, n_atoms: int) -> FloatArray:
    return np.zeros((n_atoms, 3)) if field_ac is None else frozen_floats("field", field_ac, (n_atoms, 3))
