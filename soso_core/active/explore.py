"""Generate, score, select: the next batch of configurations to label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.active.generators import Candidate, generate, interleaved, shares
from soso_core.active.selection import at_random, by_energy_variance, spread
from soso_core.active.settings import ExploreSettings
from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.gp.fitted import FittedModel


@dataclass(frozen=True, eq=False)
class ScoredCandidate:
    """A chosen candidate: rank 0 was chosen first.

    Standard deviations of its energy per spin (meV) before anything of the batch is known: of the model
    alone, and of a new label (noise included); calibrated, as those of a prediction.  `moments_a` are the lengths
    (a,), μB, that the model predicts; None when it has learnt none.
    """

    candidate: Candidate
    rank: int
    energy_model_std_meV_per_spin: float
    energy_std_meV_per_spin: float
    moments_a: FloatArray | None = None


def first_batch(structure: Configuration, settings: ExploreSettings) -> list[Candidate]:
    """Return `n_select` candidates spread over the generators and their ladders; no model needed.

    Raises InputError for settings that do not fit the structure.
    """
    check_counts(settings)
    candidates = generate(structure, settings, np.random.default_rng(settings.seed))
    order = interleaved(shares(settings, has_model=False), settings.n_select)
    n_per_group = [order.count(g) for g in range(len(settings.generators))]
    groups, ladder = [item.generator for item in candidates], [item.magnetisation for item in candidates]
    return [candidates[k] for k in spread(groups, ladder, n_per_group)]


def next_batch(model: FittedModel, structure: Configuration, settings: ExploreSettings) -> list[ScoredCandidate]:
    """Return the `n_select` candidates whose labels teach the model most, best first.

    Raises InputError for settings that do not fit the structure, or an element the model does not know.
    """
    check_counts(settings)
    draws, control = np.random.default_rng(settings.seed).spawn(2)
    candidates = generate(structure, settings, draws, model)
    covariance_kk = energy_covariance(model, [item.configuration for item in candidates])
    noise_k = energy_noise(model, [item.configuration for item in candidates])
    if settings.selection == "random":
        picks = at_random(len(candidates), settings.n_select, control)
    else:
        picks = by_energy_variance(covariance_kk, noise_k, settings.n_select)
    variance_k = np.clip(np.diag(covariance_kk), 0.0, None)
    model_std_k, label_std_k = (
        1e3 * model.stretch("energy") * np.sqrt(v_k) for v_k in (variance_k, variance_k + noise_k)
    )
    return [
        ScoredCandidate(
            candidates[k],
            rank,
            float(model_std_k[k]),
            float(label_std_k[k]),
            expected_lengths(model, candidates[k].configuration),
        )
        for rank, k in enumerate(picks)
    ]


def expected_lengths(model: FittedModel, configuration: Configuration) -> FloatArray | None:
    """Return the lengths (a,), μB, that an engine may start from; None when the model knows none that make sense."""
    moments_a, _ = model.predict_moments(configuration)
    if moments_a is None or np.any(moments_a[configuration.is_magnetic_a] <= 0.0):
        return None
    return moments_a


def energy_covariance(model: FittedModel, configurations: Sequence[Configuration]) -> FloatArray:
    """Return the posterior covariance (k, k) of the energies per spin, eV²."""
    n_spins_k = np.array([item.n_magnetic or len(item) for item in configurations], dtype=float)
    return model.model_covariance(model.energy_rows(configurations) / n_spins_k[:, None])


def energy_noise(model: FittedModel, configurations: Sequence[Configuration]) -> FloatArray:
    """Return the noise variance (k,) of a label of the energy per spin, eV²."""
    n_spins_k = np.array([item.n_magnetic or len(item) for item in configurations], dtype=float)
    return np.asarray(model.scales.noise.get("energy", 0.0) ** 2 / n_spins_k)


def check_counts(settings: ExploreSettings) -> None:
    """Raise InputError when more candidates are to be chosen than are made."""
    if settings.n_select > settings.n_candidates:
        raise InputError(f"n_select is {settings.n_select}, but n_candidates only {settings.n_candidates}")
