"""The two-body SOSO descriptor: d_i[s, n, λ] = Σ_j f_c(r) h_n(r) A_λ P_λ(e_i·e_j) + central term."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.descriptors.parameters import PairDescriptorParameters
from soso_core.descriptors.radial_basis import OverlapBasis
from soso_core.descriptors.rows import Columns
from soso_core.descriptors.spin_coupling import spin_coupling
from soso_core.descriptors.spin_pairs import ImagePairs, SpinPairs, merge_images, neighbours_within, pair_legendre
from soso_core.kernels.exact.jacobian import pair_position_jacobian, pair_spin_jacobian
from soso_core.kernels.exact.pair_density import density, density_position_adjoint, density_spin_adjoint
from soso_core.kernels.exact.rows import add_position_rows, add_product_rows
from soso_core.neighbours import Neighbours
from soso_core.species import species_indices
from soso_core.voigt import from_voigt


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """The descriptor of every centre of one configuration, d_asnl (a, s, n, l), and the input of its adjoint."""

    configuration: Configuration
    neighbours: Neighbours
    pairs: SpinPairs
    d_asnl: FloatArray

    @property
    def x_af(self) -> FloatArray:
        """The features of every centre."""
        return self.d_asnl.reshape(len(self.d_asnl), -1)


@dataclass(frozen=True, eq=False)
class PairDescriptor:
    """Compute the descriptor and its exact adjoints; `species` are its atomic numbers.

    Source: arXiv:2403.10769.  Neighbours of different species fill different blocks s; the centre itself
    adds h_n(0) at λ = 0 in the block of its own species.
    """

    parameters: PairDescriptorParameters
    species: tuple[int, ...]

    @cached_property
    def basis(self) -> OverlapBasis:
        """The radial basis h_n."""
        p = self.parameters
        return OverlapBasis(p.cutoff_angstrom, p.taper_angstrom, p.n_max, p.sigma_atom_angstrom)

    @cached_property
    def coupling_l(self) -> FloatArray:
        """A_λ/A_0, (l,)."""
        return spin_coupling(self.parameters.lambda_max, self.parameters.sigma_spin)

    @property
    def size(self) -> int:
        """Number of components of one centre's descriptor, s·n·l."""
        return len(self.species) * self.parameters.n_max * (self.parameters.lambda_max + 1)

    def compute(self, configuration: Configuration, neighbours: Neighbours) -> PairFeatures:
        """Return the descriptors; `neighbours` must reach at least to the cutoff."""
        species_a = species_indices(configuration, self.species)
        near = neighbours_within(neighbours, self.parameters.cutoff_angstrom)
        pairs = merge_images(configuration, near, species_a, self.basis, self.parameters.lambda_max)
        d_asnl = density(
            pairs.i_p, pairs.s_p, pairs.h_pn, pairs.values_pl * self.coupling_l, len(configuration), len(self.species)
        )
        central_n = self.basis.evaluate(np.zeros(1))[0][0]
        d_asnl[np.arange(len(configuration)), species_a, :, 0] += central_n
        return PairFeatures(configuration, near, pairs, d_asnl)

    def spin_rows(self, features: PairFeatures, columns: Columns) -> FloatArray:
        """Return ∂E_b/∂e_i, (a, c, b), of columns whose g is by d, f = (s, n, l); not projected."""
        e_ac = features.configuration.spins_ac
        rows_acb = np.zeros((*e_ac.shape, columns.n_columns))
        pairs, slopes_pl = features.pairs, features.pairs.slopes_pl * self.coupling_l
        offsets_a = np.searchsorted(pairs.i_p, np.arange(len(features.d_asnl) + 1))
        for i, ends in enumerate(pairwise(offsets_a)):
            p = slice(*ends)
            by_product_fq = pair_spin_jacobian(pairs.s_p[p], pairs.h_pn[p], slopes_pl[p], len(self.species))
            u_qb = columns.times(i, slice(0, self.size), by_product_fq)
            add_product_rows(i, pairs.j_p[p], e_ac, u_qb, rows_acb)
        return rows_acb

    def position_rows(self, features: PairFeatures, columns: Columns) -> tuple[FloatArray, FloatArray]:
        """Return ∂E_b/∂position (a, c, b), eV/Å, and ∂E_b/∂strain (c, c, b), eV, of columns whose g is by d."""
        species_a = species_indices(features.configuration, self.species)
        pairs = ImagePairs.of(features.neighbours, species_a)
        _, dh_pn = self.basis.evaluate(pairs.distances_p)
        values_ql = pair_legendre(features.configuration, pairs.i_q, pairs.j_q, self.parameters.lambda_max)[0]
        values_ql *= self.coupling_l
        rows_acb, strain_db = np.zeros((len(species_a), 3, columns.n_columns)), np.zeros((6, columns.n_columns))
        for i, (start, stop) in enumerate(pairwise(pairs.offsets_a)):
            by_position_fd = pair_position_jacobian(
                pairs.starts_q[start : stop + 1],
                pairs.s_q[start:stop],
                pairs.vectors_pc,
                pairs.distances_p,
                dh_pn,
                values_ql[start:stop],
                len(self.species),
            )
            rows_db = columns.times(i, slice(0, self.size), by_position_fd)
            add_position_rows(i, pairs.j_q[start:stop], rows_db, rows_acb, strain_db)
        return rows_acb, from_voigt(strain_db)

    def spin_adjoint(self, features: PairFeatures, g_af: FloatArray) -> FloatArray:
        """Return ∂E/∂e_i, (a, c), from ∂E/∂d, (a, f); not projected."""
        pairs = features.pairs
        return density_spin_adjoint(
            pairs.i_p,
            pairs.j_p,
            pairs.s_p,
            pairs.h_pn,
            pairs.slopes_pl * self.coupling_l,
            features.configuration.spins_ac,
            np.ascontiguousarray(g_af).reshape(features.d_asnl.shape),
        )

    def position_adjoint(self, features: PairFeatures, g_af: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return ∂E/∂position (a, c), eV/Å, and ∂E/∂strain (c, c), eV, from ∂E/∂d (a, f)."""
        near = features.neighbours
        _, dh_pn = self.basis.evaluate(near.distances_p)
        values_pl, _ = pair_legendre(features.configuration, near.i_p, near.j_p, self.parameters.lambda_max)
        species_a = species_indices(features.configuration, self.species)
        return density_position_adjoint(
            near.i_p,
            near.j_p,
            species_a[near.j_p],
            near.vectors_pc,
            near.distances_p,
            dh_pn,
            values_pl * self.coupling_l,
            np.ascontiguousarray(g_af).reshape(features.d_asnl.shape),
        )
