"""Blind tests of several batches taken together: pooled errors and the newest pools."""

from collections.abc import Sequence

from soso_core.active.stopping.records import BatchRecord


def pooled(weights: Sequence[int], errors: Sequence[float | None]) -> float | None:
    """Return the root mean square of errors of several batches, by their numbers of tests; None when one is missing."""
    known = [error for error in errors if error is not None]
    if not errors or len(known) < len(errors):
        return None
    total = sum(weight * error**2 for weight, error in zip(weights, known, strict=True))
    return float((total / sum(weights)) ** 0.5)


def pooled_blind_error(history: Sequence[BatchRecord], min_blind: int) -> tuple[float | None, float | None]:
    """Return the energy and field RMSE over the newest blind tests, going back until `min_blind` are pooled.

    Both None while fewer than `min_blind` configurations were tested blind; the field one also when
    a pooled batch has no fields.
    """
    tested = newest_pool(history, min_blind)
    if not tested:
        return None, None
    weights = [item.n_blind for item in tested]
    energy = pooled(weights, [item.energy_rmse_meV_per_spin for item in tested])
    return energy, pooled(weights, [item.field_rmse_meV for item in tested])


def newest_pool(history: Sequence[BatchRecord], min_blind: int) -> list[BatchRecord]:
    """Return the newest records with blind tests, newest first, that hold `min_blind` of them; none when too few."""
    tested: list[BatchRecord] = []
    for record in reversed(history):
        if record.n_blind and record.energy_rmse_meV_per_spin is not None:
            tested.append(record)
        if sum(item.n_blind for item in tested) >= min_blind:
            return tested
    return []


def two_pools(history: Sequence[BatchRecord], min_blind: int) -> tuple[list[BatchRecord], list[BatchRecord]]:
    """Return the newest records and those before them, newest first, with half as many tests; empty when too few."""
    newest = newest_pool(history, min_blind)
    before = newest_pool(history[: history.index(newest[-1])], -(-min_blind // 2)) if newest else []
    return newest, before


def known_share(pool: Sequence[BatchRecord]) -> tuple[float, float] | None:
    """Return the pooled blind error and what the model expected of it without noise; None where either is missing."""
    weights = [item.n_blind for item in pool]
    error = pooled(weights, [item.energy_rmse_meV_per_spin for item in pool])
    expected = pooled(weights, [item.energy_model_std_meV_per_spin for item in pool])
    return None if error is None or expected is None else (error, expected)
