"""evaluate: how far a model is from labels it may or may not have seen."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.gp.calibration import reliability, stretch
from soso_core.gp.fitted import FittedModel, Prediction
from soso_core.gp.targets import VOIGT
from soso_core.labels import LabelledConfiguration


class Reliability(BaseModel):
    """Expected against observed coverage of central intervals, and the share of labels inside the 90 % one."""

    model_config = ConfigDict(frozen=True)

    expected: tuple[float, ...]
    observed: tuple[float, ...]
    coverage_90: float
    n_labels: int


class Errors(BaseModel):
    """Root mean square errors, and that of the labels themselves; None where the data carry no such label.

    Energy per magnetic atom, meV; field of `-∂E/∂e` in the units of the labels, per Cartesian component of magnetic
    atoms, meV; force meV/Å per component; stress per component, meV/Å³; moment lengths of magnetic atoms, μB.
    The energies' predicted standard deviation (root mean square) is beside their error.
    `reliability` has a curve for every target whose deviation was predicted.
    """

    model_config = ConfigDict(frozen=True)

    energy_rmse_meV_per_spin: float | None
    field_rmse_meV: float | None
    energy_std_meV_per_spin: float | None
    n_configurations: int
    n_energies: int
    n_field_configurations: int
    force_rmse_meV_per_angstrom: float | None = None
    stress_rmse_meV_per_angstrom3: float | None = None
    moment_rmse_ub: float | None = None
    field_rms_meV: float | None = None
    force_rms_meV_per_angstrom: float | None = None
    stress_rms_meV_per_angstrom3: float | None = None
    moment_std_ub: float | None = None
    reliability: Mapping[str, Reliability] = {}


class Evaluation(Errors):
    """Errors of a model, and of its pair-only baseline on the same data."""

    pair_only: Errors | None


class Comparison(BaseModel):
    """Labels, predictions and predicted standard deviations of one target, flat, in eV, eV/Å, eV/Å³ and μB.

    Energies are per magnetic atom.  Deviations are empty where none was predicted.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    labels: FloatArray
    predictions: FloatArray
    deviations: FloatArray

    @property
    def errors(self) -> FloatArray:
        """Predictions minus labels."""
        return self.predictions - self.labels

    @property
    def z(self) -> FloatArray:
        """Errors over deviations; empty where none was predicted."""
        if not len(self.deviations):
            return self.deviations
        known = self.deviations > 0.0
        return np.asarray(self.errors[known] / self.deviations[known])


def evaluate(model: FittedModel, dataset: Dataset) -> Evaluation:
    """Return the errors of `model` and its baseline on `dataset`."""
    own = errors_of(predictions_for(model, dataset), dataset, model.scales.field_scale)
    pair_only = None
    if model.baseline is not None:
        baseline = model.baseline
        pair_only = errors_of(predictions_for(baseline, dataset), dataset, baseline.scales.field_scale)
    return Evaluation(**own.model_dump(), pair_only=pair_only)


def predictions_for(model: FittedModel, dataset: Dataset) -> list[Prediction]:
    """Return the predictions for every configuration, with deviations of forces where there are forces."""
    return [model.predict(item.configuration, with_force_std=item.forces_ac is not None) for item in dataset]


def recalibrated(model: FittedModel, blind: Dataset) -> dict[str, float]:
    """Return the calibration that makes the deviations true on labels the model has not seen.

    Targets of which `blind` has nothing keep what they have.
    """
    found = compare(predictions_for(model, blind), blind, model.scales.field_scale)
    fresh = {target: model.stretch(target) * stretch(each.z) for target, each in found.items() if len(each.z)}
    return {**model.calibration, **fresh}


def errors_of(predictions: Sequence[Prediction], dataset: Dataset, field_scale: float = 1.0) -> Errors:
    """Return the errors of predictions made for the configurations of `dataset`, in order."""
    found = compare(predictions, dataset, field_scale)
    error = {target: 1e3 * _rms(each.errors) for target, each in found.items()}
    size = {target: 1e3 * _rms(each.labels) for target, each in found.items()}
    lengths = found.get("length")
    return Errors(
        energy_rmse_meV_per_spin=error.get("energy"),
        energy_std_meV_per_spin=1e3 * _rms(found["energy"].deviations) if "energy" in found else None,
        field_rmse_meV=error.get("field"),
        field_rms_meV=size.get("field"),
        force_rmse_meV_per_angstrom=error.get("force"),
        force_rms_meV_per_angstrom=size.get("force"),
        stress_rmse_meV_per_angstrom3=error.get("stress"),
        stress_rms_meV_per_angstrom3=size.get("stress"),
        moment_rmse_ub=None if lengths is None else _rms(lengths.errors),
        moment_std_ub=None if lengths is None else float(np.std(lengths.labels)),
        n_configurations=len(dataset),
        n_energies=dataset.n_energies,
        n_field_configurations=dataset.n_field_configurations,
        reliability={target: _reliability(each.z) for target, each in found.items() if len(each.z)},
    )


def compare(predictions: Sequence[Prediction], dataset: Dataset, field_scale: float = 1.0) -> dict[str, Comparison]:
    """Return labels and predictions of every target that `dataset` has, side by side.

    Predicted fields are divided by `field_scale`, what the labels' fields come short of -∂E/∂e by.
    """
    found: dict[str, Comparison] = {}
    for target, take in _TAKERS.items():
        taken = [take(item, predicted, field_scale) for item, predicted in zip(dataset, predictions, strict=True)]
        parts = [each for each in taken if each is not None]
        if parts:
            labels, values, deviations = (np.concatenate(each) for each in zip(*parts, strict=True))
            found[target] = Comparison(labels=labels, predictions=values, deviations=deviations)
    return found


_Triple = tuple[FloatArray, FloatArray, FloatArray]
_NONE = np.zeros(0)


def _energy(item: LabelledConfiguration, predicted: Prediction, _: float) -> _Triple | None:
    if item.energy is None:
        return None
    n_spins = item.configuration.n_magnetic or len(item.configuration)
    deviation = _NONE if predicted.energy_std is None else np.array([predicted.energy_std / n_spins])
    return np.array([item.energy / n_spins]), np.array([predicted.energy / n_spins]), deviation


def _field(item: LabelledConfiguration, predicted: Prediction, scale: float) -> _Triple | None:
    if item.spin_gradient_ac is None or not item.configuration.n_magnetic:
        return None
    magnetic = item.configuration.is_magnetic_a
    std_ac = predicted.fields_std_ac
    deviation = _NONE if std_ac is None else std_ac[magnetic].ravel() / scale
    return item.spin_gradient_ac[magnetic].ravel(), predicted.fields_ac[magnetic].ravel() / scale, deviation


def _force(item: LabelledConfiguration, predicted: Prediction, _: float) -> _Triple | None:
    if item.forces_ac is None:
        return None
    std_ac = predicted.forces_std_ac
    return item.forces_ac.ravel(), predicted.forces_ac.ravel(), _NONE if std_ac is None else std_ac.ravel()


def _stress(item: LabelledConfiguration, predicted: Prediction, _: float) -> _Triple | None:
    return None if item.stress_cc is None else (item.stress_cc[VOIGT], predicted.stress_cc[VOIGT], _NONE)


def _length(item: LabelledConfiguration, predicted: Prediction, _: float) -> _Triple | None:
    if item.moments_a is None or predicted.moments_a is None or not item.configuration.n_magnetic:
        return None
    magnetic = item.configuration.is_magnetic_a
    std_a = predicted.moments_std_a
    return item.moments_a[magnetic], predicted.moments_a[magnetic], _NONE if std_a is None else std_a[magnetic]


_TAKERS: Mapping[str, Callable[[LabelledConfiguration, Prediction, float], _Triple | None]] = {
    "energy": _energy,
    "field": _field,
    "force": _force,
    "stress": _stress,
    "length": _length,
}


def _reliability(z_k: FloatArray) -> Reliability:
    expected, observed = reliability(z_k)
    inside = float(np.interp(0.9, expected, observed))
    return Reliability(
        expected=tuple(expected.round(2).tolist()),
        observed=tuple(observed.tolist()),
        coverage_90=inside,
        n_labels=len(z_k),
    )


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else 0.0
