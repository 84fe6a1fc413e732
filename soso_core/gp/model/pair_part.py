"""The linear long-range pair part: E = Σ_{pairs} Σ_λ J_λ(r) P_λ(e_i·e_j), J_λ a sum of radial functions."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.descriptors.radial_basis import DecayingBasis
from soso_core.descriptors.spin_pairs import (
    ImagePairs,
    SpinPairs,
    merge_images,
    neighbours_within,
    pair_legendre,
)
from soso_core.gp.model.settings import PairPartSettings
from soso_core.kernels.exact.pair_density import density, density_position_adjoint, position_density, spin_density
from soso_core.neighbours import Neighbours
from soso_core.species import species_indices
from soso_core.voigt import from_voigt


@dataclass(frozen=True, eq=False)
class PairPart:
    """Columns [λ, u, n] of the design matrix, u counting unordered species pairs, each pair counted once."""

    settings: PairPartSettings
    species: tuple[int, ...]

    @cached_property
    def basis(self) -> DecayingBasis:
        """The radial functions."""
        s = self.settings
        return DecayingBasis(s.cutoff_angstrom, s.taper_angstrom, s.n_max, s.sigma_angstrom, s.decay)

    @cached_property
    def species_pairs(self) -> tuple[tuple[int, int], ...]:
        """Unordered pairs of species indices, in column order."""
        n = len(self.species)
        return tuple((i, j) for i in range(n) for j in range(i, n))

    @cached_property
    def pair_index_ss(self) -> IntArray:
        """Index u of the unordered pair of two species, (s, s)."""
        index_ss = np.zeros((len(self.species), len(self.species)), dtype=np.int64)
        for u, (i, j) in enumerate(self.species_pairs):
            index_ss[i, j] = index_ss[j, i] = u
        return index_ss

    @property
    def n_orders(self) -> int:
        """Number of Legendre orders, λ = 0 included."""
        return self.settings.lambda_max + 1

    @property
    def size_per_order(self) -> int:
        """Number of columns of one λ."""
        return len(self.species_pairs) * self.settings.n_max

    @property
    def size(self) -> int:
        """Number of columns."""
        return self.n_orders * self.size_per_order

    def weights_lun(self, weights_m: FloatArray) -> FloatArray:
        """Return the weights (m,) of the pair part as (λ, u, n): order, unordered species pair, radial function."""
        return weights_m.reshape(self.n_orders, len(self.species_pairs), self.settings.n_max)

    def rows(self, configuration: Configuration, neighbours: Neighbours) -> tuple[FloatArray, FloatArray]:
        """Return the contribution of each atom to ∂E/∂w, (a, m), and ∂²E/∂e∂w, (a, c, m), not projected.

        Each of its two atoms has half of a pair.
        """
        species_a = species_indices(configuration, self.species)
        pairs = self._merge_images(configuration, neighbours, species_a)
        v_acsnl = spin_density(
            pairs.i_p, pairs.j_p, pairs.s_p, pairs.h_pn, pairs.slopes_pl, configuration.spins_ac, len(self.species)
        )
        return self._sites(pairs, species_a), self._fold(v_acsnl, species_a)

    def site_rows(self, configuration: Configuration, neighbours: Neighbours) -> FloatArray:
        """Return the first of `rows`, (a, m), alone."""
        species_a = species_indices(configuration, self.species)
        return self._sites(self._merge_images(configuration, neighbours, species_a), species_a)

    def _merge_images(self, configuration: Configuration, neighbours: Neighbours, species_a: IntArray) -> SpinPairs:
        near = neighbours_within(neighbours, self.settings.cutoff_angstrom)
        return merge_images(configuration, near, species_a, self.basis, self.settings.lambda_max)

    def _sites(self, pairs: SpinPairs, species_a: IntArray) -> FloatArray:
        d_asnl = density(pairs.i_p, pairs.s_p, pairs.h_pn, pairs.values_pl, len(species_a), len(self.species))
        return 0.5 * self._fold(d_asnl[:, None], species_a)[:, 0]

    def position_rows(self, configuration: Configuration, neighbours: Neighbours) -> tuple[FloatArray, FloatArray]:
        """Return ∂E/∂w by positions, (a, c, m), 1/Å, and by strain, (c, c, m)."""
        species_a = species_indices(configuration, self.species)
        pairs = ImagePairs.of(neighbours_within(neighbours, self.settings.cutoff_angstrom), species_a)
        _, dh_pn = self.basis.evaluate(pairs.distances_p)
        values_ql, _ = pair_legendre(configuration, pairs.i_q, pairs.j_q, self.settings.lambda_max)
        moved_adsnl = position_density(
            pairs.starts_q,
            pairs.i_q,
            pairs.s_q,
            pairs.vectors_pc,
            pairs.distances_p,
            dh_pn,
            values_ql,
            len(configuration),
            len(self.species),
        )
        moved_adm = self._fold(moved_adsnl, species_a)
        # Each pair has two entries, one for each of its atoms: half of each is the whole pair.
        return -moved_adm[:, :3], from_voigt(0.5 * moved_adm[:, 3:].sum(axis=0))

    def position_gradient(
        self, configuration: Configuration, neighbours: Neighbours, weights_m: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return ∂E/∂position (a, c), eV/Å, and ∂E/∂strain (c, c), eV, for weights_m (m,)."""
        species_a = species_indices(configuration, self.species)
        near = neighbours_within(neighbours, self.settings.cutoff_angstrom)
        _, dh_pn = self.basis.evaluate(near.distances_p)
        values_pl, _ = pair_legendre(configuration, near.i_p, near.j_p, self.settings.lambda_max)
        g_asnl = 0.5 * self.weights_lun(weights_m)[:, self.pair_index_ss[species_a]].transpose(1, 2, 3, 0)
        return density_position_adjoint(
            near.i_p,
            near.j_p,
            species_a[near.j_p],
            near.vectors_pc,
            near.distances_p,
            dh_pn,
            values_pl,
            np.ascontiguousarray(g_asnl),
        )

    def _fold(self, values_acsnl: FloatArray, species_a: IntArray) -> FloatArray:
        """Sum ordered species blocks into unordered ones: (a, c, s, n, l) -> (a, c, m), m = [λ, u, n]."""
        n_atoms, n_c, n_species, n_max, n_orders = values_acsnl.shape
        folded = np.zeros((n_atoms, n_c, n_orders, len(self.species_pairs), n_max))
        atoms = np.arange(n_atoms)
        for s in range(n_species):
            folded[atoms, :, :, self.pair_index_ss[species_a, s]] += values_acsnl[:, :, s].swapaxes(2, 3)
        return folded.reshape(n_atoms, n_c, -1)
