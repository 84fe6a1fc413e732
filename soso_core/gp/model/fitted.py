"""FittedModel: an immutable model that predicts, with its uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal, TypedDict

import numpy as np
from scipy.linalg import solve_triangular

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.descriptors.environment import EnvironmentFeatures
from soso_core.errors import InputError
from soso_core.gp.model.basis import DesignRows, ModelBasis
from soso_core.gp.model.hyperparameters import MOMENT, Hyperparameters
from soso_core.gp.model.moments import MomentModel
from soso_core.gp.model.normal_equations import NormalEquations
from soso_core.labels import transverse
from soso_core.species import species_indices

NO_CALIBRATION: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class FitRecord:
    """The training data of a model: counts, fingerprint, and the digests of the labels in order."""

    n_configurations: int
    n_energies: int
    n_field_configurations: int
    fingerprint: str
    digests: tuple[str, ...] = ()

    @classmethod
    def of(cls, dataset: Dataset) -> "FitRecord":
        """Return the record of a dataset."""
        digests = tuple(item.digest for item in dataset)
        return cls(len(dataset), dataset.n_energies, dataset.n_field_configurations, dataset.fingerprint, digests)

    def extend(self, new: Dataset) -> "FitRecord":
        """Return the record of the old and the new labels."""
        added = FitRecord.of(new)
        digests = self.digests + added.digests
        return FitRecord(
            self.n_configurations + added.n_configurations,
            self.n_energies + added.n_energies,
            self.n_field_configurations + added.n_field_configurations,
            Dataset.fingerprint_of(digests),
            digests,
        )


@dataclass(frozen=True, eq=False)
class References:
    """Values subtracted from labels before a fit, for each species: energies_s (s,) eV per atom, moments_s (s,) μB.

    moments_s are mean magnitudes, NaN for a species without a known one.
    """

    energies_s: FloatArray
    moments_s: FloatArray


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted labels of one configuration and their calibrated standard deviations.

    symbol      variable                                           unit, shape
    E           energy                                             eV, whole cell
    B = -∂E/∂e  effective_fields_ac, effective_fields_std_ac       eV, (a, 3), transverse to the spins
    F = -∂E/∂r  forces_ac, forces_std_ac                           eV/Å, (a, 3)
    σ           stress_cc                                          eV/Å³, (3, 3)
    m           moment_magnitudes_a, moments_std_a                 μB, (a,)
    std of E    energy_std: new label; energy_model_std: no noise  eV

    Standard deviations are those of a new label, from model uncertainty and noise; None unless requested.  Magnitudes
    are NaN for a species without any in the data, and None for a model without any.
    """

    energy: float
    effective_fields_ac: FloatArray
    forces_ac: FloatArray
    stress_cc: FloatArray
    moment_magnitudes_a: FloatArray | None = None
    energy_std: float | None = None
    energy_model_std: float | None = None
    effective_fields_std_ac: FloatArray | None = None
    forces_std_ac: FloatArray | None = None
    moments_std_a: FloatArray | None = None


class PairCurve(TypedDict):
    """J_λ(r) of one species pair: mean and standard deviation in meV at the given radii."""

    species: tuple[int, int]
    lam: int
    mean_r: FloatArray
    std_r: FloatArray


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A model that is linear in its weights, with their Gaussian posterior; `regression.fit` makes it.

        E = Σ_i ε(s_i) + Φ_E w,   w ~ N(weights_m, A⁻¹),   A = L Lᵀ

    symbol  variable              meaning
    w       weights_m (m,)        posterior mean of the weights of the columns of `basis`
    L       cholesky_mm (m, m)    lower Cholesky factor of the posterior precision A
    ε       references            reference energies (eV) and mean moments (μB) of the species
    δ, σ    hyperparameters       prior widths and noise levels
    Φᵀ Φ    equations             sums over the training data, from which an update starts; None: no updates
            baseline              pair-only model of the same data; None for such a model itself
            moment_model          model of the moment magnitudes; None without such labels
            calibration           factor on the standard deviation of each target
    """

    basis: ModelBasis
    weights_m: FloatArray
    cholesky_mm: FloatArray
    hyperparameters: Hyperparameters
    references: References
    record: FitRecord
    baseline: "FittedModel | None"
    moment_model: MomentModel | None = None
    equations: Mapping[str, NormalEquations] | None = None
    calibration: Mapping[str, float] = field(default_factory=lambda: NO_CALIBRATION)

    @cached_property
    def species_energies_s(self) -> FloatArray:
        """Energy of an atom of each species before any interaction, (s,) eV."""
        n_species = len(self.basis.species)
        return self.references.energies_s + self.weights_m[:n_species] - self.basis.centre_sm @ self.weights_m

    @cached_property
    def gp_weights_tb(self) -> FloatArray:
        """Weights α of E = Σ_i Σ_t Σ_b α_tb k_t(x_i, x_b), eV, (t, b).  Raises ValueError for a pair-only model."""
        if self.basis.inducing is None:
            raise ValueError("a pair-only model has no GP")
        return self.basis.inducing.weights_tb(self.weights_m[self.basis.gp_columns])

    def calibration_factor(self, target: str) -> float:
        """Return the factor on the standard deviation of a target; 1 where it was not calibrated."""
        return self.calibration.get(target, 1.0)

    def predict(
        self,
        configuration: Configuration,
        with_std: bool = True,
        with_force_std: bool = False,
        noise_factor: float = 1.0,
    ) -> Prediction:
        """Return energy, effective fields, forces, stress and moment magnitudes of a configuration.

        Parameters: `with_std`, compute the standard deviations of energy, fields and moment magnitudes;
        `with_force_std`, those of the forces as well; `noise_factor`, noise of the label over that of an A label.
        Raises InputError for an unknown element.
        """
        neighbours = self.basis.neighbours(configuration)
        pair, weights_pair_m = self.basis.pair_part, self.weights_m[self.basis.pair_columns]
        sites_am, spin_acm = pair.rows(configuration, neighbours)
        species_a = species_indices(configuration, self.basis.species)
        energy = float(np.sum(self.species_energies_s[species_a])) + float(np.sum(sites_am @ weights_pair_m))
        spin_ac = spin_acm @ weights_pair_m
        position_ac, strain_cc = pair.position_gradient(configuration, neighbours, weights_pair_m)
        features = self.basis.features(configuration, neighbours)
        if features is not None:
            energy_gp, spin_gp_ac, position_gp_ac, strain_gp_cc = self._gp_part(features)
            energy, spin_ac = energy + energy_gp, spin_ac + spin_gp_ac
            position_ac, strain_cc = position_ac + position_gp_ac, strain_cc + strain_gp_cc
        effective_fields_ac = transverse(-spin_ac, configuration.spins_ac)
        stress_cc = 0.5 * (strain_cc + strain_cc.T) / configuration.volume
        if with_std or with_force_std:
            more = self._compute_deviations(configuration, with_force_std, noise_factor)
        else:
            more = {"moment_magnitudes_a": self.predict_moments(configuration)[0]}
        return Prediction(energy, effective_fields_ac, -position_ac, stress_cc, **more)  # type: ignore[arg-type]

    def predict_moments(self, configuration: Configuration) -> tuple[FloatArray | None, FloatArray | None]:
        """Return moment magnitudes and their standard deviations, each (a,) μB, zero for atoms without a spin.

        NaN for magnetic atoms of a species that had none in the data; both None for a model without moment magnitudes.
        """
        if self.moment_model is None:
            return None, None
        return self._moments(configuration, self.basis.rows(configuration, by_spin=False), 1.0)

    def moment_magnitudes(
        self,
        configuration: Configuration,
        given_a: FloatArray | None = None,
        missing: Literal["raise", "nan"] = "raise",
    ) -> FloatArray:
        """Return the moment magnitudes by which effective fields (eV) become exchange fields (eV/μB).

        They are the predicted ones, or else `given_a` (a,), or else the mean of the species in the data; values that
        are not positive are ignored.

        Returns: (a,) μB, zero for atoms without a spin, NaN where no magnitude is known and `missing` is "nan".
        Raises InputError where no magnitude is known and `missing` is "raise".
        """
        means_a = self.references.moments_s[species_indices(configuration, self.basis.species)]
        found_a = np.where(configuration.is_magnetic_a, np.nan, 0.0)
        for values_a in (self.predict_moments(configuration)[0], given_a, means_a):
            if values_a is not None:
                found_a = np.where(np.isnan(found_a) & (values_a > 0.0), values_a, found_a)
        if missing == "raise" and np.isnan(found_a).any():
            unknown = configuration.symbols[int(np.argmax(np.isnan(found_a)))]
            raise InputError(f"the model has no moment magnitude of {unknown}: its training data contain none")
        return found_a

    def energy_difference(self, left: Configuration, right: Configuration) -> tuple[float, float]:
        """Return E(left) - E(right), eV, and its standard deviation without noise.

        Uncertainty that both have in common cancels.
        """
        row_m = self.basis.energy_row(left) - self.basis.energy_row(right)
        mean = [self.predict(item, with_std=False).energy for item in (left, right)]
        half_m = solve_triangular(self.cholesky_mm, row_m, lower=True)
        return mean[0] - mean[1], self.calibration_factor("energy") * float(np.sqrt(half_m @ half_m))

    def pair_curves(self, r_r: FloatArray) -> list[PairCurve]:
        """Return J_λ(r) in E = Σ_{i<j} J_λ(r) P_λ(e_i·e_j) for every λ >= 1 and species pair, with its error band.

        meV; taken from the pair-only baseline when there is one, as the GP would share the exchange with it.
        """
        model = self.baseline or self
        h_rn, _ = model.basis.pair_part.basis.evaluate(np.asarray(r_r, dtype=float))
        pair = model.basis.pair_part
        columns_lun = pair.weights_lun(np.arange(float(model.basis.size))[model.basis.pair_columns]).astype(int)
        curves: list[PairCurve] = []
        for order in range(1, pair.n_orders):
            for u, (i, j) in enumerate(pair.species_pairs):
                rows_rm = np.zeros((len(h_rn), len(model.weights_m)))
                rows_rm[:, columns_lun[order, u]] = h_rn
                variance_r = np.sum(solve_triangular(model.cholesky_mm, rows_rm.T, lower=True) ** 2, axis=0)
                curves.append(
                    PairCurve(
                        species=(model.basis.species[i], model.basis.species[j]),
                        lam=order,
                        mean_r=1e3 * rows_rm @ model.weights_m,
                        std_r=1e3 * np.sqrt(variance_r),
                    )
                )
        return curves

    def _gp_part(self, features: EnvironmentFeatures) -> tuple[float, FloatArray, FloatArray, FloatArray]:
        """Return energy and its derivatives by spins, positions and strain, from one adjoint sweep."""
        basis = self.basis
        assert basis.inducing is not None
        points = (basis.points(features), basis.inducing.points)
        energy = float(np.einsum("tab,tb->", basis.covariance.values(*points), self.gp_weights_tb))
        g_af = basis.covariance.weighted_gradient(*points, self.gp_weights_tb)
        spin_ac = basis.descriptor.spin_adjoint(features, g_af)
        position_ac, strain_cc = basis.descriptor.position_adjoint(features, g_af)
        return energy, spin_ac, position_ac, strain_cc

    def _compute_deviations(
        self, configuration: Configuration, with_forces: bool, noise_factor: float
    ) -> dict[str, FloatArray | float | None]:
        """Return the standard deviations of a prediction by name, and the moment magnitudes."""
        rows = self.basis.rows(configuration, by_position=with_forces)
        half_m = solve_triangular(self.cholesky_mm, rows.energy_m, lower=True)
        variance, noise = float(half_m @ half_m), noise_factor * self._noise("energy")
        n_spins = configuration.n_energy_sites
        found: dict[str, FloatArray | float | None] = {
            "energy_std": self.calibration_factor("energy") * float(np.sqrt(variance + n_spins * noise**2)),
            "energy_model_std": self.calibration_factor("energy") * float(np.sqrt(variance)),
        }
        assert rows.effective_fields_acm is not None
        noise_ac = (noise_factor * self._noise("field")) ** 2 * (1.0 - configuration.spins_ac**2)
        noise_ac[~configuration.is_magnetic_a] = 0.0
        found["effective_fields_std_ac"] = self.calibration_factor("field") * np.sqrt(
            self._variance(rows.effective_fields_acm) + noise_ac
        )
        if rows.forces_acm is not None:
            variance_ac = self._variance(rows.forces_acm) + (noise_factor * self._noise("force")) ** 2
            found["forces_std_ac"] = self.calibration_factor("force") * np.sqrt(variance_ac)
        if self.moment_model is not None:
            found["moment_magnitudes_a"], found["moments_std_a"] = self._moments(configuration, rows, noise_factor)
        return found

    def _noise(self, target: str) -> float:
        return self.hyperparameters.noise.get(target, 0.0)

    def _variance(self, rows_acm: FloatArray) -> FloatArray:
        """Return the model's variance of every component, (a, c)."""
        half_mk = solve_triangular(self.cholesky_mm, rows_acm.reshape(-1, rows_acm.shape[2]).T, lower=True)
        return np.asarray(np.sum(half_mk**2, axis=0).reshape(rows_acm.shape[:2]))

    def _moments(
        self, configuration: Configuration, rows: DesignRows, noise_factor: float
    ) -> tuple[FloatArray, FloatArray]:
        assert self.moment_model is not None
        magnetic_a = configuration.is_magnetic_a
        means_a = self.references.moments_s[species_indices(configuration, self.basis.species)]
        moment_magnitudes_a, std_a = self.moment_model.predict(rows.sites_am, means_a, noise_factor)
        std_a = np.where(np.isfinite(means_a), std_a, np.nan)
        return np.where(magnetic_a, moment_magnitudes_a, 0.0), np.where(
            magnetic_a, self.calibration_factor(MOMENT) * std_a, 0.0
        )
