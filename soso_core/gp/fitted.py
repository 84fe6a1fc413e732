"""FittedModel: an immutable model that predicts, with its uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np
from scipy.linalg import solve_triangular

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.descriptors.environment import EnvironmentFeatures
from soso_core.descriptors.spin_pairs import species_indices
from soso_core.gp.basis import ModelBasis
from soso_core.gp.evidence import Scales
from soso_core.labels import transverse
from soso_core.neighbours import Neighbours


@dataclass(frozen=True)
class FitRecord:
    """What a model was fitted to."""

    n_configurations: int
    n_energies: int
    n_field_configurations: int
    fingerprint: str

    @classmethod
    def of(cls, dataset: Dataset) -> "FitRecord":
        """Return the record of a dataset."""
        return cls(len(dataset), dataset.n_energies, dataset.n_field_configurations, dataset.fingerprint)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted labels of one configuration.

    energy (eV, whole cell); fields_ac (a, 3) = -∂E/∂e in eV, transverse; forces_ac (a, 3) eV/Å;
    stress_cc (3, 3) eV/Å³.  The standard deviations are those of a new label: model uncertainty
    (`energy_model_std`, eV, alone) and noise together; None when they were not asked for.
    """

    energy: float
    fields_ac: FloatArray
    forces_ac: FloatArray
    stress_cc: FloatArray
    energy_std: float | None = None
    energy_model_std: float | None = None
    fields_std_ac: FloatArray | None = None


class PairCurve(TypedDict):
    """J_λ(r) of one species pair: mean and standard deviation in meV on the radii given."""

    species: tuple[int, int]
    lam: int
    mean_r: FloatArray
    std_r: FloatArray


@dataclass(frozen=True, eq=False)
class FittedModel:
    """Weights, posterior and scales over a ModelBasis; see `regression.fit` for how it is made.

    weights_m (m,), lower_mm (m, m) Cholesky factor of the posterior precision, offsets_s (s,) eV per atom,
    moments_s (s,) μB mean length per species (nan: unknown), baseline the pair-only model of the same data.
    """

    basis: ModelBasis
    weights_m: FloatArray
    lower_mm: FloatArray
    scales: Scales
    offsets_s: FloatArray
    moments_s: FloatArray
    record: FitRecord
    baseline: "FittedModel | None"

    @cached_property
    def species_energies_s(self) -> FloatArray:
        """Energy of an atom of each species before any interaction, (s,) eV."""
        n_species = len(self.basis.species)
        return self.offsets_s + self.weights_m[:n_species] - self.basis.centre_sm @ self.weights_m

    def predict(self, configuration: Configuration, with_std: bool = True) -> Prediction:
        """Return energy, fields, forces and stress.  Raises InputError for an unknown element."""
        species_a = species_indices(configuration, self.basis.species)
        neighbours = self.basis.neighbours(configuration)
        pair = self.basis.pair_part
        weights_pair_m = self.weights_m[len(self.basis.species) :][: pair.size]
        row_m, spin_acm = pair.rows(configuration, neighbours)
        energy = float(np.sum(self.species_energies_s[species_a]))
        energy += float(row_m @ weights_pair_m)
        spin_ac = spin_acm @ weights_pair_m
        position_ac, strain_cc = pair.position_gradient(configuration, neighbours, weights_pair_m)
        features = self.basis.features(configuration, neighbours)
        if features is not None:
            energy_gp, spin_gp_ac, position_gp_ac, strain_gp_cc = self._gp_part(features, neighbours)
            energy += energy_gp
            spin_ac = spin_ac + spin_gp_ac
            position_ac = position_ac + position_gp_ac
            strain_cc = strain_cc + strain_gp_cc
        fields_ac = transverse(-spin_ac, configuration.spins_ac)
        stress_cc = 0.5 * (strain_cc + strain_cc.T) / configuration.volume
        stds = self._standard_deviations(configuration) if with_std else (None, None, None)
        return Prediction(energy, fields_ac, -position_ac, stress_cc, *stds)

    def energy_rows(self, configurations: Sequence[Configuration]) -> FloatArray:
        """Return ∂E/∂w of several configurations, (k, m): what selection by joint variance needs."""
        return np.array([self.basis.energy_row(item) for item in configurations])

    def model_covariance(self, rows_km: FloatArray) -> FloatArray:
        """Return the posterior covariance (k, k) of the quantities Φ w with rows Φ (k, m)."""
        half_mk = solve_triangular(self.lower_mm, rows_km.T, lower=True)
        return np.asarray(half_mk.T @ half_mk)

    def pair_curves(self, r_r: FloatArray) -> list[PairCurve]:
        """Return J_λ(r) in E = Σ_{i<j} J_λ(r) P_λ(e_i·e_j) for every λ >= 1 and species pair, with its error band.

        meV; taken from the pair-only baseline when there is one, as the GP would share the exchange with it.
        """
        model = self.baseline or self
        h_rn, _ = model.basis.pair_part.basis.evaluate(np.asarray(r_r, dtype=float))
        pair = model.basis.pair_part
        curves: list[PairCurve] = []
        for order in range(1, pair.n_orders):
            start = len(model.basis.species) + order * pair.size_per_order
            for u, (i, j) in enumerate(pair.species_pairs):
                columns = slice(start + u * pair.settings.n_max, start + (u + 1) * pair.settings.n_max)
                rows_rm = np.zeros((len(h_rn), len(model.weights_m)))
                rows_rm[:, columns] = h_rn
                variance_r = np.sum(solve_triangular(model.lower_mm, rows_rm.T, lower=True) ** 2, axis=0)
                curves.append(
                    PairCurve(
                        species=(model.basis.species[i], model.basis.species[j]),
                        lam=order,
                        mean_r=1e3 * rows_rm @ model.weights_m,
                        std_r=1e3 * np.sqrt(variance_r),
                    )
                )
        return curves

    def _gp_part(
        self, features: EnvironmentFeatures, neighbours: Neighbours
    ) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        """Return energy and its derivatives by spins, positions and strain: one adjoint, no column formed."""
        basis = self.basis
        assert basis.inducing is not None
        weights_b = basis.inducing.whitening_bm @ self.weights_m[basis.blocks["gp"]]
        points = basis.covariance_arguments(features)
        energy = float(np.sum(basis.covariance.between(*points) @ weights_b))
        g_af = basis.covariance.weighted_gradient(*points, weights_b)
        spin_ac = basis.descriptor.spin_adjoint(features, g_af[:, :, None])[:, :, 0]
        position_ac, strain_cc = basis.descriptor.position_adjoint(features, neighbours, g_af)
        return energy, spin_ac, position_ac, strain_cc

    def _standard_deviations(self, configuration: Configuration) -> tuple[float, float, FloatArray]:
        """Return the deviation of the energy (with and without noise) and of every field component."""
        rows = self.basis.rows(configuration)
        n_atoms, _, size = rows.fields_acm.shape
        half_m = solve_triangular(self.lower_mm, rows.energy_m, lower=True)
        energy_variance = float(half_m @ half_m)
        n_spins = configuration.n_magnetic or n_atoms
        total = energy_variance + n_spins * self.scales.noise.get("energy", 0.0) ** 2
        half_mk = solve_triangular(self.lower_mm, rows.fields_acm.reshape(-1, size).T, lower=True)
        variance_ac = np.sum(half_mk**2, axis=0).reshape(n_atoms, 3)
        noise_ac = self.scales.noise.get("field", 0.0) ** 2 * (1.0 - configuration.spins_ac**2)
        noise_ac[~configuration.is_magnetic_a] = 0.0
        return float(np.sqrt(total)), float(np.sqrt(energy_variance)), np.sqrt(variance_ac + noise_ac)
