"""evaluate: how far a model is from labels it may or may not have seen."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.gp.fitted import FittedModel, Prediction


class Errors(BaseModel):
    """Root mean square errors; None where the data carry no such label.

    Energy per magnetic atom, meV; field of `-∂E/∂e`, per Cartesian component of magnetic atoms, meV;
    the predicted standard deviation of the same energies (root mean square) beside it.
    """

    model_config = ConfigDict(frozen=True)

    energy_rmse_meV_per_spin: float | None
    field_rmse_meV: float | None
    energy_std_meV_per_spin: float | None
    n_configurations: int
    n_energies: int
    n_field_configurations: int


class Evaluation(Errors):
    """Errors of a model, and of its pair-only baseline on the same data."""

    pair_only: Errors | None


def evaluate(model: FittedModel, dataset: Dataset) -> Evaluation:
    """Return the errors of `model` and its baseline on `dataset`."""
    own = errors_of([model.predict(item.configuration) for item in dataset], dataset)
    pair_only = None
    if model.baseline is not None:
        baseline = model.baseline
        pair_only = errors_of([baseline.predict(item.configuration) for item in dataset], dataset)
    return Evaluation(**own.model_dump(), pair_only=pair_only)


def errors_of(predictions: Sequence[Prediction], dataset: Dataset) -> Errors:
    """Return the errors of predictions made for the configurations of `dataset`, in order."""
    energies, deviations, fields = [], [], []
    for item, predicted in zip(dataset, predictions, strict=True):
        n_spins = item.configuration.n_magnetic or len(item.configuration)
        if item.energy is not None:
            energies.append((predicted.energy - item.energy) / n_spins)
            if predicted.energy_std is not None:
                deviations.append(predicted.energy_std / n_spins)
        if item.spin_gradient_ac is not None:
            magnetic = item.configuration.is_magnetic_a
            fields.append((predicted.fields_ac - item.spin_gradient_ac)[magnetic].ravel())
    return Errors(
        energy_rmse_meV_per_spin=_rms_meV(energies),
        field_rmse_meV=_rms_meV(np.concatenate(fields) if fields else []),
        energy_std_meV_per_spin=_rms_meV(deviations),
        n_configurations=len(dataset),
        n_energies=dataset.n_energies,
        n_field_configurations=dataset.n_field_configurations,
    )


def _rms_meV(values: Sequence[float] | FloatArray) -> float | None:
    if len(values) == 0:
        return None
    return float(1e3 * np.sqrt(np.mean(np.square(values))))
