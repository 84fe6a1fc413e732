"""Sums over the rows of a dataset, computed a few configurations at a time; a fit keeps nothing else of its data."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.gp.inference.targets import Rows, compute_rows
from soso_core.gp.model.basis import ModelBasis
from soso_core.gp.model.fitted import References
from soso_core.gp.model.normal_equations import NormalEquations
from soso_core.labels import LabelledConfiguration
from soso_core.threads import one_blas_thread, worker_count

CHUNK = 8
"""Configurations whose rows are in memory at once in one thread."""


def equations_of(
    items: Sequence[LabelledConfiguration], basis: ModelBasis, references: References
) -> dict[str, NormalEquations]:
    """Return the normal equations of every target, moment magnitudes included.

    Threads share the configurations; sums are in the order of `items`, so that the result does not depend on
    the number of threads.  Memory holds the rows of a few configurations, never all.
    """
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    work = partial(_sum_chunk, basis=basis, references=references)
    total: dict[str, NormalEquations] = {}
    with one_blas_thread(), ThreadPoolExecutor(worker_count()) as pool:
        for start in range(0, len(chunks), 2 * worker_count()):
            for part in pool.map(work, chunks[start : start + 2 * worker_count()]):
                total = merge_sums(total, part)
    return total


def merge_sums(left: Mapping[str, NormalEquations], right: Mapping[str, NormalEquations]) -> dict[str, NormalEquations]:
    """Return the equations of both sets of data."""
    shared = {target: left[target] + right[target] for target in left.keys() & right.keys()}
    return {**left, **right, **shared}


def sum_rows(labels: Iterable[tuple[Rows, float]]) -> dict[str, NormalEquations]:
    """Return the normal equations of every target from the rows of some labels and the noise factor of each."""
    parts: dict[str, list[tuple[FloatArray, FloatArray, FloatArray]]] = {}
    for rows, factor in labels:
        for target, (rows_km, values_k) in rows.items():
            parts.setdefault(target, []).append((rows_km, values_k, np.full(len(values_k), factor)))
    return {
        target: NormalEquations.from_rows(*(np.concatenate(arrays) for arrays in zip(*pairs, strict=True)))
        for target, pairs in parts.items()
    }


def _sum_chunk(
    items: Sequence[LabelledConfiguration], basis: ModelBasis, references: References
) -> dict[str, NormalEquations]:
    return sum_rows((compute_rows(item, basis, references), item.noise_factor) for item in items)
