"""The whole policy on a pool that is labelled already: choose, test blind, train, decide, and measure what is left.

A pure loop over indices of the pool: the same pool, strategy and seed give the same run.  A label is looked at only
when its configuration was chosen; all others serve to measure the error.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from soso_core.active.offline.pool import (
    Pool,
    PoolFit,
    energy_errors,
    field_errors,
    field_rms,
    fit_part,
    prior_uncertainty,
    rms,
    uncertainty,
)
from soso_core.active.selection.acquisition import (
    LEAST_WORTH,
    at_random,
    by_mean_variance,
    by_trust,
    by_variance,
    farthest,
    is_worth_it,
    min_relative_efficiency,
)
from soso_core.active.selection.uncertainty import CandidateRows, ScoreSettings
from soso_core.active.stopping.learning_curve import FEWEST, learning_curve_check
from soso_core.active.stopping.policy import PolicySettings, decide, trust
from soso_core.active.stopping.records import Action, BatchRecord, Decision, History
from soso_core.arrays import FloatArray, IntArray
from soso_core.settings import Settings

Strategy = Literal["energy-variance", "mean-variance", "farthest-point", "random"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


class Step(Settings):
    """After one batch: labels so far, errors on everything that is left, blind test of the batch, and the decision.

    Errors in meV per spin and meV per field component: root mean square, and the largest of any configuration (of its
    energy; of its root mean square field error).  `energy_by_group` is the root mean square within each group of which
    something is left.  `expected` is what the model expects of the energies, noise apart.
    """

    n_labels: int
    energy: float
    energy_largest: float
    energy_by_group: Mapping[str, float] = {}
    expected: float
    field: float | None = None
    field_largest: float | None = None
    action: Action
    reason: str
    bound: float | None = None

    @property
    def worst_group(self) -> float | None:
        """The error of the group that is known worst; None without groups."""
        return max(self.energy_by_group.values(), default=None)


class Run(Settings):
    """One replay: what was chosen, in order, and what came of it.

    `steps[stop]` is where the policy would have stopped; None when it never does.
    """

    strategy: Strategy
    seed: int
    picks: tuple[int, ...]
    steps: tuple[Step, ...]
    stop: int | None = None


def replay(
    pool: Pool,
    strategy: Strategy,
    policy: PolicySettings,
    seed: int,
    twins_k: IntArray | None = None,
    held_out: Sequence[int] = (),
    groups_k: Sequence[str] = (),
    go_on: Callable[[], None] = lambda: None,
) -> Run:
    """Return one run of the policy up to its budget of labels, also beyond where it would have stopped.

    The first configuration is drawn by `seed`, the same for every strategy; the rest of the first batch is chosen by
    what is known before there are labels, where that promises more than a draw.  Errors are measured on `held_out`,
    which is never chosen, or else on everything that is left, also within each of `groups_k` (a name for each
    configuration, or none).  `go_on` is called before every fit, and may raise to stop.
    """
    first, draws, halves = np.random.default_rng(seed).spawn(3)
    free = [k for k in first.permutation(len(pool)).tolist() if k not in frozenset(held_out)]
    chosen = _first_batch(pool, strategy, free, policy.n_initial, draws, twins_k)
    history, steps = History(batches=(BatchRecord(batch=0, n_labels=len(chosen), n_failed=0),)), list[Step]()
    fitted: PoolFit | None = None
    while True:
        go_on()
        fitted = fit_part(pool, chosen, fitted)
        rest = [k for k in free if k not in frozenset(chosen)]
        decision = decide(history, policy)
        if decision.needs_learning_curve and len(chosen) >= FEWEST and not _stopped(steps):
            learning = learning_curve_check(pool, fitted, halves.permutation(chosen), halves)
            history = history.with_last(learning_curve=learning)
            decision = decide(history, policy)
        steps.append(_measured(pool, fitted, list(held_out) or rest, len(chosen), decision, groups_k))
        n_next = min(policy.batch_size, policy.max_labels - len(chosen), len(rest) - (0 if held_out else 1))
        if n_next < 1:
            break
        rows = None if strategy == "random" else uncertainty(pool, fitted)
        trusted = trust(history.batches)
        share = 1.0 if trusted is None else trusted
        batch = _batch(rows, strategy, rest, n_next, draws, twins_k, chosen, share)
        history = history.with_batch(_blind(pool, fitted, batch, history.batches[-1]))
        chosen = [*chosen, *batch]
    return Run(
        strategy=strategy, seed=seed, picks=tuple(chosen), steps=tuple(steps), stop=min(_stopped(steps), default=None)
    )


def _stopped(steps: Sequence[Step]) -> list[int]:
    """Return after which steps the policy would stop."""
    return [index for index, step in enumerate(steps) if step.action is not Action.CONTINUE]


def _first_batch(
    pool: Pool,
    strategy: Strategy,
    free: Sequence[int],
    n_initial: int,
    rng: np.random.Generator,
    twins_k: IntArray | None,
) -> list[int]:
    start, rest = free[0], list(free[1:])
    rows = None if strategy == "random" else prior_uncertainty(pool)
    if rows is not None and strategy != "farthest-point":
        rows = rows.after(start)
    return [start, *_batch(rows, strategy, rest, n_initial - 1, rng, twins_k, [start], 1.0, LEAST_WORTH)]


def _batch(
    rows: CandidateRows | None,
    strategy: Strategy,
    rest: Sequence[int],
    n_next: int,
    rng: np.random.Generator,
    twins_k: IntArray | None,
    chosen: Sequence[int],
    trusted: float,
    least: float | None = None,
) -> list[int]:
    """Return the next picks: the share `trusted` of them by `strategy` where that is worth it, the others at random.

    `least` is what it has to be worth; None: what it has to with a model.  Where all are drawn they are those of the
    strategy `random`: what a choice is held against has draws of its own.
    """

    def draw(n: int, batch: list[int], draws: np.random.Generator = rng) -> list[int]:
        left = [k for k in rest if k not in frozenset(batch)]
        return _picked(None, "random", left, n, draws, twins_k, [*chosen, *batch])

    if rows is None:
        return draw(n_next, [])
    (others,) = rng.spawn(1)
    picks = _picked(rows, strategy, rest, n_next, rng, twins_k, chosen)
    places = {k: place for place, k in enumerate(rest)}
    at, wanted = [places[k] for k in picks], min_relative_efficiency(rows) if least is None else least
    if not is_worth_it(strategy, rows.subset(rest), at, lambda n: [places[k] for k in draw(n, [], others)], wanted):
        return draw(n_next, [])
    return by_trust(picks, trusted, rng, draw)


def _picked(
    rows: CandidateRows | None,
    strategy: Strategy,
    rest: Sequence[int],
    n_select: int,
    rng: np.random.Generator,
    twins_k: IntArray | None,
    chosen: Sequence[int],
    score: ScoreSettings | None = None,
) -> list[int]:
    """Return the picks of a strategy among `rest`, indices of the pool; twins of what is chosen come last."""
    if twins_k is not None:
        fresh = [k for k in rest if twins_k[k] not in set(twins_k[list(chosen)].tolist())]
        rest = fresh if len(fresh) >= n_select else rest
    twins = None if twins_k is None else twins_k[list(rest)]
    if strategy == "random" or rows is None:
        picks = at_random(len(rest), n_select, rng, twins)
    elif strategy == "farthest-point":
        both = rows.subset([*rest, *chosen])
        same = None if twins is None else np.concatenate([twins, twins_k[list(chosen)]])  # type: ignore[index]
        picks = farthest(both, n_select, same, start=np.arange(len(rest), len(both)))
    else:
        choose = by_variance if strategy == "energy-variance" else by_mean_variance
        picks = choose(rows.subset(rest), n_select, score, twins)
    return [rest[int(k)] for k in picks]


def _measured(
    pool: Pool, fitted: PoolFit, left: Sequence[int], n_labels: int, decision: Decision, groups_k: Sequence[str]
) -> Step:
    energies_k = 1e3 * energy_errors(pool, fitted)[list(left)]
    rows = uncertainty(pool, fitted)
    variance_k = np.sum(rows.energies_km[list(left)] ** 2, axis=1)
    fields = field_rms(field_errors(pool, fitted), left)
    return Step(
        n_labels=n_labels,
        energy=rms(energies_k),
        energy_largest=float(np.max(np.abs(energies_k))),
        energy_by_group=_by_group(energies_k, [groups_k[k] for k in left] if groups_k else []),
        expected=1e3 * rows.energy_stretch * float(np.sqrt(np.mean(variance_k))),
        field=None if fields is None else rms(fields),
        field_largest=None if fields is None else float(np.max(fields)),
        action=decision.action,
        reason=decision.reason,
        bound=decision.energy_bound_meV_per_spin,
    )


def _by_group(energies_k: FloatArray, groups_k: Sequence[str]) -> dict[str, float]:
    return {name: rms(energies_k[[group == name for group in groups_k]]) for name in sorted(set(groups_k))}


def _blind(pool: Pool, fitted: PoolFit, batch: Sequence[int], last: BatchRecord) -> BatchRecord:
    """Return the record of a batch, tested by the model that has not seen it."""
    rows = uncertainty(pool, fitted).subset(batch)
    variance_k, factors_k = np.sum(rows.energies_km**2, axis=1), pool.factors_k[list(batch)]
    label_k = variance_k + (factors_k * rows.energy_noise_k) ** 2
    fields = field_rms(field_errors(pool, fitted), batch)
    return BatchRecord(
        batch=last.batch + 1,
        n_labels=last.n_labels + len(batch),
        n_failed=0,
        n_blind=len(batch),
        energy_rmse_meV_per_spin=rms(1e3 * energy_errors(pool, fitted)[list(batch)]),
        field_rmse_meV=None if fields is None else rms(fields),
        energy_std_meV_per_spin=1e3 * rows.energy_stretch * float(np.sqrt(np.mean(label_k))),
        energy_model_std_meV_per_spin=1e3 * rows.energy_stretch * float(np.sqrt(np.mean(variance_k))),
    )
