"""fit, update, choose: from labelled configurations to a FittedModel."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.gp.inference.calibration import calibration_factors, evenly_spaced, left_out_errors
from soso_core.gp.inference.evidence import posterior
from soso_core.gp.inference.hyperparameters import (
    Equations,
    FittedHyperparameters,
    fit_hyperparameters,
    restrict_columns,
)
from soso_core.gp.inference.moments import fit_moment_model, solve_moment_model
from soso_core.gp.inference.sums import References, equations_of, labelled_rows, merge_sums
from soso_core.gp.inference.targets import mean_moments, reference_energies
from soso_core.gp.model.basis import ModelBasis, centre_columns
from soso_core.gp.model.covariance import Points, join_points
from soso_core.gp.model.fitted import FitRecord, FittedModel
from soso_core.gp.model.hyperparameters import LENGTH, TARGETS
from soso_core.gp.model.inducing import choose_inducing_points
from soso_core.gp.model.moments import MomentModel
from soso_core.gp.model.normal_equations import NormalEquations
from soso_core.gp.model.settings import FitSettings
from soso_core.labels import LabelledConfiguration
from soso_core.threads import in_threads, one_blas_thread

DECISIVE = float(np.log(100.0))
"""Difference of log evidences that is called decisive: a hundred to one (Jeffreys, Theory of Probability, app. B)."""
CALIBRATION_CONFIGURATIONS = 100
"""So many configurations are left out, one at a time, to calibrate: their rows are computed once more."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One choice of settings, fitted: everything but lengths and calibration."""

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
    return complete_fit(candidate(dataset, settings, rng), dataset)


def choose(
    dataset: Dataset,
    choices: Sequence[FitSettings],
    rng: np.random.Generator,
    track: Callable[[Sequence[FitSettings]], Iterable[FitSettings]] = iter,
) -> tuple[FittedModel, list[float]]:
    """Return the model whose settings have the highest evidence, and the log evidence of every choice.

    The first choice is kept unless another is better by DECISIVE.
    `track` is passed over the choices as they are fitted, for a progress bar.  Raises InputError as `fit`.
    """
    if not choices:
        raise InputError("no settings to choose from")
    dataset = check_labels(dataset)
    best: Candidate | None = None
    evidences: list[float] = []
    for settings, stream in zip(track(choices), rng.spawn(len(choices)), strict=True):
        fitted = candidate(dataset, settings, stream)
        evidences.append(fitted.fitted.best.log_evidence)
        if best is None or preferred(evidences) == len(evidences) - 1:
            best = fitted
    assert best is not None
    return complete_fit(best, dataset), evidences


def preferred(evidences: Sequence[float]) -> int:
    """Return which choice to take, given their log evidences: the best, or the first when that is not clearly worse."""
    best = int(np.argmax(evidences))
    return best if evidences[best] > evidences[0] + DECISIVE else 0


def update(model: FittedModel, new: Dataset) -> FittedModel:
    """Return the model with new labels added; only the new rows are computed.

    Inducing points, hyperparameters, reference energies and the calibration are kept; the sums over all rows are exact,
    so the model is that of all labels at once.  Labels of the training data are left out.
    Raises InputError when the model carries no sums, or the new labels hold an element or a kind of label that it
    does not know.
    """
    if model.equations is None:
        raise InputError("this model carries no sums of its data and cannot be updated; fit it again")
    fresh = [item for item in new.without_repeats() if item.digest not in model.record.digests]
    if not fresh:
        return model
    added = equations_of(fresh, model.basis, _references(model))
    for target in sorted(added.keys() - model.equations.keys()):
        raise InputError(f"the new data hold {target} labels, of which this model has seen none; fit it again")
    if not all(np.isfinite(equation.yty) for equation in added.values()):
        raise InputError("the new data hold lengths of a species of which this model has seen none; fit it again")
    record = model.record.extended(Dataset(tuple(fresh)))
    return solve_with(model, merge_sums(model.equations, added), record)


def check_labels(dataset: Dataset) -> Dataset:
    """Return the dataset without exact repeats.  Raises InputError when there is nothing to fit."""
    if not dataset.n_energies and not dataset.n_field_configurations:
        raise InputError("nothing to fit: no configuration has an energy or exchange fields")
    return dataset.without_repeats()


def build_basis(dataset: Dataset, settings: FitSettings, rng: np.random.Generator) -> ModelBasis:
    """Return the columns of a model of `dataset`: inducing points drawn by `rng`, centred; labels are not looked at."""
    bare = ModelBasis.uncentred(settings, dataset.species, None)
    environments = _environments(dataset, bare)
    inducing = choose_inducing_points(join_points(environments), settings.n_inducing, bare.covariance, rng)
    uncentred = ModelBasis.uncentred(settings, dataset.species, inducing)
    return centre_columns(uncentred, [item.configuration for item in dataset], environments)


def energy_equations(equations: Equations) -> dict[str, NormalEquations]:
    """Return those of the targets of the energy model."""
    return {target: equations[target] for target in TARGETS if target in equations}


def candidate(dataset: Dataset, settings: FitSettings, rng: np.random.Generator) -> Candidate:
    """Return the fit of one choice of settings."""
    basis = build_basis(dataset, settings, rng)
    references = References(reference_energies(dataset), mean_moments(dataset))
    equations = equations_of(dataset.labelled, basis, references)
    with one_blas_thread():
        fitted = fit_hyperparameters(energy_equations(equations), basis.blocks, basis.pair_only().blocks)
    return Candidate(basis, references, equations, fitted)


def complete_fit(chosen: Candidate, dataset: Dataset) -> FittedModel:
    """Return the model of a candidate, with its baseline, lengths and calibration."""
    energy, record = energy_equations(chosen.equations), FitRecord.of(dataset)
    small = chosen.basis.pair_only()
    references = chosen.references
    with one_blas_thread():
        solved = posterior(restrict_columns(energy, small.size), small.blocks, chosen.fitted.baseline.scales)
        scales = chosen.fitted.baseline.scales
        baseline = FittedModel(small, *solved, scales, references.offsets_s, references.moments_s, record, None)
        lengths = (
            fit_moment_model(chosen.equations[LENGTH], chosen.basis.blocks) if LENGTH in chosen.equations else None
        )
        solved = posterior(energy, chosen.basis.blocks, chosen.fitted.best.scales)
    model = FittedModel(
        chosen.basis,
        *solved,
        chosen.fitted.best.scales,
        references.offsets_s,
        references.moments_s,
        record,
        baseline,
        lengths,
        chosen.equations,
    )
    return replace(model, calibration=_calibration(model, dataset))


def _calibration(model: FittedModel, dataset: Dataset) -> dict[str, float]:
    """Return the calibration factor of each target from configurations left out one at a time."""

    def errors_of(item: LabelledConfiguration) -> dict[str, FloatArray]:
        rows = labelled_rows(item, model.basis, _references(model))
        found: dict[str, FloatArray] = {}
        if rows["energy"]:
            found |= left_out_errors(rows["energy"], model.weights_m, model.cholesky_mm, model.scales)
        if rows["length"] and model.lengths is not None:
            lengths = model.lengths
            found |= left_out_errors(rows["length"], lengths.weights_m, lengths.cholesky_mm, lengths.scales)
        return found

    errors = in_threads(errors_of, evenly_spaced(dataset.labelled, CALIBRATION_CONFIGURATIONS))
    return calibration_factors(errors)


def solve_with(model: FittedModel, equations: Equations, record: FitRecord) -> FittedModel:
    """Return the model with the weights that other sums give; hyperparameters are kept."""
    energy = energy_equations(equations)
    with one_blas_thread():
        weights_m, cholesky_mm = posterior(energy, model.basis.blocks, model.scales)
        baseline = model.baseline
        if baseline is not None:
            solved = posterior(restrict_columns(energy, baseline.basis.size), baseline.basis.blocks, baseline.scales)
            baseline = replace(baseline, weights_m=solved[0], cholesky_mm=solved[1], record=record)
        lengths = _lengths(model, equations)
    return replace(
        model,
        weights_m=weights_m,
        cholesky_mm=cholesky_mm,
        record=record,
        baseline=baseline,
        lengths=lengths,
        equations=dict(equations),
    )


def _lengths(model: FittedModel, equations: Equations) -> MomentModel | None:
    if LENGTH not in equations or model.lengths is None:
        return model.lengths
    return solve_moment_model(equations[LENGTH], model.basis.blocks, model.lengths.scales)


def _references(model: FittedModel) -> References:
    return References(model.offsets_s, model.moments_s)


def _environments(dataset: Dataset, bare: ModelBasis) -> list[Points]:
    """Return the environments of every configuration: 2 kB an atom or so, unlike all else that describes it."""

    def of(item: LabelledConfiguration) -> Points:
        neighbours = bare.descriptor_neighbours(item.configuration)
        return bare.points(bare.descriptor.compute(item.configuration, neighbours))

    return in_threads(of, dataset)
