"""Labels, predictions and standard deviations of every target, side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.gp.inference.targets import find_references
from soso_core.gp.model.fitted import Prediction, References
from soso_core.gp.model.hyperparameters import MOMENT, TARGETS, Hyperparameters
from soso_core.labels import LabelledConfiguration
from soso_core.species import species_counts, species_indices
from soso_core.voigt import to_voigt


@dataclass(frozen=True, eq=False)
class Comparison:
    """Labels, predictions and predicted standard deviations of one target, each (k,), in eV, eV/Å, eV/Å³ and μB.

    Energies are per magnetic atom.  `deviations` is empty where none was predicted.  `references` are the values that
    follow from the composition alone: reference energies, mean moments of the species, zero for all else.
    """

    labels: FloatArray
    predictions: FloatArray
    deviations: FloatArray
    references: FloatArray

    @property
    def errors(self) -> FloatArray:
        """Predictions minus labels."""
        return self.predictions - self.labels

    @property
    def size(self) -> float:
        """Root mean square of the labels minus their references: the denominator of a relative error."""
        return rms(self.labels - self.references)

    @property
    def z(self) -> FloatArray:
        """Errors over deviations, without entries of deviation zero; empty where none was predicted."""
        if not len(self.deviations):
            return self.deviations
        known = self.deviations > 0.0
        return np.asarray(self.errors[known] / self.deviations[known])

    @property
    def standardised_rms(self) -> float | None:
        """Root mean square of `z`; None when it is empty."""
        return rms(self.z) if len(self.z) else None


def compare(
    predictions: Sequence[Prediction], dataset: Dataset, hyperparameters: Hyperparameters | None = None
) -> dict[str, Comparison]:
    """Return labels and predictions of every target that `dataset` has, side by side.

    Predicted fields are divided by the field scale of `hyperparameters`, which are those of the model.
    """
    field_scale = 1.0 if hyperparameters is None else hyperparameters.field_scale
    references = find_references(dataset)
    parts: dict[str, list[tuple[FloatArray, ...]]] = {target: [] for target in (*TARGETS, MOMENT)}
    for item, predicted in zip(dataset, predictions, strict=True):
        for target, arrays in _pair_values(item, predicted, dataset.species, references, field_scale):
            parts[target].append(tuple(array.ravel() for array in arrays))
    columns = {target: zip(*found, strict=True) for target, found in parts.items() if found}
    return {target: Comparison(*map(np.concatenate, arrays)) for target, arrays in columns.items()}


def rms(values: FloatArray) -> float:
    """Return the root mean square; zero for no values."""
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else 0.0


def _pair_values(
    item: LabelledConfiguration,
    predicted: Prediction,
    species: tuple[int, ...],
    references: References,
    field_scale: float,
) -> Iterator[tuple[str, tuple[FloatArray, ...]]]:
    """Yield target, (labels, predictions, deviations, references) for every kind of label."""
    where, magnetic_a, none = item.configuration, item.configuration.is_magnetic_a, np.zeros(0)
    if item.energy is not None:
        n_spins, std = where.n_energy_sites, predicted.energy_std
        reference = species_counts(where, species) @ references.energies_s
        per_cell = ([item.energy], [predicted.energy], [] if std is None else [std], [reference])
        yield "energy", tuple(np.array(values) / n_spins for values in per_cell)
    if item.effective_fields_ac is not None and where.n_magnetic:
        labels_ac, std_ac = item.effective_fields_ac[magnetic_a], predicted.effective_fields_std_ac
        deviations_ac = none if std_ac is None else std_ac[magnetic_a] / field_scale
        predicted_ac = predicted.effective_fields_ac[magnetic_a] / field_scale
        yield "field", (labels_ac, predicted_ac, deviations_ac, np.zeros_like(labels_ac))
    if item.forces_ac is not None:
        deviations_ac = none if predicted.forces_std_ac is None else predicted.forces_std_ac
        yield "force", (item.forces_ac, predicted.forces_ac, deviations_ac, np.zeros_like(item.forces_ac))
    if item.stress_cc is not None:
        yield "stress", (to_voigt(item.stress_cc), to_voigt(predicted.stress_cc), none, np.zeros(6))
    if item.moment_magnitudes_a is not None and predicted.moment_magnitudes_a is not None:
        known_a = magnetic_a & np.isfinite(predicted.moment_magnitudes_a)
        if known_a.any():
            means_a = references.moments_s[species_indices(where, species)][known_a]
            deviations_a = none if predicted.moments_std_a is None else predicted.moments_std_a[known_a]
            yield (
                MOMENT,
                (item.moment_magnitudes_a[known_a], predicted.moment_magnitudes_a[known_a], deviations_a, means_a),
            )
