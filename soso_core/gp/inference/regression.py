"""The functions fit, update and choose make a FittedModel from labelled configurations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.gp.inference.calibration import calibration_factors, left_out_errors, pick_evenly
from soso_core.gp.inference.evidence import posterior
from soso_core.gp.inference.hyperparameters import (
    Equations,
    FittedHyperparameters,
    fit_hyperparameters,
    restrict_columns,
)
from soso_core.gp.inference.moments import fit_moment_model, solve_moment_model
from soso_core.gp.inference.sums import equations_of, merge_sums
from soso_core.gp.inference.targets import compute_rows, find_references
from soso_core.gp.model.basis import ModelBasis, centre_columns
from soso_core.gp.model.covariance import Points, join_points
from soso_core.gp.model.fitted import FitRecord, FittedModel, References
from soso_core.gp.model.hyperparameters import MOMENT, TARGETS
from soso_core.gp.model.inducing import choose_inducing_points
from soso_core.gp.model.settings import FitSettings
from soso_core.labels import LabelledConfiguration
from soso_core.neighbours import find_neighbours
from soso_core.threads import in_threads, one_blas_thread

DECISIVE = float(np.log(100.0))
"""Difference of log evidences that is called decisive: a hundred to one (Jeffreys, Theory of Probability, app. B)."""
T = TypeVar("T")
CALIBRATION_CONFIGURATIONS = 100
"""Configurations that are left out, one at a time, to calibrate; their rows are computed once more."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One choice of settings, fitted: everything but moment magnitudes and calibration."""

    basis: ModelBasis
    references: References
    equations: Equations
    fitted: FittedHyperparameters


def fit(dataset: Dataset, settings: FitSettings, rng: np.random.Generator) -> FittedModel:
    """Return the model of highest evidence (marginal likelihood) for the energies, fields, forces and stresses.

    Exact repeats count once: they add no information and would bias the noise estimate low.
    `rng` draws the inducing points.  Raises InputError when no configuration has an energy or fields.
    """
    dataset = check_labels(dataset)
    return complete_fit(fit_candidate(dataset, settings, rng), dataset)


def choose(
    dataset: Dataset,
    choices: Sequence[FitSettings],
    rng: np.random.Generator,
    track: Callable[[Sequence[FitSettings]], Iterable[FitSettings]] = iter,
) -> tuple[FittedModel, list[float]]:
    """Return the model whose settings have the highest evidence, and the log evidence of every choice.

    The first choice is kept unless another is better by DECISIVE.
    `track` wraps the choices as they are fitted, for a progress bar.  Raises InputError as `fit`.
    """
    if not choices:
        raise InputError("no settings to choose from")
    dataset = check_labels(dataset)
    best: Candidate | None = None
    evidences: list[float] = []
    for settings, stream in zip(track(choices), rng.spawn(len(choices)), strict=True):
        fitted = fit_candidate(dataset, settings, stream)
        evidences.append(fitted.fitted.best.log_evidence)
        if best is None or select_by_evidence(evidences) == len(evidences) - 1:
            best = fitted
    assert best is not None
    return complete_fit(best, dataset), evidences


def select_by_evidence(evidences: Sequence[float]) -> int:
    """Return which choice to take, given their log evidences: the best, or the first when that is not clearly worse."""
    best = int(np.argmax(evidences))
    return best if evidences[best] > evidences[0] + DECISIVE else 0


def update(model: FittedModel, new: Dataset) -> FittedModel:
    """Return the model with new labels added; only the new rows are computed.

    Inducing points, hyperparameters, reference energies and the calibration are kept; the sums over all rows are exact,
    so the model is that of all labels at once.  Labels of the training data are left out.
    Raises InputError when the model carries no sums, or the new labels hold an element or a kind of label that it
    was not fitted to.
    """
    if model.equations is None:
        raise InputError("this model carries no sums of its data and cannot be updated; fit it again")
    fresh = [item for item in new.without_repeats() if item.digest not in model.record.digests]
    if not fresh:
        return model
    added = equations_of(fresh, model.basis, model.references)
    for target in sorted(added.keys() - model.equations.keys()):
        raise InputError(f"the new data hold {target} labels, which the model was not fitted to; fit it again")
    if not all(np.isfinite(equation.yty) for equation in added.values()):
        raise InputError(
            "the new data hold moment magnitudes of a species which the model was not fitted to; fit it again"
        )
    record = model.record.extend(Dataset(tuple(fresh)))
    return solve_with(model, merge_sums(model.equations, added), record)


def check_labels(dataset: Dataset) -> Dataset:
    """Return the dataset without exact repeats.  Raises InputError when there is nothing to fit."""
    if not dataset.n_energies and not dataset.n_field_configurations:
        raise InputError("nothing to fit: no configuration has an energy or exchange fields")
    return dataset.without_repeats()


def build_basis(dataset: Dataset, settings: FitSettings, rng: np.random.Generator) -> ModelBasis:
    """Return the centred columns of a model of `dataset`; `rng` draws the inducing points; labels are not used."""
    bare = ModelBasis.build(settings, dataset.species, None)
    environments = _environments(dataset, bare)
    inducing = choose_inducing_points(join_points(environments), settings.n_inducing, bare.covariance, rng)
    basis = ModelBasis.build(settings, dataset.species, inducing)
    return centre_columns(basis, [item.configuration for item in dataset], environments)


def select_energy_targets(values: Mapping[str, T]) -> dict[str, T]:
    """Return the values of the targets of the energy model: all but moment magnitudes."""
    return {target: values[target] for target in TARGETS if target in values}


def fit_candidate(dataset: Dataset, settings: FitSettings, rng: np.random.Generator) -> Candidate:
    """Return the fit of one choice of settings."""
    basis = build_basis(dataset, settings, rng)
    references = find_references(dataset)
    equations = equations_of(dataset.labelled, basis, references)
    with one_blas_thread():
        fitted = fit_hyperparameters(select_energy_targets(equations), basis.blocks, basis.pair_only().blocks)
    return Candidate(basis, references, equations, fitted)


def complete_fit(chosen: Candidate, dataset: Dataset) -> FittedModel:
    """Return the model of a candidate, with its baseline, moment magnitudes and calibration."""
    basis, fitted, sums, record = chosen.basis, chosen.fitted, chosen.equations, FitRecord.of(dataset)
    small, energy = basis.pair_only(), select_energy_targets(sums)
    with one_blas_thread():
        hyperparameters = fitted.baseline.hyperparameters
        solved = posterior(restrict_columns(energy, small.size), small.blocks, hyperparameters)
        baseline = FittedModel(small, *solved, hyperparameters, chosen.references, record, None)
        moment_model = fit_moment_model(sums[MOMENT], basis.blocks) if MOMENT in sums else None
        hyperparameters = fitted.best.hyperparameters
        solved = posterior(energy, basis.blocks, hyperparameters)
    model = FittedModel(basis, *solved, hyperparameters, chosen.references, record, baseline, moment_model, sums)
    return replace(model, calibration=_calibrate(model, dataset))


def _calibrate(model: FittedModel, dataset: Dataset) -> dict[str, float]:
    """Return the calibration factor of each target from configurations left out one at a time."""

    def errors_of(item: LabelledConfiguration) -> dict[str, FloatArray]:
        rows = compute_rows(item, model.basis, model.references)
        found: dict[str, FloatArray] = {}
        if energy := select_energy_targets(rows):
            found |= left_out_errors(energy, model.weights_m, model.cholesky_mm, model.hyperparameters)
        if MOMENT in rows and (moments := model.moment_model) is not None:
            rows = {MOMENT: rows[MOMENT]}
            found |= left_out_errors(rows, moments.weights_m, moments.cholesky_mm, moments.hyperparameters)
        return found

    errors = in_threads(errors_of, pick_evenly(dataset.labelled, CALIBRATION_CONFIGURATIONS))
    return calibration_factors(errors)


def solve_with(model: FittedModel, equations: Equations, record: FitRecord) -> FittedModel:
    """Return the model with the weights that other sums give; hyperparameters are kept."""
    energy = select_energy_targets(equations)
    baseline, moment_model = model.baseline, model.moment_model
    with one_blas_thread():
        solved = posterior(energy, model.basis.blocks, model.hyperparameters)
        model = replace(model, weights_m=solved[0], cholesky_mm=solved[1], record=record, equations=dict(equations))
        if baseline is not None:
            small = baseline.basis
            solved = posterior(restrict_columns(energy, small.size), small.blocks, baseline.hyperparameters)
            baseline = replace(baseline, weights_m=solved[0], cholesky_mm=solved[1], record=record)
        if MOMENT in equations and moment_model is not None:
            moment_model = solve_moment_model(equations[MOMENT], model.basis.blocks, moment_model.hyperparameters)
    return replace(model, baseline=baseline, moment_model=moment_model)


def _environments(dataset: Dataset, basis: ModelBasis) -> list[Points]:
    """Return the environments of every configuration, about 2 kB per atom."""

    def of(item: LabelledConfiguration) -> Points:
        neighbours = find_neighbours(item.configuration, basis.descriptor.cutoff)
        return basis.points(basis.descriptor.compute(item.configuration, neighbours))

    return in_threads(of, dataset)
