"""`soso study`: rehearse a campaign on labels that are there already."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any

import click
import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from soso_core.active.offline.pool import Pool, make_pool
from soso_core.active.offline.replay import Run, Strategy, replay
from soso_core.active.offline.study import (
    LabelKind,
    Mean,
    StudySettings,
    Summary,
    check_budget,
    groups,
    held_out,
    labels_at_hand,
    pool_data,
    summary,
)
from soso_core.app.progress import progress_bar
from soso_core.app.tables import number, print_table
from soso_core.arrays import IntArray
from soso_core.dataset import Dataset
from soso_core.errors import InputError, SosoError
from soso_core.formats import atomic_write, read_dataset
from soso_core.gp.inference.defaults import choose_settings
from soso_core.gp.model.settings import FitSettings
from soso_core.settings import parse_settings, read_yaml
from soso_core.symmetry.equivalence import equivalence_classes
from soso_core.threads import worker_count

RUNS, RESULT = "runs", "study.json"
ERRORS = {
    "energy": "energy",
    "largest": "energy_largest",
    "worst group": "worst_group",
    "field": "field",
    "largest field": "field_largest",
}
"""Columns of the table of errors; those that nothing is known of are left out."""
RULES = 8
"""Raised when the policy or the replay changes: runs that were kept under other rules are made again."""
POOL_SEED = 0
"""Draws the inducing points, which all runs share."""


class Stopped(SosoError):
    """A run that was told to stop."""


class StudyFile(BaseModel):
    """What study.json holds: settings, the fit's too, what the runs say together, and every run."""

    model_config = ConfigDict(frozen=True)

    data: str
    n_configurations: int
    settings: StudySettings
    fit: Mapping[str, FitSettings]
    summaries: tuple[Summary, ...]
    runs: Mapping[str, tuple[Run, ...]]


@dataclass(frozen=True, eq=False)
class Task:
    """One run to make: the pool it replays and the file it is kept in."""

    pool: Pool
    labels: LabelKind
    strategy: Strategy
    seed: int
    file: Path

    def kept(self) -> Run | None:
        """Return the run when it was made before."""
        try:
            return Run.model_validate_json(self.file.read_bytes())
        except (OSError, ValidationError):
            return None


@dataclass(frozen=True, eq=False)
class Similar:
    """What belongs together: `twins_k` (k,) numbers what symmetry does not tell apart alike; a name of each's group."""

    twins_k: IntArray
    groups_k: tuple[str, ...]


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder of the results.")
@click.option("--settings", type=click.Path(path_type=Path), help="YAML file: strategies, policy, fit, ...")
@click.option("--seeds", type=click.IntRange(min=1), help="Runs of each strategy.  [default: 20]")
@click.option("--energies-only", is_flag=True, help="Do not look at exchange fields.")
@click.option("--group-by", help="Fact of the labels that divides DATA; errors of the worst group are shown, too.")
@click.option("--held-out", type=click.FloatRange(0.0, 0.8), help="Share that is never chosen, and tested on.")
def study(
    data: Path,
    output: Path,
    settings: Path | None,
    seeds: int | None,
    energies_only: bool,
    group_by: str | None,
    held_out: float | None,
) -> None:
    """Replay the whole policy on DATA, of which every label is known: choose, test blind, train, decide.

    Each strategy runs with many seeds against random choice, on energies alone and, where DATA have them, with exchange
    fields.  The table says how many labels each needs to reach a target, and its errors on everything that is left.
    Writes study.json and learning curves to the folder.  Runs that are there already are not repeated: after Ctrl-C the
    same command goes on.

    \b
    Example:
      soso study labelled.extxyz -o study
      soso study labelled.extxyz -o study --settings study.yaml --seeds 40
    with study.yaml:
      strategies: [mean-variance, energy-variance, farthest-point, random]
      targets: [1.7, 1.5]
      policy: {n_initial: 4, batch_size: 2, max_labels: 30, target_energy_meV_per_spin: 1.7}
      fit: {n_inducing: 60}
    """
    from soso_core.app.plots import save_figure, study_figure

    labels_given = ["energies"] if energies_only else None
    overruled = {"n_seeds": seeds, "held_out": held_out, "labels": labels_given, "group_by": group_by}
    values, fit_given = _settings(settings, {key: value for key, value in overruled.items() if value is not None})
    dataset = read_dataset(data)
    check_budget(len(dataset), values)
    similar = Similar(equivalence_classes([item.configuration for item in dataset]), groups(dataset, values.group_by))
    parts = {labels: pool_data(dataset, labels) for labels in labels_at_hand(dataset, values.labels)}
    fits: dict[str, FitSettings] = {
        labels: _fit_settings(part, fit_given, str(settings)) for labels, part in parts.items()
    }
    folder = _folder(output)
    found: list[Summary] = []
    runs: dict[str, tuple[Run, ...]] = {}
    for labels, part in parts.items():
        by_strategy = _all_runs(part, labels, fits[labels], values, similar, folder)
        target = values.policy.target_energy_meV_per_spin
        save_figure(output / f"curves_{labels}.png", study_figure(by_strategy, target, f"{data.name}, {labels}"))
        here = [summary(labels, each, values) for each in by_strategy.values()]
        print_summaries(here, values, labels)
        found += here
        runs |= {f"{labels} {name}": tuple(each) for name, each in by_strategy.items()}
    result = StudyFile(
        data=data.name, n_configurations=len(dataset), settings=values, fit=fits, summaries=tuple(found), runs=runs
    )
    with atomic_write(output / RESULT) as temporary:
        temporary.write_text(result.model_dump_json(indent=1), encoding="utf8")
    click.echo(f"{values.n_seeds} runs of each strategy on {len(dataset)} configurations written to {output}")


def print_summaries(found: Sequence[Summary], settings: StudySettings, labels: str) -> None:
    """Print labels needed, errors at some counts, and how the policy stopped."""
    print_needed(found, settings, labels)
    columns = {heading: key for heading, key in ERRORS.items() if any(getattr(item.at[0], key) for item in found)}
    tested = "held out" if settings.held_out else "left"
    title = f"errors on what is {tested}, {labels} (meV/spin; meV)"
    print_table(title, ("labels", "strategy", *columns), _error_rows(found, settings.counts, columns.values()))
    stops = [
        (
            item.strategy,
            ", ".join(f"{name} {n}" for name, n in item.stops.reasons.items()),
            _mean(item.stops.labels, 1),
            f"{item.stops.n_honest}/{item.stops.n_met}",
        )
        for item in found
    ]
    title = f"where the policy stops, target {settings.policy.target_energy_meV_per_spin:g} meV/spin"
    print_table(title, ("strategy", "why", "labels", "met and true"), stops)


def print_needed(found: Sequence[Summary], settings: StudySettings, labels: str) -> None:
    """Print how many labels each strategy needs to reach each target."""
    random = next((item for item in found if item.strategy == "random"), None)
    rows = []
    for t, target in enumerate(settings.targets):
        reference = None if random is None else random.needed[t].labels
        for item in found:
            need = item.needed[t]
            reached = f"{need.n_reached}/{need.labels.n}"
            name = f"{target:g} meV/spin"
            rows.append((name, item.strategy, _mean(need.labels, 1), reached, _against(need.labels, reference)))
    print_table(f"price of a target, {labels}", ("target", "strategy", "labels", "reached", "of random"), rows)


def _error_rows(found: Sequence[Summary], counts: Sequence[int], keys: Iterable[str]) -> list[tuple[str, ...]]:
    steps = [(at, item.strategy) for item in found for at in item.at if at.n_labels in counts]
    return [
        (str(at.n_labels), strategy, *(_mean(getattr(at, key), 2) for key in keys))
        for at, strategy in sorted(steps, key=lambda step: step[0].n_labels)
    ]


def _all_runs(
    part: Dataset,
    labels: LabelKind,
    fit: FitSettings,
    settings: StudySettings,
    similar: Similar,
    folder: Path,
) -> dict[Strategy, list[Run]]:
    """Return the runs of every strategy by seed; those that are not kept yet are made, and kept as soon as they are."""
    pool = make_pool(part, fit, np.random.default_rng(POOL_SEED))
    key = sha256(
        f"{RULES} {part.fingerprint} {fit.model_dump_json()} {settings.policy.model_dump_json()} {settings.held_out} "
        f"{similar.groups_k}".encode()
    )
    tasks = [
        Task(pool, labels, strategy, seed, folder / f"{key.hexdigest()[:12]}_{labels}_{strategy}_{seed:03d}.json")
        for seed in range(settings.n_seeds)
        for strategy in settings.strategies
    ]
    done: dict[tuple[Strategy, int], Run] = {}
    with progress_bar() as progress:
        bar = progress.add_task(f"replaying, {labels}", total=len(tasks))
        for task, run in _made(tasks, settings, similar):
            done[task.strategy, task.seed] = run
            progress.advance(bar)
    return {strategy: [done[strategy, seed] for seed in range(settings.n_seeds)] for strategy in settings.strategies}


def _made(tasks: Sequence[Task], settings: StudySettings, similar: Similar) -> Iterator[tuple[Task, Run]]:
    """Yield every task with its run; on Ctrl-C the runs that are under way stop at their next fit."""
    stop = Event()

    def go_on() -> None:
        if stop.is_set():
            raise Stopped("stopped")

    def work(task: Task) -> Run:
        return task.kept() or _make(task, settings, similar, go_on)

    with ThreadPoolExecutor(worker_count()) as threads:
        futures = {threads.submit(work, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            stop.set()
            threads.shutdown(wait=True, cancel_futures=True)


def _make(task: Task, settings: StudySettings, similar: Similar, go_on: Callable[[], None]) -> Run:
    out = held_out(len(task.pool), settings, task.seed)
    run = replay(task.pool, task.strategy, settings.policy, task.seed, similar.twins_k, out, similar.groups_k, go_on)
    with atomic_write(task.file) as temporary:
        temporary.write_text(run.model_dump_json(), encoding="utf8")
    return run


def _settings(path: Path | None, overruled: Mapping[str, Any]) -> tuple[StudySettings, Any]:
    """Return the settings of a study and what its file says of the fit."""
    given = {} if path is None else read_yaml(path)
    fit_given = given.pop("fit", {})
    return parse_settings(StudySettings, {**given, **overruled}, str(path or "settings")), fit_given


def _fit_settings(part: Dataset, given: Any, source: str) -> FitSettings:
    if not isinstance(given, dict):
        raise InputError(f"{source}: fit: expected keys and values")
    chosen = choose_settings(part).model_dump()
    for key, value in given.items():
        both = isinstance(value, dict) and isinstance(chosen.get(key), dict)
        chosen[key] = {**chosen[key], **value} if both else value
    return parse_settings(FitSettings, chosen, f"{source}: fit")


def _folder(output: Path) -> Path:
    try:
        (output / RUNS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror}") from None
    return output / RUNS


def _mean(value: Mean | None, digits: int) -> str:
    """Return a mean with its error; one value alone has none."""
    if value is None:
        return "-"
    return number(value.mean, digits) + (f"±{number(value.error, digits)}" if value.n > 1 else "")


def _against(value: Mean, reference: Mean | None) -> str:
    return "-" if reference is None else f"{100.0 * value.mean / reference.mean:.0f} %"
