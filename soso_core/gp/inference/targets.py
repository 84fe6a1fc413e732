"""Rows of the design matrix and values of the labels, for every target of a fit."""

from collections.abc import Iterator, Mapping

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.gp.model.basis import ModelBasis
from soso_core.gp.model.fitted import References
from soso_core.gp.model.hyperparameters import MOMENT
from soso_core.labels import LabelledConfiguration
from soso_core.species import species_counts, species_indices
from soso_core.voigt import to_voigt

Rows = Mapping[str, tuple[FloatArray, FloatArray]]
"""Rows (k, m) and values (k,) of each target."""


def compute_rows(item: LabelledConfiguration, basis: ModelBasis, references: References) -> Rows:
    """Return the rows (k, m) and values (k,) of every target that the label holds, divided by its noise factor.

    After the division the noise of every row of a target is the same.  Units are those of the noise: eV per √spin,
    eV, eV/Å, eV per √atom, μB.  Raises InputError for an unknown element.
    """
    factor = item.noise_factor
    rows = {target: (rows_km, values_k) for target, rows_km, values_k in _undivided_rows(item, basis, references)}
    return (
        rows if factor == 1.0 else {t: (rows_km / factor, values_k / factor) for t, (rows_km, values_k) in rows.items()}
    )


def _undivided_rows(
    item: LabelledConfiguration, basis: ModelBasis, references: References
) -> Iterator[tuple[str, FloatArray, FloatArray]]:
    """Yield (target, rows (k, m), values (k,)) of the labels present.

    Energies are divided by √(number of spins), so that their noise is the same in every cell.  Fields are two
    transverse components per magnetic atom, as the third is zero.  Stress is six components of the strain derivative
    over √(number of atoms).
    """
    where, magnetic = item.configuration, item.configuration.is_magnetic_a
    by_position = item.forces_ac is not None or item.stress_cc is not None
    rows = basis.rows(where, item.effective_fields_ac is not None, by_position)
    if item.energy is not None:
        root = np.sqrt(where.n_energy_sites)
        reference = float(species_counts(where, basis.species) @ references.energies_s)
        yield "energy", rows.energy_m[None] / root, np.array([(item.energy - reference) / root])
    if item.effective_fields_ac is not None and where.n_magnetic and rows.effective_fields_acm is not None:
        axes_akc = transverse_axes(where.spins_ac[magnetic])
        rows_akm = axes_akc @ rows.effective_fields_acm[magnetic]
        values_ak = np.einsum("akc,ac->ak", axes_akc, item.effective_fields_ac[magnetic])
        yield "field", rows_akm.reshape(-1, rows_akm.shape[2]), values_ak.ravel()
    if item.forces_ac is not None and rows.forces_acm is not None:
        yield "force", rows.forces_acm.reshape(-1, rows.forces_acm.shape[2]), item.forces_ac.ravel()
    if item.stress_cc is not None and rows.strain_ccm is not None:
        root = np.sqrt(len(where))
        yield "stress", to_voigt(rows.strain_ccm) / root, to_voigt(item.stress_cc) * where.volume / root
    if item.moment_magnitudes_a is not None and where.n_magnetic:
        means_a = references.moments_s[species_indices(where, basis.species)]
        yield MOMENT, rows.sites_am[magnetic], (item.moment_magnitudes_a - means_a)[magnetic]


def transverse_axes(spins_ac: FloatArray) -> FloatArray:
    """Return two orthonormal axes perpendicular to each unit spin, (a, 2, 3)."""
    smallest_a = np.argmin(np.abs(spins_ac), axis=1)
    first_ac = np.cross(spins_ac, np.eye(3)[smallest_a])
    first_ac /= np.linalg.norm(first_ac, axis=1, keepdims=True)
    return np.stack([first_ac, np.cross(spins_ac, first_ac)], axis=1)


def reference_energies(dataset: Dataset, species: tuple[int, ...] | None = None) -> FloatArray:
    """Return the energy per atom of each species, (s,) eV, by least squares (minimum norm); zero without energies.

    Labels are weighted by their grade.  `species`: atomic numbers, in order; None: those of the dataset.
    """
    species = dataset.species if species is None else species
    labelled = [item for item in dataset if item.energy is not None]
    if not labelled:
        return np.zeros(len(species))
    counts_ks = np.array([species_counts(item.configuration, species) for item in labelled])
    energies_k = np.array([item.energy for item in labelled], dtype=float)
    factors_k = np.array([item.noise_factor for item in labelled])
    return np.asarray(np.linalg.lstsq(counts_ks / factors_k[:, None], energies_k / factors_k, rcond=1e-8)[0])


def mean_moments(dataset: Dataset) -> FloatArray:
    """Return the mean moment of magnetic atoms of each species, (s,) μB, weighted by grade; NaN where none is known."""
    total_s, count_s = np.zeros(len(dataset.species)), np.zeros(len(dataset.species))
    for item in dataset:
        if item.moment_magnitudes_a is not None:
            magnetic = item.configuration.is_magnetic_a
            indices_a = species_indices(item.configuration, dataset.species)[magnetic]
            weight = item.noise_factor**-2.0
            total_s += weight * np.bincount(indices_a, item.moment_magnitudes_a[magnetic], minlength=len(total_s))
            count_s += weight * np.bincount(indices_a, minlength=len(total_s))
    return np.asarray(np.divide(total_s, count_s, out=np.full(len(total_s), np.nan), where=count_s > 0))


def find_references(dataset: Dataset) -> References:
    """Return the reference energies and mean moments of a dataset."""
    return References(reference_energies(dataset), mean_moments(dataset))
