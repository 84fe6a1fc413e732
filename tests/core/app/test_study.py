"""`soso study`: files, tables, going on after a stop, and faults in one line."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from spin_cells import heisenberg_label, random_spins, rigid_iron

from soso_core.active.offline import runs
from soso_core.app.cli import main
from soso_core.dataset import Dataset
from soso_core.formats import write_dataset

SETTINGS = """
acquisitions: [mean-variance, random]
n_seeds: 2
targets: [0.5]
counts: [5]
policy: {n_initial: 3, batch_size: 2, max_labels: 7, min_blind: 4}
fit:
  pair: {cutoff_angstrom: 3.5, n_max: 4, lambda_max: 2}
  three_body: {cutoff_angstrom: 3.5, n_max: 2, l_max: 2}
  n_inducing: 10
"""


@pytest.fixture
def study(tmp_path):
    """Return a function that runs the command on ten cells, and the folder it writes."""
    rng = np.random.default_rng(1)
    items = [heisenberg_label(rigid_iron(random_spins(8, rng))) for _ in range(10)]
    write_dataset(tmp_path / "pool.extxyz", Dataset(tuple(items)))
    (tmp_path / "study.yaml").write_text(SETTINGS)

    def run(*options):
        paths = [str(tmp_path / "pool.extxyz"), "-o", str(tmp_path / "out"), "--settings", str(tmp_path / "study.yaml")]
        return CliRunner().invoke(main, ["study", *paths, *options])

    return run, tmp_path / "out"


def test_writes_results_and_prints_tables(study):
    run, folder = study
    result = run()
    assert result.exit_code == 0, result.output
    found = json.loads((folder / "study.json").read_text())
    assert set(found["runs"]) == {
        f"{kind} {name}" for kind in ("energies", "fields") for name in ("mean-variance", "random")
    }
    assert [len(run["picks"]) for run in found["runs"]["fields random"]] == [7, 7]
    assert {path.name for path in folder.glob("*.png")} == {"curves_energies.png", "curves_fields.png"}
    for words in (
        "labels to reach a target, energies",
        "errors on configurations not chosen, fields",
        "ends of the runs",
        "mean-variance",
    ):
        assert words in result.output


def test_goes_on_where_it_was_stopped(study, monkeypatch):
    """A stop in the fifth run keeps the four before it (a sixth may have begun): only what is missing is made again."""
    run, folder = study
    made, replay = [], runs.replay

    def stopping(*arguments, **more):
        made.append(arguments[1:4])
        if len(made) == 5:
            raise KeyboardInterrupt
        return replay(*arguments, **more)

    monkeypatch.setenv("SOSO_NUM_THREADS", "1")
    monkeypatch.setattr(runs, "replay", stopping)
    assert run().exit_code == 130
    assert not (folder / "study.json").exists()
    n_kept, n_tried = len(list((folder / "runs").glob("*.json"))), len(made)
    assert n_kept >= 4
    assert run().exit_code == 0
    assert len(made) - n_tried == 8 - n_kept
    first, n_tried = (folder / "study.json").read_bytes(), len(made)
    assert run().exit_code == 0
    assert len(made) == n_tried
    assert (folder / "study.json").read_bytes() == first


def test_other_settings_do_not_take_old_runs(study):
    run, folder = study
    assert run("--energies-only", "--seeds", "1").exit_code == 0
    assert run("--energies-only", "--seeds", "1", "--held-out", "0.3").exit_code == 0
    assert len(list((folder / "runs").glob("*.json"))) == 4


def test_other_code_does_not_take_old_runs(study, monkeypatch):
    run, folder = study
    assert run("--energies-only", "--seeds", "1").exit_code == 0
    monkeypatch.setattr(runs, "source_digest", lambda: "another version")
    assert run("--energies-only", "--seeds", "1").exit_code == 0
    assert len(list((folder / "runs").glob("*.json"))) == 4


def test_one_seed_has_no_error(study):
    run, _ = study
    assert "±" in run("--energies-only").output
    alone = run("--energies-only", "--seeds", "1")
    assert alone.exit_code == 0
    assert "±" not in alone.output
    assert "1 run of each acquisition function" in alone.output


@pytest.mark.parametrize(
    ("counts", "words"), [("8, 12, 20", "no run reaches 8, 12 or 20 labels"), ("6", "no run has a step with 6 labels")]
)
def test_counts_without_a_step_are_explained(study, counts, words):
    run, folder = study
    (folder.parent / "study.yaml").write_text(SETTINGS.replace("counts: [5]", f"counts: [{counts}]"))
    result = run("--energies-only", "--seeds", "1")
    assert result.exit_code == 0
    assert words in result.output.splitlines()


@pytest.mark.parametrize("line", ["targets: [0.5, 0.5]", "counts: [5, 5]"])
def test_nothing_is_named_twice(study, line):
    run, folder = study
    path, key = folder.parent / "study.yaml", line.partition(":")[0]
    path.write_text(re.sub(f"^{key}: .*$", line, SETTINGS, flags=re.M))
    result = run()
    assert result.exit_code == 2
    assert result.output.strip().endswith(f"{key} contains duplicates")


def test_a_pool_that_is_too_small(study):
    run, _ = study
    result = run("--held-out", "0.8")
    assert result.exit_code == 2
    assert "the first batch is 3, but there are only 2 configurations" in result.output
