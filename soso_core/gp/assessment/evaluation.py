"""Errors of a model on labels, those of its pair-only baseline, and its calibration on labels."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from soso_core.dataset import Dataset
from soso_core.gp.assessment.comparison import Comparison, compare, rms
from soso_core.gp.inference.calibration import calibration_factor, reliability
from soso_core.gp.model.fitted import FittedModel, Prediction
from soso_core.gp.model.hyperparameters import MOMENT
from soso_core.labels import LabelledConfiguration

Track = Callable[[Sequence[LabelledConfiguration]], Iterable[LabelledConfiguration]]
"""Wraps the configurations as they are predicted, for a progress bar."""


class Reliability(BaseModel):
    """Expected against observed coverage of central intervals, and the share of labels inside the 90 % one."""

    model_config = ConfigDict(frozen=True)

    expected: tuple[float, ...]
    observed: tuple[float, ...]
    coverage_90: float
    n_labels: int


class Errors(BaseModel):
    """Root mean square errors, expected and found, and the size of the labels; None where there is no such label.

    Energy per magnetic atom, meV; field of `-∂E/∂e` in the units of the labels, per Cartesian component of magnetic
    atoms, meV; force meV/Å per component; stress per component, meV/Å³; moment magnitudes of magnetic atoms, μB.
    `_std`: root mean square of the predicted standard deviations (`_model_std`: without the noise of labels).  `_rms`:
    root mean square of the labels; `_spread`: of the labels minus their reference values.  `reliability` has a curve
    for every target with predicted deviations.  `n_trained_on`: number of labelled configurations that the model was
    fitted to; errors on those are not blind.
    """

    model_config = ConfigDict(frozen=True)

    energy_rmse_meV_per_spin: float | None
    field_rmse_meV: float | None
    energy_std_meV_per_spin: float | None
    n_configurations: int
    n_energies: int
    n_field_configurations: int
    n_trained_on: int = 0
    force_rmse_meV_per_angstrom: float | None = None
    stress_rmse_meV_per_angstrom3: float | None = None
    moment_rmse_muB: float | None = None
    field_std_meV: float | None = None
    force_std_meV_per_angstrom: float | None = None
    moment_std_muB: float | None = None
    energy_model_std_meV_per_spin: float | None = None
    energy_spread_meV_per_spin: float | None = None
    field_rms_meV: float | None = None
    force_rms_meV_per_angstrom: float | None = None
    stress_rms_meV_per_angstrom3: float | None = None
    moment_spread_muB: float | None = None
    reliability: Mapping[str, Reliability] = {}
    n_labels: Mapping[str, int] = {}


class Evaluation(Errors):
    """Errors of a model, and of its pair-only baseline on the same data."""

    pair_only: Errors | None


def evaluate(model: FittedModel, dataset: Dataset, track: Track = iter) -> Evaluation:
    """Return the errors of `model` and its baseline on `dataset`."""
    return assess(model, dataset, track)[0]


def assess(model: FittedModel, dataset: Dataset, track: Track = iter) -> tuple[Evaluation, dict[str, Comparison]]:
    """Return the errors of `model` and its baseline, and the labels and predictions of the model for every target."""
    n_trained_on = len(find_training_labels(model, dataset))
    small = model.baseline
    predictions, of_baseline = [], []
    for item in track(dataset.labelled):
        predictions.append(_predict(model, item))
        if small is not None:
            of_baseline.append(_predict(small, item))
    found = compare(predictions, dataset, model.hyperparameters)
    own = _errors(found, dataset, n_trained_on).model_dump()
    own["energy_model_std_meV_per_spin"] = _model_std(predictions, dataset)
    pair_only = None
    if small is not None:
        pair_only = _errors(compare(of_baseline, dataset, small.hyperparameters), dataset, n_trained_on)
    return Evaluation(**own, pair_only=pair_only), found


def _model_std(predictions: Sequence[Prediction], dataset: Dataset) -> float | None:
    """Return the root mean square deviation of the energy per spin, meV, without the noise of labels."""
    found = [
        predicted.energy_model_std / item.configuration.n_energy_sites
        for predicted, item in zip(predictions, dataset, strict=True)
        if item.energy is not None and predicted.energy_model_std is not None
    ]
    return 1e3 * rms(np.array(found)) if found else None


def find_training_labels(model: FittedModel, dataset: Dataset) -> list[int]:
    """Return the indices of the labelled configurations that the model was fitted to, equal in every number."""
    known = frozenset(model.record.digests)
    return [k for k, item in enumerate(dataset) if item.digest in known]


def predict_dataset(model: FittedModel, dataset: Dataset) -> list[Prediction]:
    """Return the predictions for every configuration, with deviations of forces where there are forces."""
    return [_predict(model, item) for item in dataset]


def calibrate(model: FittedModel, found: Mapping[str, Comparison]) -> dict[str, float]:
    """Return the calibration with which the deviations agree with the errors in `found`.

    It replaces the present calibration, so a second call changes nothing.
    """
    fresh = {
        target: calibration_factor(each.z * model.calibration_factor(target))
        for target, each in found.items()
        if len(each.z)
    }
    return {**model.calibration, **fresh}


def _errors(found: Mapping[str, Comparison], dataset: Dataset, n_trained_on: int) -> Errors:
    factor = {target: 1.0 if target == MOMENT else 1e3 for target in found}
    error = {target: factor[target] * rms(each.errors) for target, each in found.items()}
    expected = {t: factor[t] * rms(each.deviations) for t, each in found.items() if len(each.deviations)}
    size = {target: factor[target] * each.size for target, each in found.items()}
    return Errors(
        energy_rmse_meV_per_spin=error.get("energy"),
        energy_std_meV_per_spin=expected.get("energy"),
        energy_spread_meV_per_spin=size.get("energy"),
        field_rmse_meV=error.get("field"),
        field_std_meV=expected.get("field"),
        field_rms_meV=size.get("field"),
        force_rmse_meV_per_angstrom=error.get("force"),
        force_std_meV_per_angstrom=expected.get("force"),
        force_rms_meV_per_angstrom=size.get("force"),
        stress_rmse_meV_per_angstrom3=error.get("stress"),
        stress_rms_meV_per_angstrom3=size.get("stress"),
        moment_rmse_muB=error.get(MOMENT),
        moment_std_muB=expected.get(MOMENT),
        moment_spread_muB=size.get(MOMENT),
        n_configurations=len(dataset),
        n_energies=dataset.n_energies,
        n_field_configurations=dataset.n_field_configurations,
        n_trained_on=n_trained_on,
        reliability={target: _reliability(each) for target, each in found.items() if len(each.z)},
        n_labels={target: len(each.labels) for target, each in found.items()},
    )


def _predict(model: FittedModel, item: LabelledConfiguration) -> Prediction:
    """Return the prediction, with standard deviations for a label of this grade."""
    with_forces = item.forces_ac is not None
    return model.predict(item.configuration, with_force_std=with_forces, noise_factor=item.noise_factor)


def _reliability(found: Comparison) -> Reliability:
    expected, observed = reliability(found.z)
    return Reliability(
        expected=tuple(expected.round(2).tolist()),
        observed=tuple(observed.tolist()),
        coverage_90=float(observed[expected.round(2) == 0.9][0]),
        n_labels=len(found.z),
    )
