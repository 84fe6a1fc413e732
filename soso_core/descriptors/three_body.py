"""The three-body descriptor: power spectrum of neighbour densities decorated with spin channels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.descriptors.channels import (
    CHANNELS,
    Channel,
    ChannelComponents,
    Dependence,
    evaluate_channels,
    first_components,
)
from soso_core.descriptors.element_mixing import element_mixing
from soso_core.descriptors.parameters import ThreeBodyParameters
from soso_core.descriptors.radial_basis import EnvelopedBasis, OverlapBasis
from soso_core.descriptors.rows import Columns, feature_runs
from soso_core.descriptors.spin_pairs import ImagePairs, neighbours_within
from soso_core.kernels.exact.jacobian import (
    density_position_slopes,
    density_spin_slopes,
    power_spectrum_jacobian,
)
from soso_core.kernels.exact.rows import add_neighbour_rows, add_position_rows, add_product_rows
from soso_core.kernels.exact.spherical import spherical_harmonics, spherical_harmonics_gradient
from soso_core.kernels.exact.three_body import (
    decorated_density,
    decorated_position_adjoint,
    decorated_spin_adjoint,
    power_spectrum,
    power_spectrum_adjoint,
)
from soso_core.neighbours import Neighbours
from soso_core.species import species_indices
from soso_core.voigt import from_voigt


@dataclass(frozen=True, eq=False)
class ThreeBodyFeatures:
    """The descriptor of every centre, p_af (a, f), and the input of its adjoints.

    h_pn, dh_pn (p, n) radial functions and slopes; y_py (p, y) spherical harmonics; a_atxy the densities.
    """

    configuration: Configuration
    pairs: ImagePairs
    h_pn: FloatArray
    dh_pn: FloatArray
    y_py: FloatArray
    components: ChannelComponents
    a_atxy: FloatArray
    p_af: FloatArray

    @property
    def x_af(self) -> FloatArray:
        """The features of every centre."""
        return self.p_af


@dataclass(frozen=True, eq=False)
class ThreeBodyDescriptor:
    """Compute p and its exact adjoints; `species` are its atomic numbers.

    The SOAP power spectrum (Bartók et al., Phys. Rev. B 87, 184115 (2013)) for each pair of channels q, q':

        A^q_{xlm}      = Σ_j W[k, s_j] f_c(r) h_n(r) Y_lm(r̂) c_q(i, j),    x = (k, n)
        p^{qq'}_{xx'l} = Σ_m A^q_{xlm} A^{q'}_{x'lm} / sqrt(2l+1)

        symbol      variable
        A           a_atxy (a, t, x, y): t component of a channel, y = (l, m)
        p           p_af (a, f): f = (channel pair, x, x', l)
        f_c h_n     h_pn (p, n), `basis`
        Y_lm        y_py (p, y)
        c_q         components.values_qt (q, t), `channels.CHANNELS`
        W           mix_ks (k, s): k is the species of j, or one of fewer element channels (`element_mixing`)

    An atom without a spin is a neighbour in channel 1 only.  A centre without a spin has the pairs (1, 1) and
    (vector, vector), the latter from its magnetic neighbours; P_λ is zero for it.
    """

    parameters: ThreeBodyParameters
    species: tuple[int, ...]

    @cached_property
    def basis(self) -> EnvelopedBasis:
        """The radial basis h_n."""
        p = self.parameters
        return EnvelopedBasis(OverlapBasis(p.cutoff_angstrom, p.taper_angstrom, p.n_max, p.sigma_angstrom), p.decay)

    @cached_property
    def mix_ks(self) -> FloatArray:
        """The weight of a neighbour of species s in element channel k, (k, s)."""
        return element_mixing(self.species, self.parameters.element_channels)

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The channels in use, in the order of their densities."""
        used = {name for pair in self.parameters.channel_pairs for name in pair}
        return tuple(name for name in CHANNELS if name in used)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of components of p from each channel pair."""
        n_x, n_l = len(self.mix_ks) * self.parameters.n_max, self.parameters.l_max + 1
        pairs = self.parameters.channel_pairs
        return tuple(n_l * (n_x * (n_x + 1) // 2 if left == right else n_x**2) for left, right in pairs)

    @property
    def size(self) -> int:
        """Number of components of one centre's descriptor."""
        return sum(self.sizes)

    def compute(self, configuration: Configuration, neighbours: Neighbours) -> ThreeBodyFeatures:
        """Return the descriptors; `neighbours` must reach at least to the cutoff."""
        species_a = species_indices(configuration, self.species)
        pairs = ImagePairs.of(neighbours_within(neighbours, self.parameters.cutoff_angstrom), species_a)
        h_pn, dh_pn = self.basis.evaluate(pairs.distances_p)
        y_py = spherical_harmonics(pairs.vectors_pc, pairs.distances_p, self.parameters.l_max)
        components = evaluate_channels(configuration, pairs.i_q, pairs.j_q, self.channels)
        a_atxy = decorated_density(pairs.groups, self.mix_ks, h_pn, y_py, components.values_qt, len(configuration))
        p_af = power_spectrum(a_atxy, self._terms_wk, self.parameters.l_max, self.size)
        return ThreeBodyFeatures(configuration, pairs, h_pn, dh_pn, y_py, components, a_atxy, p_af)

    def spin_rows(self, features: ThreeBodyFeatures, columns: Columns) -> FloatArray:
        """Return the derivatives of `columns`, whose g is by p, by spins, (a, c, b); not projected."""
        e_ac = features.configuration.spins_ac
        rows_acb = np.zeros((*e_ac.shape, columns.n_columns))
        pairs, slopes_qt, l_max = features.pairs, features.components.slopes_qt, self.parameters.l_max
        scalar_wk, scalar_runs = self._terms_of("e_i.e_j")
        vector_wk, vector_runs = self._terms_of("e_j")
        for i, a_txy in enumerate(features.a_atxy):
            q = slice(pairs.offsets_a[i], pairs.offsets_a[i + 1])
            starts_q, j_q = pairs.starts_q[q.start : q.stop + 1], pairs.j_q[q]
            da_txyq = density_spin_slopes(
                starts_q, pairs.s_q[q], self.mix_ks, features.h_pn, features.y_py, slopes_qt[q]
            )
            by_product_fq = power_spectrum_jacobian(a_txy, da_txyq, scalar_wk, l_max, self.size, False)
            for run in scalar_runs:
                add_product_rows(i, j_q, e_ac, columns.times(i, run, by_product_fq[run]), rows_acb)
            by_vector_fd = power_spectrum_jacobian(a_txy, da_txyq, vector_wk, l_max, self.size, True)
            for run in vector_runs:
                add_neighbour_rows(j_q, columns.times(i, run, by_vector_fd[run]), rows_acb)
        return rows_acb

    def position_rows(self, features: ThreeBodyFeatures, columns: Columns) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives of `columns`, whose g is by p, by positions (a, c, b) and strain (c, c, b)."""
        rows_acb = np.zeros((len(features.configuration), 3, columns.n_columns))
        strain_db = np.zeros((6, columns.n_columns))
        pairs, l_max = features.pairs, self.parameters.l_max
        dy_pyc = spherical_harmonics_gradient(pairs.vectors_pc, pairs.distances_p, l_max)
        for i, a_txy in enumerate(features.a_atxy):
            q = slice(pairs.offsets_a[i], pairs.offsets_a[i + 1])
            da_txyd = density_position_slopes(
                pairs.starts_q[q.start : q.stop + 1],
                pairs.s_q[q],
                self.mix_ks,
                pairs.vectors_pc,
                pairs.distances_p,
                features.h_pn,
                features.dh_pn,
                features.y_py,
                dy_pyc,
                features.components.values_qt[q],
            )
            by_position_fd = power_spectrum_jacobian(a_txy, da_txyd, self._terms_wk, l_max, self.size, False)
            rows_db = columns.times(i, slice(0, self.size), by_position_fd)
            add_position_rows(i, pairs.j_q[q], rows_db, rows_acb, strain_db)
        return rows_acb, from_voigt(strain_db)

    def spin_adjoint(self, features: ThreeBodyFeatures, g_af: FloatArray) -> FloatArray:
        """Return ∂E/∂e_i, (a, c), from ∂E/∂p, (a, f); not projected."""
        pairs, components = features.pairs, features.components
        return decorated_spin_adjoint(
            pairs.groups,
            self.mix_ks,
            features.h_pn,
            features.y_py,
            components.slopes_qt,
            components.kinds_t,
            features.configuration.spins_ac,
            self._density_adjoint(features, g_af),
        )

    def position_adjoint(self, features: ThreeBodyFeatures, g_af: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return ∂E/∂position (a, c), eV/Å, and ∂E/∂strain (c, c), eV, from ∂E/∂p (a, f)."""
        pairs = features.pairs
        return decorated_position_adjoint(
            pairs.groups,
            self.mix_ks,
            pairs.vectors_pc,
            pairs.distances_p,
            features.h_pn,
            features.dh_pn,
            features.y_py,
            spherical_harmonics_gradient(pairs.vectors_pc, pairs.distances_p, self.parameters.l_max),
            features.components.values_qt,
            self._density_adjoint(features, g_af),
        )

    def _density_adjoint(self, features: ThreeBodyFeatures, g_af: FloatArray) -> FloatArray:
        """Return ∂E/∂A, (a, t, x, y)."""
        return power_spectrum_adjoint(
            features.a_atxy, self._terms_wk, self.parameters.l_max, np.ascontiguousarray(g_af)
        )

    def _terms_of(self, dependence: Dependence) -> tuple[IntArray, tuple[slice, ...]]:
        """Return rows of `_terms_wk` and features of the pairs with a channel that depends on this and on spins."""
        pairs = self.parameters.channel_pairs
        chosen_w = [w for w, names in enumerate(pairs) if any(_moves(CHANNELS[name], dependence) for name in names)]
        first_w = np.cumsum((0, *self.sizes))
        runs = feature_runs([int(first_w[w]) for w in chosen_w], [int(first_w[w + 1]) for w in chosen_w])
        return self._terms_wk[chosen_w], runs

    @cached_property
    def _terms_wk(self) -> IntArray:
        """One row for each channel pair, as the kernels take it."""
        first = first_components(self.channels)
        starts = np.cumsum((0, *self.sizes))
        rows = [
            (first[left], first[right], CHANNELS[left].n_components, start)
            for (left, right), start in zip(self.parameters.channel_pairs, starts[:-1], strict=True)
        ]
        return np.array(rows, dtype=np.int64)


def _moves(channel: Channel, dependence: Dependence) -> bool:
    """Return whether a channel depends on this argument; channel 1 is constant."""
    return channel.depends_on == dependence and channel.kinds != (0,)
