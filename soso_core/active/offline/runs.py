"""The runs of an offline study: made in threads, each kept in a file as soon as it is made.

The name of a file contains a digest of everything that determines the run: the labels, the settings, and the source of
the packages that compute it.  A run that is kept is not repeated, so an interrupted study resumes.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Event

import numpy as np
from pydantic import ValidationError

import soso_core
from soso_core.active.offline.pool import make_pool
from soso_core.active.offline.replay import Run, replay
from soso_core.active.offline.study import LabelKind, StudySettings, held_out
from soso_core.active.selection.acquisition import Acquisition
from soso_core.arrays import IntArray
from soso_core.dataset import Dataset
from soso_core.errors import SosoError
from soso_core.formats import write_file
from soso_core.gp.model.settings import FitSettings
from soso_core.threads import worker_count

POOL_SEED = 0
"""Draws the inducing points, which all runs share."""
PACKAGES = ("active", "descriptors", "gp", "kernels")
"""Packages of `soso_core` whose source determines a run."""


class Stopped(SosoError):
    """A run that was interrupted."""


@dataclass(frozen=True, eq=False)
class StudyData:
    """One kind of label of a pool: classes_k (k,) number the symmetry classes, groups_k name groups or are empty."""

    part: Dataset
    labels: LabelKind
    fit: FitSettings
    classes_k: IntArray
    groups_k: tuple[str, ...]


@cache
def source_digest() -> str:
    """Return a digest of the source files that determine a run."""
    root, digest = Path(soso_core.__file__).parent, sha256()
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def make_runs(
    data: StudyData, settings: StudySettings, folder: Path, begin: Callable[[int], Callable[[], None]]
) -> Mapping[Acquisition, list[Run]]:
    """Return the runs of every acquisition function, by seed.

    Runs are read from `folder` where they are kept; the others are made and written there.  `begin` is called with the
    number of runs, and the function that it returns after each of them.  After an interruption (Ctrl-C) the runs in
    progress stop at their next fit.
    """
    pool, stop = make_pool(data.part, data.fit, np.random.default_rng(POOL_SEED)), Event()
    key = _key(data, settings)
    tasks = [(acquisition, seed) for seed in range(settings.n_seeds) for acquisition in settings.acquisitions]

    def go_on() -> None:
        if stop.is_set():
            raise Stopped("stopped")

    def work(task: tuple[Acquisition, int]) -> Run:
        acquisition, seed = task
        file = folder / f"{key}_{data.labels}_{acquisition}_{seed:03d}.json"
        if (kept := _read(file)) is not None:
            return kept
        out, share = held_out(len(pool), settings, seed), settings.variance_fraction
        run = replay(pool, acquisition, settings.policy, seed, data.classes_k, out, data.groups_k, go_on, share)
        write_file(file, run.model_dump_json())
        return run

    done: dict[tuple[Acquisition, int], Run] = {}
    advance = begin(len(tasks))
    with ThreadPoolExecutor(worker_count()) as threads:
        futures = {threads.submit(work, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                done[futures[future]] = future.result()
                advance()
        finally:
            stop.set()
            threads.shutdown(wait=True, cancel_futures=True)
    return {name: [done[name, seed] for seed in range(settings.n_seeds)] for name in settings.acquisitions}


def _key(data: StudyData, settings: StudySettings) -> str:
    """Return the digest in the names of the files: seeds and acquisition functions have their own place there."""
    own = settings.model_dump_json(include={"policy", "held_out", "variance_fraction"})
    parts = (source_digest(), data.part.fingerprint, data.fit.model_dump_json(), own, str(data.groups_k))
    return sha256(" ".join(parts).encode()).hexdigest()[:12]


def _read(file: Path) -> Run | None:
    """Return the run that a file holds; None when there is no such file or it holds something else."""
    try:
        return Run.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
