"""ModelBasis: the columns of the linear-in-the-weights model and their rows for one configuration.

E = Σ_i μ(species) + pair part + Σ_i Σ_B α_B k(x_i, x_B); the columns are [species | pair λ=0.. | gp].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.descriptors.environment import EnvironmentDescriptor, EnvironmentFeatures
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
    """Everything of a model that is fixed before its weights.

    `inducing` is None for a pair-only model.  `centre_sm` (s, m) is what the other energy columns hold on
    average per atom of each species; it is taken off them (and zero in the species columns), so that the
    species constants carry the level and the rest only what varies: same model, far better conditioned.
    """

    settings: FitSettings
    species: tuple[int, ...]
    inducing: InducingPoints | None
    centre_sm: FloatArray

    @classmethod
    def uncentred(
        cls, settings: FitSettings, species: tuple[int, ...], inducing: InducingPoints | None
    ) -> "ModelBasis":
        """Return a basis with nothing taken off its columns."""
        bare = cls(settings, species, inducing, np.zeros((len(species), 0)))
        return replace(bare, centre_sm=np.zeros((len(species), bare.size)))

    def pair_only(self) -> "ModelBasis":
        """Return the same basis without its GP columns, which are the last."""
        n_columns = len(self.species) + self.pair_part.size
        return replace(self, inducing=None, centre_sm=self.centre_sm[:, :n_columns])

    @cached_property
    def pair_part(self) -> PairPart:
        """The linear pair part."""
        return PairPart(self.settings.pair, self.species)

    @cached_property
    def descriptor(self) -> EnvironmentDescriptor:
        """The descriptor of the GP."""
        return EnvironmentDescriptor.of(self.settings.descriptor, self.settings.three_body, self.species)

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
        return int(max(block.stop for block in self.blocks.values()))

    @property
    def cutoff(self) -> float:
        """Reach of the model, Å."""
        reach = self.settings.pair.cutoff_angstrom
        return reach if self.inducing is None else max(reach, self.descriptor.cutoff)

    def neighbours(self, configuration: Configuration) -> Neighbours:
        """Return the neighbour list this model needs."""
        return find_neighbours(configuration, self.cutoff)

    def energy_row(self, configuration: Configuration) -> FloatArray:
        """Return ∂E/∂w of a configuration, (m,).  Raises InputError for an unknown element."""
        neighbours = self.neighbours(configuration)
        pair_m, _ = self.pair_part.rows(configuration, neighbours)
        return self._energy_row(configuration, pair_m, self.features(configuration, neighbours))

    def rows(self, configuration: Configuration) -> DesignRows:
        """Return the design rows of a configuration.  Raises InputError for an unknown element."""
        neighbours = self.neighbours(configuration)
        pair_m, pair_acm = self.pair_part.rows(configuration, neighbours)
        features = self.features(configuration, neighbours)
        gradients = [np.zeros((len(configuration), 3, len(self.species))), pair_acm]
        if features is not None:
            gradients.append(self._gp_spin_rows(features))
        fields_mac = -np.moveaxis(np.concatenate(gradients, axis=2), 2, 0)
        projected = np.stack([transverse(field_ac, configuration.spins_ac) for field_ac in fields_mac], axis=2)
        return DesignRows(self._energy_row(configuration, pair_m, features), projected)

    def features(self, configuration: Configuration, neighbours: Neighbours) -> EnvironmentFeatures | None:
        """Return the descriptors of a configuration; None for a pair-only model."""
        return None if self.inducing is None else self.descriptor.compute(configuration, neighbours)

    def covariance_arguments(self, features: EnvironmentFeatures) -> tuple[FloatArray, IntArray, FloatArray, IntArray]:
        """Return what the covariance takes: descriptors (a, f) and species of the centres, of the inducing points."""
        assert self.inducing is not None
        species_a = species_indices(features.configuration, self.species)
        return features.x_af, species_a, self.inducing.x_bf, self.inducing.species_b

    def _energy_row(
        self, configuration: Configuration, pair_m: FloatArray, features: EnvironmentFeatures | None
    ) -> FloatArray:
        indices_a = species_indices(configuration, self.species)
        counts_s = np.bincount(indices_a, minlength=len(self.species)).astype(np.float64)
        parts = [counts_s, pair_m]
        if features is not None and self.inducing is not None:
            k_ab = self.covariance.between(*self.covariance_arguments(features))
            parts.append(k_ab.sum(axis=0) @ self.inducing.whitening_bm)
        return np.asarray(np.concatenate(parts) - counts_s @ self.centre_sm)

    def _gp_spin_rows(self, features: EnvironmentFeatures) -> FloatArray:
        assert self.inducing is not None
        g_afb = self.covariance.gradient(*self.covariance_arguments(features))
        spin_acb = self.descriptor.spin_adjoint(features, g_afb)
        return np.asarray(spin_acb @ self.inducing.whitening_bm)


def centred(basis: ModelBasis, configurations: Sequence[Configuration]) -> ModelBasis:
    """Return the basis with `centre_sm` set so that its energy columns average to zero over `configurations`."""
    n_species = len(basis.species)
    rows_km = np.array([basis.energy_row(item) for item in configurations])
    centre_sm = np.linalg.lstsq(rows_km[:, :n_species], rows_km, rcond=1e-8)[0]
    centre_sm[:, :n_species] = 0.0
    return replace(basis, centre_sm=centre_sm)
