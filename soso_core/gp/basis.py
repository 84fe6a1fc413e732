"""ModelBasis: the columns of the linear-in-the-weights model and their rows for one configuration.

E = Σ_i μ(species) + pair part + Σ_i Σ_B α_B k(x_i, x_B); the columns are [species | pair λ=0.. | gp].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.descriptors.pair import PairDescriptor, PairFeatures
from soso_core.descriptors.spin_pairs import species_indices
from soso_core.gp.covariance import PolynomialCovariance
from soso_core.gp.inducing import InducingPoints
from soso_core.gp.pair_part import PairPart
from soso_core.gp.settings import FitSettings
from soso_core.labels import transverse
from soso_core.neighbours import Neighbours, find_neighbours


@dataclass(frozen=True, eq=False)
class DesignRows:
    """What each weight adds to the labels of one configuration.

    energy_m (m,): ∂E/∂w.  fields_acm (a, c, m): ∂(-∂E/∂e)/∂w, transverse to each spin.
    """

    energy_m: FloatArray
    fields_acm: FloatArray


@dataclass(frozen=True, eq=False)
class ModelBasis:
    """Everything of a model that is fixed before its weights: settings, species, inducing points (None: pair only)."""

    settings: FitSettings
    species: tuple[int, ...]
    inducing: InducingPoints | None

    @cached_property
    def pair_part(self) -> PairPart:
        """The linear pair part."""
        return PairPart(self.settings.pair, self.species)

    @cached_property
    def descriptor(self) -> PairDescriptor:
        """The descriptor of the GP."""
        return PairDescriptor(self.settings.descriptor, self.species)

    @cached_property
    def covariance(self) -> PolynomialCovariance:
        """The covariance of the GP."""
        return PolynomialCovariance(self.settings.zeta)

    @cached_property
    def blocks(self) -> Mapping[str, slice]:
        """Name and columns of every block with a prior of its own."""
        sizes = {"species": len(self.species)}
        sizes |= {f"pair {order}": self.pair_part.size_per_order for order in range(self.pair_part.n_orders)}
        if self.inducing is not None:
            sizes["gp"] = self.inducing.whitening_bm.shape[1]
        ends = np.cumsum(list(sizes.values()))
        return {name: slice(int(end) - size, int(end)) for (name, size), end in zip(sizes.items(), ends, strict=True)}

    @property
    def size(self) -> int:
        """Number of columns."""
        return max(block.stop for block in self.blocks.values())

    @property
    def cutoff(self) -> float:
        """Reach of the model, Å."""
        reach = self.settings.pair.cutoff_angstrom
        return reach if self.inducing is None else max(reach, self.settings.descriptor.cutoff_angstrom)

    def neighbours(self, configuration: Configuration) -> Neighbours:
        """Return the neighbour list this model needs."""
        return find_neighbours(configuration, self.cutoff)

    def rows(self, configuration: Configuration) -> DesignRows:
        """Return the design rows of a configuration.  Raises InputError for an unknown element."""
        neighbours = self.neighbours(configuration)
        energy_pair_m, spin_pair_acm = self.pair_part.rows(configuration, neighbours)
        species_a = species_indices(configuration, self.species)
        energies = [np.bincount(species_a, minlength=len(self.species)).astype(float), energy_pair_m]
        spins = [np.zeros((len(configuration), 3, len(self.species))), spin_pair_acm]
        if self.inducing is not None:
            energy_gp_m, spin_gp_acm = self._gp_rows(self.descriptor.compute(configuration, neighbours), self.inducing)
            energies.append(energy_gp_m)
            spins.append(spin_gp_acm)
        gradient_acm = np.concatenate(spins, axis=2)
        fields_mac = -np.moveaxis(gradient_acm, 2, 0)
        projected = np.stack([transverse(field_ac, configuration.spins_ac) for field_ac in fields_mac], axis=2)
        return DesignRows(np.concatenate(energies), projected)

    def _gp_rows(self, features: PairFeatures, inducing: InducingPoints) -> tuple[FloatArray, FloatArray]:
        x_af = features.d_asnl.reshape(len(features.d_asnl), -1)
        species_a = species_indices(features.configuration, self.species)
        points = (x_af, species_a, inducing.x_bf, inducing.species_b)
        energy_b = self.covariance.between(*points).sum(axis=0)
        g_afb = self.covariance.gradient(*points)
        spin_acb = self.descriptor.spin_adjoint(features, g_afb.reshape(*features.d_asnl.shape, -1))
        return energy_b @ inducing.whitening_bm, spin_acb @ inducing.whitening_bm
