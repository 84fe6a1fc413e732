"""`soso study`: replay campaigns on labelled data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from soso_core.app.progress import progress_bar
from soso_core.app.tables import number, print_table
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.formats import read_dataset, write_file
from soso_core.settings import merge_keys, parse_settings, read_yaml

if TYPE_CHECKING:
    from soso_core.active.offline.replay import Run
    from soso_core.active.offline.study import Mean, StudySettings, Summary
    from soso_core.gp.model.settings import FitSettings

RUNS, RESULT = "runs", "study.json"
ERRORS = {
    "energy": "energy",
    "largest": "energy_largest",
    "worst group": "worst_group",
    "field": "field",
    "largest field": "field_largest",
}
"""Columns of the table of errors; columns without values are left out."""


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder of the results.")
@click.option("--settings", type=click.Path(path_type=Path), help="YAML file: acquisitions, policy, fit, ...")
@click.option("--seeds", type=click.IntRange(min=1), help="Runs of each acquisition function.  [default: 20]")
@click.option("--energies-only", is_flag=True, help="Ignore exchange fields.")
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
    """Replay campaigns on DATA, of which every label is known: choose a batch, test blind, fit, decide.

    Each acquisition function runs with many seeds beside random choice, on energies alone and, where DATA have them,
    with exchange fields.  The tables give the labels needed to reach a target, the errors on everything not chosen, and
    the ends of the runs.  Writes study.json and learning curves to the folder.  Runs that are kept there are not
    repeated: after Ctrl-C the same command resumes the study.

    \b
    Example:
      soso study labelled.extxyz -o study
      soso study labelled.extxyz -o study --settings study.yaml --seeds 40
    with study.yaml:
      acquisitions: [energy-variance, mean-variance, random]
      targets: [1.7, 1.5]
      policy: {n_initial: 4, batch_size: 2, max_labels: 30, target_energy_meV_per_spin: 1.7}
      fit: {n_inducing: 60}
    """
    from soso_core.active.offline.runs import StudyData, make_runs
    from soso_core.active.offline.study import StudyFile, check_budget, groups, labels_at_hand, pool_data, summary
    from soso_core.app.plots import save_figure, study_figure
    from soso_core.symmetry.equivalence import equivalence_classes

    labels_given = ["energies"] if energies_only else None
    overruled = {"n_seeds": seeds, "held_out": held_out, "labels": labels_given, "group_by": group_by}
    values, fit_given = _settings(settings, {key: value for key, value in overruled.items() if value is not None})
    dataset = read_dataset(data)
    check_budget(len(dataset), values)
    classes_k = equivalence_classes([item.configuration for item in dataset])
    groups_k = groups(dataset, values.group_by)
    parts = {labels: pool_data(dataset, labels) for labels in labels_at_hand(dataset, values.labels)}
    fits: dict[str, FitSettings] = {
        labels: _fit_settings(part, fit_given, str(settings)) for labels, part in parts.items()
    }
    folder = _folder(output)
    found: list[Summary] = []
    runs: dict[str, tuple[Run, ...]] = {}
    for labels, part in parts.items():
        data_of_part = StudyData(part, labels, fits[labels], classes_k, groups_k)
        with progress_bar() as progress:
            runs_of = make_runs(data_of_part, values, folder, partial(_follow, progress, f"replaying, {labels}"))
        target = values.policy.target_energy_meV_per_spin
        save_figure(output / f"curves_{labels}.png", study_figure(runs_of, target, f"{data.name}, {labels}"))
        here = [summary(labels, each, values) for each in runs_of.values()]
        print_summaries(here, values, labels)
        found += here
        runs |= {f"{labels} {name}": tuple(each) for name, each in runs_of.items()}
    result = StudyFile(
        data=data.name, n_configurations=len(dataset), settings=values, fit=fits, summaries=tuple(found), runs=runs
    )
    write_file(output / RESULT, result.model_dump_json(indent=1))
    noun = "run" if values.n_seeds == 1 else "runs"
    click.echo(f"{values.n_seeds} {noun} of each acquisition function on {len(dataset)} configurations: {output}")


def _follow(progress: Progress, title: str, n_runs: int) -> Callable[[], None]:
    """Show a bar of `n_runs` steps and return the function that advances it."""
    return partial(progress.advance, progress.add_task(title, total=n_runs))


def print_summaries(found: Sequence[Summary], settings: StudySettings, labels: str) -> None:
    """Print the labels needed, the errors at some counts, and the ends of the runs."""
    print_needed(found, settings, labels)
    columns = {heading: key for heading, key in ERRORS.items() if any(getattr(item.at[0], key) for item in found)}
    tested = "held out" if settings.held_out else "not chosen"
    title = f"errors on configurations {tested}, {labels} (meV/spin; meV)"
    if rows := _error_rows(found, settings.counts, columns.values()):
        print_table(title, ("labels", "acquisition", *columns), rows)
    elif settings.counts:
        click.echo(f"{title}:\n{_explain_missing(found, settings.counts)}\n")
    stops = [
        (
            item.acquisition,
            ", ".join(f"{name} {n}" for name, n in item.stops.reasons.items()),
            _mean(item.stops.labels, 1),
            f"{item.stops.n_right}/{item.stops.n_met}",
            str(item.stops.n_missed),
        )
        for item in found
    ]
    title = f"ends of the runs, target {settings.policy.target_energy_meV_per_spin:g} meV/spin"
    print_table(title, ("acquisition", "end", "labels", "met and true", "met unnoticed"), stops)


def print_needed(found: Sequence[Summary], settings: StudySettings, labels: str) -> None:
    """Print the labels that each acquisition function needs to reach each target."""
    random = next((item for item in found if item.acquisition == "random"), None)
    rows = []
    for t, target in enumerate(settings.targets):
        reference = None if random is None else random.needed[t].labels
        for item in found:
            need = item.needed[t]
            reached = f"{need.n_reached}/{need.labels.n}"
            name = f"{target:g} meV/spin"
            of_random = "-" if reference is None else f"{100.0 * need.labels.mean / reference.mean:.0f} %"
            rows.append((name, item.acquisition, _mean(need.labels, 1), reached, of_random))
    headings = ("target", "acquisition", "labels", "reached", "of random")
    print_table(f"labels to reach a target, {labels}", headings, rows)


def _error_rows(found: Sequence[Summary], counts: Sequence[int], keys: Iterable[str]) -> list[tuple[str, ...]]:
    steps = [(at, item.acquisition) for item in found for at in item.at if at.n_labels in counts]
    return [
        (str(at.n_labels), acquisition, *(_mean(getattr(at, key), 2) for key in keys))
        for at, acquisition in sorted(steps, key=lambda step: step[0].n_labels)
    ]


def _explain_missing(found: Sequence[Summary], counts: Sequence[int]) -> str:
    """Return why there are no errors at these counts of labels: the runs are shorter, or no step has one of them."""
    *first, last = map(str, sorted(counts))
    listed = f"{', '.join(first)} or {last}" if first else last
    most = max(at.n_labels for item in found for at in item.at)
    return f"no run {'reaches' if most < min(counts) else 'has a step with'} {listed} labels"


def _settings(path: Path | None, overruled: Mapping[str, Any]) -> tuple[StudySettings, Any]:
    """Return the settings of a study, and the section `fit` of its file."""
    from soso_core.active.offline.study import StudySettings

    given = {} if path is None else read_yaml(path)
    fit_given = given.pop("fit", {})
    return parse_settings(StudySettings, {**given, **overruled}, str(path or "settings")), fit_given


def _fit_settings(part: Dataset, given: Any, source: str) -> FitSettings:
    from soso_core.gp.inference.defaults import choose_settings
    from soso_core.gp.model.settings import FitSettings

    if not isinstance(given, dict):
        raise InputError(f"{source}: fit: expected keys and values")
    return parse_settings(FitSettings, merge_keys(choose_settings(part).model_dump(), given), f"{source}: fit")


def _folder(output: Path) -> Path:
    try:
        (output / RUNS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror}") from None
    return output / RUNS


def _mean(value: Mean | None, digits: int) -> str:
    """Return a mean with its standard error, which one value does not have."""
    if value is None:
        return "-"
    return number(value.mean, digits) + (f"±{number(value.error, digits)}" if value.n > 1 else "")
