"""Generate, score, select: the next batch of configurations to label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.active.candidates.generators import Candidate, Report, generate, ignore_message
from soso_core.active.candidates.settings import ExploreSettings
from soso_core.active.selection.acquisition import BY_UNCERTAINTY, Acquisition, at_random, spread
from soso_core.active.selection.uncertainty import CandidateRows, candidate_rows, energy_deviations
from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.gp.model.fitted import FittedModel
from soso_core.symmetry.equivalence import equivalence_classes


@dataclass(frozen=True, eq=False)
class ScoredCandidate:
    """A chosen candidate: rank 0 was chosen first, by the acquisition function or at random (`chosen_by`).

    Standard deviations of its energy per spin (meV) are those predicted before the batch is labelled, calibrated:
    `energy_model_std_meV_per_spin` without noise, `energy_std_meV_per_spin` with noise.  `population_std_meV_per_spin`
    is the root mean square over all candidates, noise included.  `moment_magnitudes_a` (a,), μB, are predicted by the
    model; None when its labels have none.
    """

    candidate: Candidate
    rank: int
    chosen_by: Acquisition
    energy_model_std_meV_per_spin: float
    energy_std_meV_per_spin: float
    population_std_meV_per_spin: float
    moment_magnitudes_a: FloatArray | None = None


def first_batch(structure: Configuration, settings: ExploreSettings) -> list[Candidate]:
    """Return `n_select` candidates that cover the generators and their ladders; this needs no model.

    Symmetry-equivalent candidates are chosen once, and configurations of a file are candidates once, so that there
    may be fewer.  Raises InputError for settings that do not fit the structure.
    """
    check_counts(settings)
    candidates = generate(structure, settings, np.random.default_rng(settings.seed))
    asked = [item.generator for item in candidates[: settings.n_select]]
    n_per_group = [asked.count(g) for g in range(len(settings.generators))]
    candidates = _one_of_each(candidates, n_per_group)
    groups, ladder = [item.generator for item in candidates], [item.magnetisation for item in candidates]
    n_per_group = _within(n_per_group, [groups.count(g) for g in range(len(n_per_group))])
    return [candidates[k] for k in spread(groups, ladder, n_per_group)]


def _within(n_per_group: Sequence[int], available: Sequence[int]) -> list[int]:
    """Return the number to take from each generator; a shortage is filled from the one with most to spare."""
    taken = [min(n, most) for n, most in zip(n_per_group, available, strict=True)]
    for _ in range(min(sum(n_per_group), sum(available)) - sum(taken)):
        spare = [most - n for most, n in zip(available, taken, strict=True)]
        taken[spare.index(max(spare))] += 1
    return taken


def _one_of_each(candidates: Sequence[Candidate], n_per_group: Sequence[int]) -> list[Candidate]:
    """Return the candidates of the generators in use, one of each symmetry class."""
    asked = [item for item in candidates if n_per_group[item.generator]]
    classes_k = equivalence_classes([item.configuration for item in asked])
    return [item for k, item in enumerate(asked) if classes_k[k] == k]


def next_batch(
    model: FittedModel,
    structure: Configuration,
    settings: ExploreSettings,
    known: Sequence[Configuration] = (),
    report: Report = ignore_message,
) -> list[ScoredCandidate]:
    """Generate candidates with `settings` and return those to label next, in the order of choice.

    Parameters
    ----------
    model : the present model
    structure : unit cell that the generators repeat and disorder
    settings : generators, number of candidates, acquisition function, seed
    known : labelled configurations; nothing that is symmetry-equivalent to one of them is chosen
    report : called with one line when draws were rejected

    Returns `n_select` candidates, or fewer when fewer differ by symmetry.  Raises InputError for settings that do not
    fit the structure, an element without training data, or when no new candidate is left.
    """
    check_counts(settings)
    draws, choice = np.random.default_rng(settings.seed).spawn(2)
    candidates = generate(structure, settings, draws, model, report)
    rows = candidate_rows(model, [item.configuration for item in candidates])
    classes_k = new_classes([item.configuration for item in candidates], known)
    request = BatchRequest(settings.n_select, settings.acquisition, settings.variance_fraction, classes_k)
    batch = choose_batch(rows, request, choice)
    energy_k = energy_deviations(rows)
    label_k = np.hypot(
        energy_k, 1e3 * rows.energy_calibration * np.where(np.isfinite(rows.energy_noise_k), rows.energy_noise_k, 0.0)
    )
    population_std = float(np.mean(label_k[classes_k >= 0] ** 2) ** 0.5)
    return [
        ScoredCandidate(
            candidates[k],
            rank,
            "random" if rank < batch.n_random else settings.acquisition,
            float(energy_k[k]),
            float(label_k[k]),
            population_std,
            initial_moments(model, candidates[k].configuration),
        )
        for rank, k in enumerate(batch.picks)
    ]


@dataclass(frozen=True, eq=False)
class BatchRequest:
    """A batch to choose: its size, the acquisition function, and the share that it chooses.

    n_select : configurations to choose
    acquisition : the acquisition function; `random` draws all of them
    variance_fraction : share chosen by the acquisition function; the rest is drawn at random
    classes_k : (k,) numbers of the symmetry classes of the candidates; a class below zero is labelled already
    """

    n_select: int
    acquisition: Acquisition
    variance_fraction: float
    classes_k: IntArray


@dataclass(frozen=True)
class Batch:
    """Indices of the chosen candidates; the first `n_random` were drawn at random from all that were new."""

    picks: tuple[int, ...]
    n_random: int


def choose_batch(rows: CandidateRows, request: BatchRequest, rng: np.random.Generator) -> Batch:
    """Choose a batch: first a random sample of the candidates, then the others by the acquisition function.

    The random sample represents the population of the candidates in the blind test.  The acquisition function ranks the
    candidates as if the labels of the sample were known.  The share chosen by it is rounded at random, so that it is
    right on average.  A campaign and an offline study both choose their batches here.

    Returns as many as there are classes when these are fewer than `n_select`.  Raises InputError when none is left.
    """
    classes_k = request.classes_k
    n_select = min(request.n_select, len(np.unique(classes_k[classes_k >= 0])))
    if not n_select:
        raise InputError(
            f"all {len(rows)} candidates are symmetry-equivalent to existing labels; change the exploration settings"
        )
    n_chosen = 0 if request.acquisition == "random" else int(request.variance_fraction * n_select + rng.random())
    drawn = at_random(n_select - n_chosen, classes_k, rng)
    for k in drawn if n_chosen else ():
        rows = rows.after(k)
    classes_k = np.where(np.isin(classes_k, classes_k[drawn]), -1, classes_k)
    chosen = BY_UNCERTAINTY[request.acquisition](rows, n_chosen, classes_k) if n_chosen else []
    return Batch((*drawn, *chosen), len(drawn))


def new_classes(candidates: Sequence[Configuration], known: Sequence[Configuration]) -> IntArray:
    """Return the symmetry classes (k,) of candidates: -1 for those that are equivalent to one of `known`."""
    own_k = equivalence_classes([*known, *candidates])[len(known) :]
    return np.where(own_k < len(known), -1, own_k)


def initial_moments(model: FittedModel, configuration: Configuration) -> FloatArray | None:
    """Return the moment magnitudes (a,), μB, that an engine starts from; None when the model was fitted to none."""
    if model.moment_model is None:
        return None
    magnitudes_a = model.moment_magnitudes(configuration, missing="nan")
    return None if np.isnan(magnitudes_a).any() else magnitudes_a


def check_counts(settings: ExploreSettings) -> None:
    """Raise InputError when `n_select` exceeds `n_candidates`."""
    if settings.n_select > settings.n_candidates:
        raise InputError(f"n_select is {settings.n_select}, but n_candidates only {settings.n_candidates}")
