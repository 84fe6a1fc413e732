"""Sums over the rows of a dataset, a few configurations at a time: all that a fit keeps of its data."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.gp.inference.targets import has_positions, length_rows, target_rows
from soso_core.gp.model.basis import ModelBasis
from soso_core.gp.model.hyperparameters import LENGTH
from soso_core.gp.model.normal_equations import NormalEquations
from soso_core.labels import LabelledConfiguration
from soso_core.species import species_counts
from soso_core.threads import one_blas_thread, worker_count

CHUNK = 8
"""Configurations whose rows are in memory at once in one thread."""

Rows = Mapping[str, tuple[FloatArray, FloatArray]]
"""Rows (k, m) and values (k,) of each target."""


@dataclass(frozen=True, eq=False)
class References:
    """What is taken off labels before the fit: energy per atom (s,) eV, mean length (s,) μB of each species."""

    offsets_s: FloatArray
    moments_s: FloatArray


def labelled_rows(item: LabelledConfiguration, basis: ModelBasis, references: References) -> dict[str, Rows]:
    """Return the rows of one labelled configuration: of the `energy` model and of the `length` model.

    They are divided by the label's noise factor, so that the noise of every row of a target is the same.
    """
    rows = basis.rows(item.configuration, item.effective_fields_ac is not None, has_positions(item))
    level = float(species_counts(item.configuration, basis.species) @ references.offsets_s)
    energy = {target: (rows_km, values_k) for target, rows_km, values_k in target_rows(item, rows, level)}
    lengths = {}
    if item.moment_magnitudes_a is not None and item.configuration.n_magnetic:
        lengths = {LENGTH: length_rows(item, rows, references.moments_s, basis.species)}
    return {"energy": energy, "length": lengths}


def equations_of(
    items: Sequence[LabelledConfiguration], basis: ModelBasis, references: References
) -> dict[str, NormalEquations]:
    """Return the normal equations of every target, lengths included.

    Threads share the configurations; sums are taken in the order of `items`, so that the result does not depend on
    the number of threads.  Memory holds the rows of a few configurations, never all.
    """
    chunks = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
    work = partial(_chunk_equations, basis=basis, references=references)
    total: dict[str, NormalEquations] = {}
    with one_blas_thread(), ThreadPoolExecutor(worker_count()) as pool:
        for group in _grouped(chunks, 2 * worker_count()):
            for part in pool.map(work, group):
                total = merge_sums(total, part)
    return total


def merge_sums(left: Mapping[str, NormalEquations], right: Mapping[str, NormalEquations]) -> dict[str, NormalEquations]:
    """Return the equations of both sets of data."""
    shared = {target: left[target] + right[target] for target in left.keys() & right.keys()}
    return {**left, **right, **shared}


def _chunk_equations(
    items: Sequence[LabelledConfiguration], basis: ModelBasis, references: References
) -> dict[str, NormalEquations]:
    parts: dict[str, list[tuple[FloatArray, FloatArray, FloatArray]]] = {}
    for item in items:
        for rows in labelled_rows(item, basis, references).values():
            for target, (rows_km, values_k) in rows.items():
                factors_k = np.full(len(values_k), item.noise_factor)
                parts.setdefault(target, []).append((rows_km, values_k, factors_k))
    return {
        target: NormalEquations.from_rows(*(np.concatenate(arrays) for arrays in zip(*pairs, strict=True)))
        for target, pairs in parts.items()
    }


def _grouped(
    chunks: Sequence[Sequence[LabelledConfiguration]], size: int
) -> Iterator[Sequence[Sequence[LabelledConfiguration]]]:
    for start in range(0, len(chunks), size):
        yield chunks[start : start + size]
