"""Files to feed to the `soso` command, and a way to run it inside the test."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from click.testing import CliRunner

from soso_core.app.cli import main
from soso_core.formats import write_configurations, write_dataset
from soso_core.gp.model.model_file import save_model


@dataclass(frozen=True)
class Outcome:
    """What a run of the command left behind."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Desk:
    """A folder with input files and the command to run in it."""

    folder: Path

    def __call__(self, *words: object) -> Outcome:
        """Run `soso` with these words; an unexpected exception fails the test."""
        result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def names(self) -> set[str]:
        """Names of all files."""
        return {path.name for path in self.folder.rglob("*")}

    def refuses(self, *words: object) -> str:
        """Run `soso`, check that it refuses cleanly, return its one line."""
        before = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        outcome = self(*words)
        assert outcome.status == 2, outcome
        assert outcome.stderr.startswith("soso: error: ")
        assert outcome.stderr.count("\n") == 1, outcome.stderr
        assert before == {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        return outcome.stderr


@pytest.fixture
def desk(tmp_path, monkeypatch, small_dataset, small_model):
    """A folder with train.extxyz, batch.extxyz (no labels), model.soso, fit.yaml, iron.cif, explore.yaml."""
    monkeypatch.chdir(tmp_path)
    write_dataset("train.extxyz", small_dataset)
    write_configurations("batch.extxyz", [item.configuration for item in small_dataset][:3])
    save_model("model.soso", small_model)
    Atoms("Fe2", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=2.86 * np.eye(3), pbc=True).write("iron.cif")
    write_yaml("fit.yaml", small_model.basis.settings.model_dump())
    write_yaml("explore.yaml", {"structure": "iron.cif", "supercell": [1, 1, 2], "n_candidates": 12, "n_select": 4})
    return Desk(tmp_path)


def write_yaml(name, values):
    Path(name).write_text(yaml.safe_dump(values))
