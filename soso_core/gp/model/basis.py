"""ModelBasis: the columns of the linear-in-the-weights model and their rows for one configuration.

E = Σ_i [μ(species) + pair part + Σ_t Σ_b α_tb k_t(x_i, x_b)]; the columns are [species | pair λ=0.. | gp t=0..].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.descriptors.environment import EnvironmentDescriptor, EnvironmentFeatures
from soso_core.gp.model.covariance import Points, ProductCovariance
from soso_core.gp.model.inducing import InducingPoints
from soso_core.gp.model.pair_part import PairPart
from soso_core.gp.model.settings import FitSettings
from soso_core.labels import transverse
from soso_core.neighbours import Neighbours, find_neighbours
from soso_core.species import species_indices
from soso_core.threads import in_threads


@dataclass(frozen=True, eq=False)
class DesignRows:
    """Design-matrix rows of one configuration: the derivatives of its labels with respect to the weights w.

    sites_am (a, m): contribution of each atom to ∂E/∂w.  effective_fields_acm (a, c, m): ∂(-∂E/∂e)/∂w, transverse.
    forces_acm (a, c, m), 1/Å, and strain_ccm (c, c, m): ∂(-∂E/∂r)/∂w and ∂(∂E/∂ε)/∂w; None unless requested.
    """

    sites_am: FloatArray
    effective_fields_acm: FloatArray | None = None
    forces_acm: FloatArray | None = None
    strain_ccm: FloatArray | None = None

    @cached_property
    def energy_m(self) -> FloatArray:
        """∂E/∂w, (m,)."""
        return np.asarray(self.sites_am.sum(axis=0))


@dataclass(frozen=True, eq=False)
class ModelBasis:
    """The columns of a model: everything that is fixed before its weights.

    `inducing` is None for a pair-only model.  `centre_sm` (s, m) is the average of the other energy columns per atom of
    each species (zero in the species columns).  It is subtracted from them, so that the species constants alone
    describe the mean energies: the model is the same, and far better conditioned.
    """

    settings: FitSettings
    species: tuple[int, ...]
    inducing: InducingPoints | None
    centre_sm: FloatArray

    @classmethod
    def build(cls, settings: FitSettings, species: tuple[int, ...], inducing: InducingPoints | None) -> "ModelBasis":
        """Return a basis whose columns are not centred."""
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
    def covariance(self) -> ProductCovariance:
        """The covariance of the GP."""
        return ProductCovariance(self.descriptor.blocks, self.settings.zeta)

    @cached_property
    def blocks(self) -> Mapping[str, slice]:
        """Name and columns of every block with a prior of its own."""
        sizes = {"species": len(self.species)}
        sizes |= {f"pair {order}": self.pair_part.size_per_order for order in range(self.pair_part.n_orders)}
        if self.inducing is not None:
            widths = (whitening_bm.shape[1] for whitening_bm in self.inducing.whitening_t)
            sizes |= {f"gp {name}": width for name, width in zip(self.covariance.names, widths, strict=True)}
        ends = np.cumsum(list(sizes.values()))
        return {name: slice(int(end) - size, int(end)) for (name, size), end in zip(sizes.items(), ends, strict=True)}

    @property
    def pair_columns(self) -> slice:
        """Columns of the pair part."""
        return slice(len(self.species), len(self.species) + self.pair_part.size)

    @property
    def gp_columns(self) -> slice:
        """Columns of the GP; empty for a pair-only model."""
        return slice(self.pair_columns.stop, self.size)

    @property
    def size(self) -> int:
        """Number of columns."""
        return int(max(block.stop for block in self.blocks.values()))

    @property
    def cutoff(self) -> float:
        """Cutoff of the model, Å."""
        cutoff = self.settings.pair.cutoff_angstrom
        return cutoff if self.inducing is None else max(cutoff, self.descriptor.cutoff)

    def neighbours(self, configuration: Configuration) -> Neighbours:
        """Return the neighbour list this model needs."""
        return find_neighbours(configuration, self.cutoff)

    def energy_row(self, configuration: Configuration) -> FloatArray:
        """Return ∂E/∂w of a configuration, (m,).  Raises InputError for an unknown element."""
        return self.rows(configuration, by_spin=False).energy_m

    def rows(self, configuration: Configuration, by_spin: bool = True, by_position: bool = False) -> DesignRows:
        """Return the design rows of a configuration.  Raises InputError for an unknown element.

        `by_spin` adds those of the fields, `by_position` those of forces and strain.
        """
        neighbours = self.neighbours(configuration)
        features = self.features(configuration, neighbours)
        pair_am, pair_acm = self.pair_part.rows(configuration, neighbours)
        sites_am = self.site_rows(configuration, pair_am, None if features is None else self.points(features))
        effective_fields_acm = forces_acm = strain_ccm = None
        if by_spin:
            gp_acm = self._gp_spin_rows(features) if features is not None else pair_acm[:, :, :0]
            effective_fields_acm = transverse(-self._pad_columns(pair_acm, gp_acm), configuration.spins_ac[:, :, None])
        if by_position:
            position_acm, strain_ccm = self._position_rows(configuration, neighbours, features)
            forces_acm = -position_acm
        return DesignRows(sites_am, effective_fields_acm, forces_acm, strain_ccm)

    def features(self, configuration: Configuration, neighbours: Neighbours) -> EnvironmentFeatures | None:
        """Return the descriptors of a configuration; None for a pair-only model."""
        return None if self.inducing is None else self.descriptor.compute(configuration, neighbours)

    def points(self, features: EnvironmentFeatures) -> Points:
        """Return the environments of a configuration as points of the covariance."""
        return Points(features.x_af, species_indices(features.configuration, self.species))

    def site_rows(self, configuration: Configuration, pair_am: FloatArray, points: Points | None) -> FloatArray:
        """Return the contribution of each atom to ∂E/∂w, (a, m), from that of the pair part and its environment."""
        indices_a = species_indices(configuration, self.species)
        parts = [np.eye(len(self.species))[indices_a], pair_am]
        if points is not None and self.inducing is not None:
            k_tab = self.covariance.values(points, self.inducing.points)
            parts += [k_ab @ w_bm for k_ab, w_bm in zip(k_tab, self.inducing.whitening_t, strict=True)]
        return np.concatenate(parts, axis=1) - self.centre_sm[indices_a]

    def _gp_spin_rows(self, features: EnvironmentFeatures) -> FloatArray:
        assert self.inducing is not None
        columns = self.covariance.columns(self.points(features), self.inducing.points)
        return self._whiten(self.descriptor.spin_rows(features, columns))

    def _position_rows(
        self, configuration: Configuration, neighbours: Neighbours, features: EnvironmentFeatures | None
    ) -> tuple[FloatArray, FloatArray]:
        pair_acm, pair_ccm = self.pair_part.position_rows(configuration, neighbours)
        gp_acm, gp_ccm = pair_acm[:, :, :0], pair_ccm[:, :, :0]
        if features is not None and self.inducing is not None:
            columns = self.covariance.columns(self.points(features), self.inducing.points)
            raw_acb, raw_ccb = self.descriptor.position_rows(features, columns)
            gp_acm, gp_ccm = self._whiten(raw_acb), self._whiten(raw_ccb)
        return self._pad_columns(pair_acm, gp_acm), self._pad_columns(pair_ccm, gp_ccm)

    def _whiten(self, rows_xcb: FloatArray) -> FloatArray:
        """Return rows of whitened columns, (·, c, m), from those of the columns k_t(x, x_b), (·, c, [t, b])."""
        assert self.inducing is not None
        n_points = len(self.inducing)
        parts = [
            rows_xcb[:, :, t * n_points : (t + 1) * n_points] @ whitening_bm
            for t, whitening_bm in enumerate(self.inducing.whitening_t)
        ]
        return np.concatenate(parts, axis=2)

    def _pad_columns(self, pair_xcm: FloatArray, gp_xcm: FloatArray) -> FloatArray:
        """Return rows of all columns; the species constants have no derivative."""
        return np.concatenate([np.zeros((*pair_xcm.shape[:2], len(self.species))), pair_xcm, gp_xcm], axis=2)


def centre_columns(
    basis: ModelBasis, configurations: Sequence[Configuration], environments: Sequence[Points | None]
) -> ModelBasis:
    """Return the basis with `centre_sm` set so that its energy columns average to zero over `configurations`.

    `environments` are those of each configuration, as `ModelBasis.points` gives them; None for a pair-only basis.
    """
    cutoff = basis.settings.pair.cutoff_angstrom

    def energy_row(item: tuple[Configuration, Points | None]) -> FloatArray:
        configuration, points = item
        pair_am = basis.pair_part.site_rows(configuration, find_neighbours(configuration, cutoff))
        return np.asarray(basis.site_rows(configuration, pair_am, points).sum(axis=0))

    n_species = len(basis.species)
    rows_km = np.array(in_threads(energy_row, zip(configurations, environments, strict=True)))
    centre_sm = np.linalg.lstsq(rows_km[:, :n_species], rows_km, rcond=1e-8)[0]
    centre_sm[:, :n_species] = 0.0
    return replace(basis, centre_sm=centre_sm)
