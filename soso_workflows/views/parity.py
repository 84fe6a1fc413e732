"""Blind predictions beside their labels, as arrays that a database keeps and a figure draws."""

import numpy as np
from aiida.orm import ArrayData

from soso_core.dataset import Dataset
from soso_core.gp.assessment.comparison import energy_of_label
from soso_core.gp.inference.evidence import Hyperparameters
from soso_core.gp.model.fitted import FittedModel, Prediction
from soso_core.labels import LabelledConfiguration


def parity_arrays(model: FittedModel, dataset: Dataset) -> ArrayData:
    """Return predictions for `dataset` in meV.

    `energy`, `energy_std`, `energy_label` (per spin, one entry per configuration that has an energy);
    `field`, `field_label` (all components of -∂E/∂e on magnetic atoms, in the units of the labels); empty where
    labels are absent.
    """
    pairs = [(item, model.predict(item.configuration, noise_factor=item.noise_factor)) for item in dataset]
    energies = [_energy_entry(*pair, model.scales) for pair in pairs if pair[0].energy is not None]
    scale = model.scales.field_scale
    fields = [_field_entries(*pair, scale) for pair in pairs if pair[0].effective_fields_ac is not None]
    energy_kn = np.array(energies).reshape(-1, 3).T
    field_kn = np.concatenate(fields, axis=1) if fields else np.empty((2, 0))
    names = ("energy", "energy_std", "energy_label", "field", "field_label")
    return ArrayData({name: 1e3 * values for name, values in zip(names, [*energy_kn, *field_kn], strict=True)})


def _energy_entry(
    item: LabelledConfiguration, predicted: Prediction, scales: Hyperparameters
) -> tuple[float, float, float]:
    n_spins = item.configuration.n_magnetic or len(item.configuration)
    energy, deviation = energy_of_label(item, predicted, scales), predicted.energy_std or 0.0
    return energy / n_spins, deviation / n_spins, item.energy_per_spin or 0.0


def _field_entries(item: LabelledConfiguration, predicted: Prediction, scale: float) -> np.ndarray:
    magnetic_a = item.configuration.is_magnetic_a
    labels_ac = item.effective_fields_ac
    assert labels_ac is not None
    return np.stack([predicted.effective_fields_ac[magnetic_a].ravel() / scale, labels_ac[magnetic_a].ravel()])
