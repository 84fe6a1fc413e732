"""Couplings of every pair of atoms on a fixed lattice, in the form of the Monte Carlo kernels."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import BoolArray, FloatArray, IntArray
from soso_core.compiled.pairs import legendre_powers
from soso_core.configuration import Configuration
from soso_core.descriptors.spin_pairs import ImagePairs, neighbours_within
from soso_core.errors import InputError
from soso_core.gp.model.fitted import FittedModel
from soso_core.kernels.monte_carlo.sweeps import PairTable
from soso_core.neighbours import find_neighbours
from soso_core.species import species_indices


@dataclass(frozen=True, eq=False)
class Couplings:
    """J_λ (q, l) in eV, λ from 0, of pairs from both their ends, i_q ascending; images of a pair are summed.

    E = ½ Σ_q Σ_λ J_λ P_λ(e_i·e_j); λ > 0 counts only where both ends carry a spin.
    """

    i_q: IntArray
    j_q: IntArray
    j_ql: FloatArray

    @classmethod
    def of(cls, model: FittedModel, configuration: Configuration) -> "Couplings":
        """Return those of the pair part of a model on this lattice.  Raises InputError for an unknown element."""
        part, settings = model.basis.pair_part, model.basis.settings.pair
        species_a = species_indices(configuration, model.basis.species)
        near = neighbours_within(find_neighbours(configuration, settings.cutoff_angstrom), settings.cutoff_angstrom)
        pairs = ImagePairs.of(near, species_a)
        weights_uln = part.weights_lun(model.weights_m[model.basis.pair_columns]).swapaxes(0, 1)
        u_q = part.pair_index_ss[species_a[pairs.i_q], pairs.s_q]
        return cls(pairs.i_q, pairs.j_q, np.einsum("qn,qln->ql", pairs.sum_radial(part.basis), weights_uln[u_q]))

    @classmethod
    def of_bonds(cls, bonds_k2: IntArray, j_kl: FloatArray) -> "Couplings":
        """Return those of bonds given once each, with J_λ (k, l) in eV, λ from 0.

        Raises InputError for shapes that do not match.
        """
        bonds_k2, j_kl = np.asarray(bonds_k2, dtype=np.int64), np.asarray(j_kl, dtype=float)
        if bonds_k2.ndim != 2 or bonds_k2.shape[1] != 2 or j_kl.ndim != 2 or len(j_kl) != len(bonds_k2):
            raise InputError(f"bonds {bonds_k2.shape} and couplings {j_kl.shape} do not match")
        i_q, j_q = np.concatenate([bonds_k2, bonds_k2[:, ::-1]]).T
        order_q = np.lexsort((j_q, i_q))
        return cls(i_q[order_q], j_q[order_q], np.concatenate([j_kl, j_kl])[order_q])

    def constant(self, is_magnetic_a: BoolArray) -> float:
        """Return the part of the energy without directions, eV: λ = 0, atoms with their own images, means of u^k."""
        both_q = is_magnetic_a[self.i_q] & is_magnetic_a[self.j_q]
        powers_qk = self._powers()
        own_q = self.i_q == self.j_q
        apart = float(np.sum(self.j_ql[:, 0])) + float(np.sum((powers_qk[:, 0] - self.j_ql[:, 0])[both_q]))
        return 0.5 * (apart + float(np.sum(powers_qk[both_q & own_q, 1:])))

    def table(self, is_magnetic_a: BoolArray, field_ac: FloatArray) -> PairTable:
        """Return the part with directions: pairs of two different magnetic atoms, and the field (a, 3), eV."""
        kept_q = is_magnetic_a[self.i_q] & is_magnetic_a[self.j_q] & (self.i_q != self.j_q)
        offsets_a = np.searchsorted(self.i_q[kept_q], np.arange(len(is_magnetic_a) + 1)).astype(np.int64)
        powers_qk = self._powers()[kept_q, 1:]
        return PairTable(
            offsets_a,
            np.ascontiguousarray(self.j_q[kept_q]),
            np.ascontiguousarray(powers_qk if powers_qk.shape[1] else np.zeros((len(powers_qk), 1))),
            np.ascontiguousarray(field_ac),
        )

    def _powers(self) -> FloatArray:
        """Return the coefficients of u^k, k from 0, (q, k)."""
        return np.asarray(self.j_ql @ legendre_powers(self.j_ql.shape[1]))
