"""Generate, score, select: the next batch of configurations to label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.active.candidates.generators import Candidate, Tell, generate, say_nothing
from soso_core.active.candidates.settings import ExploreSettings
from soso_core.active.selection.acquisition import (
    at_random,
    by_mean_variance,
    by_trust,
    by_variance,
    farthest,
    is_worth_it,
    min_relative_efficiency,
    spread,
)
from soso_core.active.selection.uncertainty import CandidateRows, candidate_rows, deviations, scores
from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.gp.model.fitted import FittedModel
from soso_core.symmetry.equivalence import equivalence_classes


@dataclass(frozen=True, eq=False)
class ScoredCandidate:
    """A chosen candidate: rank 0 was chosen first.

    Standard deviations of its energy per spin (meV) before anything of the batch is known: of the model
    alone, and of a new label (noise included); calibrated, as those of a prediction.  `moment_magnitudes_a`
    (a,), μB, are predicted by the model; None when it has learnt none.  The field deviations (meV, model alone, mean
    and largest over atoms) are None when the model has learnt from no fields; `score_meV` is the
    score by the settings.
    """

    candidate: Candidate
    rank: int
    energy_model_std_meV_per_spin: float
    energy_std_meV_per_spin: float
    moment_magnitudes_a: FloatArray | None = None
    field_mean_std_meV: float | None = None
    field_largest_std_meV: float | None = None
    score_meV: float = 0.0


def first_batch(structure: Configuration, settings: ExploreSettings) -> list[Candidate]:
    """Return `n_select` candidates spread over the generators and their ladders; no model needed.

    What symmetry does not tell apart is chosen once, and configurations of a file are candidates once, so that there
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
    """Return what to take of each generator; what one cannot give is taken from that with most to spare."""
    taken = [min(n, most) for n, most in zip(n_per_group, available, strict=True)]
    for _ in range(min(sum(n_per_group), sum(available)) - sum(taken)):
        spare = [most - n for most, n in zip(available, taken, strict=True)]
        taken[spare.index(max(spare))] += 1
    return taken


def _one_of_each(candidates: Sequence[Candidate], n_per_group: Sequence[int]) -> list[Candidate]:
    """Return the candidates of the generators asked, the first of those that symmetry does not tell apart."""
    asked = [item for item in candidates if n_per_group[item.generator]]
    twins_k = equivalence_classes([item.configuration for item in asked])
    return [item for k, item in enumerate(asked) if twins_k[k] == k]


def next_batch(
    model: FittedModel,
    structure: Configuration,
    settings: ExploreSettings,
    known: Sequence[Configuration] = (),
    tell: Tell = say_nothing,
) -> list[ScoredCandidate]:
    """Return the `n_select` candidates whose labels teach the model most, best first.

    What symmetry turns into one of `known`, or into an earlier pick, is not chosen, and configurations of a file are
    candidates once: there may be fewer.  `tell` gets a line when candidates came to nothing.  Raises InputError for
    settings that do not fit the structure, an element the model does not know, or when there is nothing new to choose.
    """
    check_counts(settings)
    draws, control = np.random.default_rng(settings.seed).spawn(2)
    candidates = generate(structure, settings, draws, model, tell)
    rows = candidate_rows(model, [item.configuration for item in candidates])
    twins_k = equivalence_classes([*known, *(item.configuration for item in candidates)])
    picks = choose_batch(rows, settings, _fresh(twins_k, len(known)), control, tell)
    energy_k, mean_k, largest_k = deviations(rows)
    label_k = np.hypot(
        energy_k, 1e3 * rows.energy_stretch * np.where(np.isfinite(rows.energy_noise_k), rows.energy_noise_k, 0.0)
    )
    score_k = scores(rows, settings.score)
    return [
        ScoredCandidate(
            candidates[k],
            rank,
            float(energy_k[k]),
            float(label_k[k]),
            initial_moments(model, candidates[k].configuration),
            float(mean_k[k]) if rows.has_fields else None,
            float(largest_k[k]) if rows.has_fields else None,
            float(score_k[k]),
        )
        for rank, k in enumerate(picks)
    ]


def choose_batch(
    rows: CandidateRows,
    settings: ExploreSettings,
    twins_k: IntArray,
    rng: np.random.Generator,
    tell: Tell = say_nothing,
) -> IntArray:
    """Return which candidates the settings choose, best first: none with `twins_k` below zero, no two alike.

    `tell` gets a line when all are drawn at random, as the choice promises hardly more.  Raises InputError when no
    candidate is left.
    """
    free_k = np.flatnonzero(twins_k >= 0)
    if not len(free_k):
        raise InputError(f"each of {len(rows)} candidates repeats a label there is; explore something else")
    left, same_k = rows.subset(free_k.tolist()), twins_k[free_k]
    n_select = min(settings.n_select, len(np.unique(same_k)))

    def draw(n: int, before: list[int]) -> list[int]:
        open_k = np.flatnonzero(~np.isin(same_k, same_k[before]))
        picks: list[int] = open_k[at_random(len(open_k), n, rng, same_k[open_k])].tolist()
        return picks

    if settings.selection == "random":
        return np.asarray(free_k[draw(n_select, [])])
    picks, least = _chosen(left, n_select, settings, same_k), min_relative_efficiency(left)
    if settings.only_if_worth_it and not is_worth_it(
        settings.selection, left, picks, lambda n: draw(n, []), least, settings.score
    ):
        tell(f"a label of the choice by variance is not worth {least:g} of a draw: the batch is drawn at random")
        return np.asarray(free_k[draw(n_select, [])])
    return np.asarray(free_k[by_trust(picks, settings.trusted, rng, draw)])


def _chosen(rows: CandidateRows, n_select: int, settings: ExploreSettings, twins_k: IntArray) -> list[int]:
    if settings.selection == "farthest-point":
        picks = farthest(rows, n_select, twins_k)
    else:
        choose = by_variance if settings.selection == "energy-variance" else by_mean_variance
        picks = choose(rows, n_select, settings.score, twins_k)
    found: list[int] = picks.tolist()
    return found


def _fresh(twins_k: IntArray, n_known: int) -> IntArray:
    """Return the numbers of the candidates alone, -1 for those that repeat one of the first `n_known`."""
    own_k = twins_k[n_known:]
    return np.where(own_k < n_known, -1, own_k)


def initial_moments(model: FittedModel, configuration: Configuration) -> FloatArray | None:
    """Return the moment magnitudes (a,), μB, that an engine starts from; None when the model was fitted to none."""
    if model.lengths is None:
        return None
    magnitudes_a = model.moment_magnitudes(configuration, missing="nan")
    return None if np.isnan(magnitudes_a).any() else magnitudes_a


def check_counts(settings: ExploreSettings) -> None:
    """Raise InputError when more candidates are to be chosen than are made."""
    if settings.n_select > settings.n_candidates:
        raise InputError(f"n_select is {settings.n_select}, but n_candidates only {settings.n_candidates}")
