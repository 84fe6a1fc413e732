"""Uncertainty of each candidate, before and after a label: rows in units of the posterior.

A quantity φ·w has the posterior variance |L⁻¹ φ|², L Lᵀ being the posterior precision.  With h = L⁻¹ φ of every
quantity at hand, noisy labels G (rows over their noise) turn each h into (1 - Gᵀ(1 + G Gᵀ)⁻¹ G)^½ h, without another
solution.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.gp.inference.targets import transverse_axes
from soso_core.gp.model.basis import DesignRows
from soso_core.gp.model.fitted import FittedModel
from soso_core.threads import in_threads

SMALLEST_NOISE = 1e-9
"""eV; lower limit of the noise of labels, also below the noise of highest evidence."""
SMALL = 1e-8
"""Below this eigenvalue of G Gᵀ the square root of 1 - λ/(1+λ) is its series to the rounding of doubles."""


@dataclass(frozen=True, eq=False)
class CandidateRows:
    """Rows h = L⁻¹ φ of every candidate.

    energies_km (k, m): of the energy per spin, eV.  fields_rm (r, m): of the components of -∂E/∂e transverse to each
    spin, two for each magnetic atom, eV; candidate k has the rows ends_k[k] to ends_k[k + 1], none without fields.
    Standard deviations of a label: energy_noise_k (k,) eV per spin (infinite without energies), field_noise eV.
    The calibration factor of energies scales deviations, not the rows.
    """

    energies_km: FloatArray
    fields_rm: FloatArray
    ends_k: IntArray
    energy_noise_k: FloatArray
    field_noise: float
    energy_calibration: float = 1.0

    def __len__(self) -> int:
        return len(self.energies_km)

    @property
    def has_fields(self) -> bool:
        """True when labels have fields."""
        return len(self.fields_rm) > 0

    def fields_of(self, k: int) -> FloatArray:
        """Return the field rows (r, m) of a candidate."""
        return self.fields_rm[self.ends_k[k] : self.ends_k[k + 1]]

    def label_of(self, k: int) -> FloatArray:
        """Return the rows (r, m) of all quantities of the label of candidate k, over their noise."""
        energy_m = self.energies_km[k] / max(float(self.energy_noise_k[k]), SMALLEST_NOISE)
        if not self.has_fields:
            return np.asarray(energy_m[None])
        return np.concatenate([energy_m[None], self.fields_of(k) / max(self.field_noise, SMALLEST_NOISE)])

    def after(self, k: int) -> "CandidateRows":
        """Return the rows once candidate k is labelled."""
        label_rm = self.label_of(k)
        energies_km, fields_rm = (condition_rows(rows, label_rm) for rows in (self.energies_km, self.fields_rm))
        return replace(self, energies_km=energies_km, fields_rm=fields_rm)


def condition_rows(rows_xm: FloatArray, label_rm: FloatArray) -> FloatArray:
    """Return rows (x, m) once quantities with rows label_rm (r, m), in units of their noise, are measured."""
    values_r, vectors_rr = np.linalg.eigh(label_rm @ label_rm.T)
    values_r = np.maximum(values_r, 0.0)
    safe_r = np.maximum(values_r, SMALL)
    share_r = np.where(values_r > SMALL, (1.0 - 1.0 / np.sqrt(1.0 + safe_r)) / safe_r, 0.5)
    turned_rm = vectors_rr.T @ label_rm
    return np.asarray(rows_xm - ((rows_xm @ turned_rm.T) * share_r) @ turned_rm)


def energy_deviations(rows: CandidateRows) -> FloatArray:
    """Return the calibrated standard deviation of the energy per spin of every candidate (k,), meV, without noise."""
    return np.asarray(1e3 * rows.energy_calibration * np.linalg.norm(rows.energies_km, axis=1))


def candidate_rows(
    model: FittedModel, configurations: Sequence[Configuration], with_fields: bool | None = None
) -> CandidateRows:
    """Return the rows of configurations for `model`, with fields when it was fitted to fields or `with_fields` is true.

    Raises InputError for an element without training data.
    """
    if with_fields is None:
        with_fields = "field" in model.hyperparameters.noise
    designs = in_threads(lambda item: model.basis.rows(item, by_spin=with_fields), configurations)
    spins_k = np.array([item.n_energy_sites for item in configurations], dtype=float)
    fields = [transverse_rows(item, design) for item, design in zip(configurations, designs, strict=True)]
    return CandidateRows(
        whiten(np.array([design.energy_m for design in designs]) / spins_k[:, None], model.cholesky_mm),
        whiten(np.concatenate(fields), model.cholesky_mm),
        np.cumsum([0, *map(len, fields)]),
        model.hyperparameters.noise.get("energy", np.inf) / np.sqrt(spins_k),
        model.hyperparameters.noise.get("field", 0.0) * model.hyperparameters.field_scale,
        model.calibration_factor("energy"),
    )


def transverse_rows(configuration: Configuration, design: DesignRows) -> FloatArray:
    """Return the rows of two field components for each magnetic atom, (2a, m); none without field rows."""
    magnetic_a = configuration.is_magnetic_a
    if design.effective_fields_acm is None or not np.any(magnetic_a):
        return np.zeros((0, design.sites_am.shape[1]))
    rows_akm = transverse_axes(configuration.spins_ac[magnetic_a]) @ design.effective_fields_acm[magnetic_a]
    return np.asarray(rows_akm.reshape(-1, rows_akm.shape[2]))


def whiten(rows_xm: FloatArray, cholesky_mm: FloatArray) -> FloatArray:
    """Return L⁻¹ φ of every row."""
    if not len(rows_xm):
        return rows_xm
    return np.ascontiguousarray(solve_triangular(cholesky_mm, rows_xm.T, lower=True, check_finite=False).T)
