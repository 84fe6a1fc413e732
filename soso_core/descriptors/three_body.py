"""The three-body descriptor: power spectrum of neighbour densities decorated with spin channels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.descriptors.channels import CHANNELS, ChannelComponents, evaluate_channels, first_components
from soso_core.descriptors.element_mixing import element_mixing
from soso_core.descriptors.parameters import ThreeBodyParameters
from soso_core.descriptors.radial_basis import EnvelopedBasis, OverlapBasis
from soso_core.descriptors.spin_pairs import neighbours_within, species_indices
from soso_core.kernels.spherical import spherical_harmonics, spherical_harmonics_gradient
from soso_core.kernels.three_body import (
    decorated_density,
    decorated_position_adjoint,
    decorated_spin_adjoint,
    power_spectrum,
    power_spectrum_adjoint,
)
from soso_core.neighbours import Neighbours


@dataclass(frozen=True, eq=False)
class ImagePairs:
    """Pairs p sorted by (i, j) and their groups q of periodic images, which share spins and species.

    vectors_pc (p, c) Å, distances_p (p,) Å; group q is pairs starts_q[q]:starts_q[q + 1], with centre,
    neighbour and species index of the neighbour i_q, j_q, s_q.
    """

    vectors_pc: FloatArray
    distances_p: FloatArray
    starts_q: IntArray
    i_q: IntArray
    j_q: IntArray
    s_q: IntArray

    @classmethod
    def of(cls, neighbours: Neighbours, species_a: IntArray) -> "ImagePairs":
        """Return the groups of a neighbour list."""
        n_atoms = len(species_a)
        key_p = neighbours.i_p * n_atoms + neighbours.j_p
        order_p = np.argsort(key_p, kind="stable")
        keys_q, first_q = np.unique(key_p[order_p], return_index=True)
        i_q, j_q = (part.astype(np.int64) for part in np.divmod(keys_q, n_atoms))
        return cls(
            np.ascontiguousarray(neighbours.vectors_pc[order_p]),
            np.ascontiguousarray(neighbours.distances_p[order_p]),
            np.append(first_q, len(key_p)).astype(np.int64),
            i_q,
            j_q,
            species_a[j_q],
        )


@dataclass(frozen=True, eq=False)
class ThreeBodyFeatures:
    """The descriptor of every centre, p_af (a, f), and what its adjoints need.

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


@dataclass(frozen=True, eq=False)
class ThreeBodyDescriptor:
    """Compute p and its exact adjoints; `species` are the atomic numbers it knows.

    p^{qq'}_{xx'l} = Σ_m A^q_{xlm} A^{q'}_{x'lm} / sqrt(2l+1), A^q_{xlm} = Σ_j W[k, s_j] f_c h_n(r) Y_lm(r̂) c_q(i, j)
    and x = (k, n): the SOAP power spectrum (Bartók et al., Phys. Rev. B 87, 184115 (2013)) for each pair of
    channels.  k is the species of j, or one of fewer element channels (`element_mixing`).  An atom without a spin is a neighbour in channel 1 only.  A centre without a spin has the pairs
    (1, 1) and (vector, vector), the latter made by its magnetic neighbours; P_λ is zero for it.
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
        """What a neighbour of species s gives to element channel k, (k, s)."""
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
        a_atxy = decorated_density(
            pairs.starts_q, pairs.i_q, pairs.s_q, self.mix_ks, h_pn, y_py, components.values_qt, len(configuration)
        )
        p_af = power_spectrum(a_atxy, self._terms_wk, self.parameters.l_max, self.size)
        return ThreeBodyFeatures(configuration, pairs, h_pn, dh_pn, y_py, components, a_atxy, p_af)

    def spin_adjoint(self, features: ThreeBodyFeatures, g_afb: FloatArray) -> FloatArray:
        """Return ∂E_b/∂e_i, (a, c, b), from ∂E_b/∂p, (a, f, b); not projected."""
        pairs, components = features.pairs, features.components
        return decorated_spin_adjoint(
            pairs.starts_q,
            pairs.i_q,
            pairs.j_q,
            pairs.s_q,
            self.mix_ks,
            features.h_pn,
            features.y_py,
            components.slopes_qt,
            components.axis_t,
            features.configuration.spins_ac,
            self._density_adjoint(features, g_afb),
        )

    def position_adjoint(self, features: ThreeBodyFeatures, g_af: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return ∂E/∂position (a, c), eV/Å, and ∂E/∂strain (c, c), eV, from ∂E/∂p (a, f)."""
        pairs = features.pairs
        return decorated_position_adjoint(
            pairs.starts_q,
            pairs.i_q,
            pairs.j_q,
            pairs.s_q,
            self.mix_ks,
            pairs.vectors_pc,
            pairs.distances_p,
            features.h_pn,
            features.dh_pn,
            features.y_py,
            spherical_harmonics_gradient(pairs.vectors_pc, pairs.distances_p, self.parameters.l_max),
            features.components.values_qt,
            np.ascontiguousarray(self._density_adjoint(features, g_af[:, :, None])[..., 0]),
        )

    def _density_adjoint(self, features: ThreeBodyFeatures, g_afb: FloatArray) -> FloatArray:
        """Return ∂E_b/∂A, (a, t, x, y, b)."""
        return power_spectrum_adjoint(
            features.a_atxy, self._terms_wk, self.parameters.l_max, np.ascontiguousarray(g_afb)
        )

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
