"""evaluate: how far a model is from labels it may or may not have seen."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from soso_core.dataset import Dataset
from soso_core.gp.assessment.comparison import Comparison, compare, rms
from soso_core.gp.inference.calibration import calibration_factor, reliability
from soso_core.gp.model.fitted import FittedModel, Prediction
from soso_core.gp.model.hyperparameters import MOMENT, Hyperparameters
from soso_core.labels import LabelledConfiguration

Track = Callable[[Sequence[LabelledConfiguration]], Iterable[LabelledConfiguration]]
"""What is passed over the configurations as they are predicted, for a progress bar."""


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
    `_std`: root mean square of the predicted standard deviations, what the model expects of its errors
    (`_model_std`: the noise of labels left out).  `_rms`: that
    of the labels themselves; `_spread` the same about what composition alone says.  `reliability` has a curve for
    every target whose deviation was predicted.  `n_trained_on`: how many of the labelled configurations the model was
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
    """Return the errors of `model` and its baseline, and labels beside predictions of the model."""
    n_trained_on = len(trained_on(model, dataset))
    predictions, of_baseline = _predicted_twice(model, dataset, track)
    found = compare(predictions, dataset, model.hyperparameters)
    pair_only = None
    if model.baseline is not None:
        pair_only = errors_of(of_baseline, dataset, model.baseline.hyperparameters, n_trained_on)
    own = _errors(found, dataset, n_trained_on).model_dump()
    own["energy_model_std_meV_per_spin"] = _model_std(predictions, dataset)
    return Evaluation(**own, pair_only=pair_only), found


def _model_std(predictions: Sequence[Prediction], dataset: Dataset) -> float | None:
    """Return the root mean square deviation of the energy per spin, meV, without the noise of labels."""
    found = [
        predicted.energy_model_std / item.configuration.n_energy_sites
        for predicted, item in zip(predictions, dataset, strict=True)
        if item.energy is not None and predicted.energy_model_std is not None
    ]
    return 1e3 * rms(np.array(found)) if found else None


def trained_on(model: FittedModel, dataset: Dataset) -> list[int]:
    """Return the indices of the labelled configurations that the model was fitted to, equal in every number."""
    known = frozenset(model.record.digests)
    return [k for k, item in enumerate(dataset) if item.digest in known]


def predictions_for(model: FittedModel, dataset: Dataset) -> list[Prediction]:
    """Return the predictions for every configuration, with deviations of forces where there are forces."""
    return [_predicted(model, item) for item in dataset]


def calibrate(model: FittedModel, found: Mapping[str, Comparison]) -> dict[str, float]:
    """Return the calibration that makes the deviations true on labels beside predictions of this model.

    It starts from deviations without calibration, so that a second call changes nothing.
    """
    fresh = {
        target: calibration_factor(each.z * model.calibration_factor(target))
        for target, each in found.items()
        if len(each.z)
    }
    return {**model.calibration, **fresh}


def errors_of(
    predictions: Sequence[Prediction],
    dataset: Dataset,
    hyperparameters: Hyperparameters | None = None,
    n_trained_on: int = 0,
) -> Errors:
    """Return the errors of predictions made for the configurations of `dataset`, in order; `hyperparameters` as in `compare`."""
    return _errors(compare(predictions, dataset, hyperparameters), dataset, n_trained_on)


def _errors(found: Mapping[str, Comparison], dataset: Dataset, n_trained_on: int) -> Errors:
    error = {target: 1e3 * rms(each.errors) for target, each in found.items()}
    expected = {target: 1e3 * rms(each.deviations) for target, each in found.items() if len(each.deviations)}
    size = {target: 1e3 * each.size for target, each in found.items()}
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
        moment_rmse_muB=_in_units(error.get(MOMENT)),
        moment_std_muB=_in_units(expected.get(MOMENT)),
        moment_spread_muB=_in_units(size.get(MOMENT)),
        n_configurations=len(dataset),
        n_energies=dataset.n_energies,
        n_field_configurations=dataset.n_field_configurations,
        n_trained_on=n_trained_on,
        reliability={target: _reliability(each) for target, each in found.items() if len(each.z)},
        n_labels={target: len(each.labels) for target, each in found.items()},
    )


def _predicted_twice(model: FittedModel, dataset: Dataset, track: Track) -> tuple[list[Prediction], list[Prediction]]:
    """Return the predictions of the model and of its baseline (none without one), configuration by configuration."""
    own, of_baseline = [], []
    for item in track(dataset.labelled):
        own.append(_predicted(model, item))
        if model.baseline is not None:
            of_baseline.append(_predicted(model.baseline, item))
    return own, of_baseline


def _predicted(model: FittedModel, item: LabelledConfiguration) -> Prediction:
    """Return the prediction, with the deviations that a label of this grade should have from it."""
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


def _in_units(thousandths: float | None) -> float | None:
    return None if thousandths is None else 1e-3 * thousandths
