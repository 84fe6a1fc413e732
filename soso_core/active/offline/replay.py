"""The replay engine: a campaign on a pool that is labelled already, with the errors on everything not chosen.

A run is a loop over indices of the pool: the same pool, acquisition function and seed give the same run.  A label is
used only when its configuration was chosen; all others serve to measure the error.  Batches are chosen by
`selection.batch.choose_batch` and decisions made by `stopping.policy.decide`, as in a campaign.
"""

from collections.abc import Callable, Mapping, Sequence

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
from soso_core.active.selection.acquisition import VARIANCE_FRACTION, Acquisition
from soso_core.active.selection.batch import BatchRequest, choose_batch
from soso_core.active.selection.uncertainty import CandidateRows
from soso_core.active.stopping.learning_curve import FEWEST, learning_curve_check
from soso_core.active.stopping.policy import PolicySettings, decide
from soso_core.active.stopping.records import Action, BatchRecord, Decision, History
from soso_core.arrays import FloatArray, IntArray
from soso_core.settings import Settings


class Step(Settings):
    """After one batch: labels so far, errors on everything that is left, blind test of the batch, and the decision.

    Errors in meV per spin and meV per field component: root mean square, and the largest of any configuration (of its
    energy; of its root mean square field error).  `energy_by_group` is the root mean square within each group of which
    something is left.  `expected` is the predicted root mean square error, without noise; `record`: of the batch.
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
    record: BatchRecord

    @property
    def worst_group(self) -> float | None:
        """The error of the group that is known worst; None without groups."""
        return max(self.energy_by_group.values(), default=None)


class Run(Settings):
    """One replay: the picks in their order, and errors and decision after each batch.

    `steps[stop]` is where the policy would have ended the campaign; None when it never does.
    """

    acquisition: Acquisition
    seed: int
    picks: tuple[int, ...]
    steps: tuple[Step, ...]
    stop: int | None = None

    def end_by(self, policy: PolicySettings) -> tuple[Step, Action]:
        """Return the step at which another policy would have ended the same run, and its action; else the last step."""
        history, action = History(), Action.CONTINUE
        for step in self.steps:
            history = history.with_batch(step.record)
            if (action := decide(history, policy).action) is not Action.CONTINUE:
                break
        return step, action


def replay(
    pool: Pool,
    acquisition: Acquisition,
    policy: PolicySettings,
    seed: int,
    classes_k: IntArray | None = None,
    held_out: Sequence[int] = (),
    groups_k: Sequence[str] = (),
    go_on: Callable[[], None] = lambda: None,
    variance_fraction: float = VARIANCE_FRACTION,
) -> Run:
    """Replay the policy up to its budget of labels, also beyond the point where it would have ended the campaign.

    Parameters
    ----------
    pool : design rows and labels of all configurations, k of them
    acquisition, variance_fraction : the acquisition function and the share of a batch that it chooses
    policy : target and budgets
    seed : draws the first configuration, the same for every acquisition function, and all other random choices
    classes_k : (k,) numbers of the symmetry classes; one configuration of a class is chosen at most
    held_out : configurations that are never chosen, and tested on; none: everything not chosen is tested on
    groups_k : a name for each configuration, or none; errors are given for each name as well
    go_on : called before every fit; it may raise to interrupt the run

    The first batch is chosen by the prior of the pair part, without a model.
    """
    first, draws, halves = np.random.default_rng(seed).spawn(3)
    free_k = np.ones(len(pool), dtype=bool)
    free_k[list(held_out)] = False
    class_k = np.arange(len(pool)) if classes_k is None else classes_k

    def choose(rows: CandidateRows, chosen: Sequence[int], n: int, fraction: float) -> tuple[list[int], list[int]]:
        """Return the next batch, and the configurations that it was chosen from."""
        open_k = np.where(free_k & ~np.isin(class_k, class_k[list(chosen)]), class_k, -1)
        if not np.any(open_k >= 0):
            return [], []
        batch = choose_batch(rows, BatchRequest(n, acquisition, fraction, open_k), draws)
        return list(batch.picks), np.flatnonzero(open_k >= 0).tolist()

    start = int(next(k for k in first.permutation(len(pool)) if free_k[k]))
    chosen = [start, *choose(prior_uncertainty(pool).after(start), [start], policy.n_initial - 1, 1.0)[0]]
    history, steps = History().with_batch(BatchRecord(batch=0, n_labels=len(chosen), n_failed=0)), list[Step]()
    fitted: PoolFit | None = None
    while True:
        go_on()
        fitted = fit_part(pool, chosen, fitted)
        rest = [k for k in np.flatnonzero(free_k).tolist() if k not in frozenset(chosen)]
        decision = decide(history, policy)
        if decision.needs_learning_curve and len(chosen) >= FEWEST and not _find_stops(steps):
            learning = learning_curve_check(pool, fitted, halves.permutation(chosen), halves)
            history = history.with_last(learning_curve=learning)
            decision = decide(history, policy)
        rows = uncertainty(pool, fitted)
        left, record = list(held_out) or rest, history.batches[-1]
        steps.append(_measure(pool, fitted, rows, left, record, decision, groups_k))
        n_next = min(policy.batch_size, policy.max_labels - len(chosen), len(rest) - (0 if held_out else 1))
        batch, population = choose(rows, chosen, n_next, variance_fraction) if n_next > 0 else ([], [])
        if not batch:
            break
        history = history.with_batch(_blind(pool, fitted, rows, batch, population, history.batches[-1]))
        chosen = [*chosen, *batch]
    return Run(
        acquisition=acquisition,
        seed=seed,
        picks=tuple(chosen),
        steps=tuple(steps),
        stop=min(_find_stops(steps), default=None),
    )


def _find_stops(steps: Sequence[Step]) -> list[int]:
    """Return after which steps the policy would end the campaign."""
    return [index for index, step in enumerate(steps) if step.action is not Action.CONTINUE]


def _measure(
    pool: Pool,
    fitted: PoolFit,
    rows: CandidateRows,
    left: Sequence[int],
    record: BatchRecord,
    decision: Decision,
    groups_k: Sequence[str],
) -> Step:
    energies_k = 1e3 * energy_errors(pool, fitted)[list(left)]
    variance_k = np.sum(rows.energies_km[list(left)] ** 2, axis=1)
    fields = field_rms(field_errors(pool, fitted), left)
    return Step(
        n_labels=record.n_labels,
        energy=rms(energies_k),
        energy_largest=float(np.max(np.abs(energies_k))),
        energy_by_group=_by_group(energies_k, [groups_k[k] for k in left] if groups_k else []),
        expected=1e3 * rows.energy_calibration * float(np.sqrt(np.mean(variance_k))),
        field=None if fields is None else rms(fields),
        field_largest=None if fields is None else float(np.max(fields)),
        action=decision.action,
        reason=decision.reason,
        bound=decision.energy_bound_meV_per_spin,
        record=record,
    )


def _by_group(energies_k: FloatArray, groups_k: Sequence[str]) -> dict[str, float]:
    return {name: rms(energies_k[[group == name for group in groups_k]]) for name in sorted(set(groups_k))}


def _blind(
    pool: Pool,
    fitted: PoolFit,
    rows: CandidateRows,
    batch: Sequence[int],
    population: Sequence[int],
    last: BatchRecord,
) -> BatchRecord:
    """Return the record of a batch with its blind test; the batch was chosen from the configurations `population`."""
    factor = (1e3 * rows.energy_calibration) ** 2
    model_k = factor * np.sum(rows.energies_km**2, axis=1)
    noise_k = factor * rows.energy_noise_k**2
    label_k = model_k[list(batch)] + pool.factors_k[list(batch)] ** 2 * noise_k[list(batch)]
    errors_k, fields = 1e3 * energy_errors(pool, fitted)[list(batch)], field_rms(field_errors(pool, fitted), batch)
    return BatchRecord(
        batch=last.batch + 1,
        n_labels=last.n_labels + len(batch),
        n_failed=0,
        n_blind=len(batch),
        energy_rmse_meV_per_spin=rms(errors_k),
        field_rmse_meV=None if fields is None else rms(fields),
        energy_std_meV_per_spin=float(np.mean(label_k) ** 0.5),
        energy_model_std_meV_per_spin=float(np.mean(model_k[list(batch)]) ** 0.5),
        energy_standardised_rmse=rms(errors_k / np.sqrt(label_k)),
        population_std_meV_per_spin=float(np.mean((model_k + noise_k)[list(population)]) ** 0.5),
    )
