"""Labels, predictions and standard deviations of every target, side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.gp.inference.targets import find_references
from soso_core.gp.model.fitted import Prediction, References
from soso_core.gp.model.hyperparameters import MOMENT, Hyperparameters
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
    context = _Context(dataset.species, find_references(dataset), field_scale)
    found: dict[str, Comparison] = {}
    for target, take in _TAKERS.items():
        taken = [take(item, predicted, context) for item, predicted in zip(dataset, predictions, strict=True)]
        parts = [each for each in taken if each is not None]
        if parts:
            found[target] = Comparison(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    return found


def rms(values: FloatArray) -> float:
    """Return the root mean square; zero for no values."""
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else 0.0


@dataclass(frozen=True, eq=False)
class _Context:
    species: tuple[int, ...]
    references: References
    field_scale: float


_Parts = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
_NONE = np.zeros(0)


def _energy(item: LabelledConfiguration, predicted: Prediction, context: _Context) -> _Parts | None:
    if item.energy is None:
        return None
    where = item.configuration
    n_spins = where.n_energy_sites
    deviation = _NONE if predicted.energy_std is None else np.array([predicted.energy_std / n_spins])
    reference = species_counts(where, context.species) @ context.references.energies_s / n_spins
    return np.array([item.energy / n_spins]), np.array([predicted.energy / n_spins]), deviation, np.array([reference])


def _field(item: LabelledConfiguration, predicted: Prediction, context: _Context) -> _Parts | None:
    if item.effective_fields_ac is None or not item.configuration.n_magnetic:
        return None
    magnetic, scale = item.configuration.is_magnetic_a, context.field_scale
    std_ac = predicted.effective_fields_std_ac
    deviation = _NONE if std_ac is None else std_ac[magnetic].ravel() / scale
    return _without_reference(
        item.effective_fields_ac[magnetic], predicted.effective_fields_ac[magnetic] / scale, deviation
    )


def _force(item: LabelledConfiguration, predicted: Prediction, _: _Context) -> _Parts | None:
    if item.forces_ac is None:
        return None
    std_ac = predicted.forces_std_ac
    return _without_reference(item.forces_ac, predicted.forces_ac, _NONE if std_ac is None else std_ac.ravel())


def _stress(item: LabelledConfiguration, predicted: Prediction, _: _Context) -> _Parts | None:
    if item.stress_cc is None:
        return None
    return _without_reference(to_voigt(item.stress_cc), to_voigt(predicted.stress_cc), _NONE)


def _moment(item: LabelledConfiguration, predicted: Prediction, context: _Context) -> _Parts | None:
    where = item.configuration
    if item.moment_magnitudes_a is None or predicted.moment_magnitudes_a is None or not where.n_magnetic:
        return None
    magnetic, std_a = where.is_magnetic_a & np.isfinite(predicted.moment_magnitudes_a), predicted.moments_std_a
    if not magnetic.any():
        return None
    reference_a = context.references.moments_s[species_indices(where, context.species)][magnetic]
    deviation = _NONE if std_a is None else std_a[magnetic]
    return item.moment_magnitudes_a[magnetic], predicted.moment_magnitudes_a[magnetic], deviation, reference_a


def _without_reference(labels: FloatArray, predictions: FloatArray, deviations: FloatArray) -> _Parts:
    return labels.ravel(), predictions.ravel(), deviations, np.zeros(labels.size)


_TAKERS: Mapping[str, Callable[[LabelledConfiguration, Prediction, _Context], _Parts | None]] = {
    "energy": _energy,
    "field": _field,
    "force": _force,
    "stress": _stress,
    MOMENT: _moment,
}
