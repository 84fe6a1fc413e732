"""Every tutorial runs: its Python and shell blocks, in order, in one folder and one namespace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, Block, blocks

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))


def first_model(namespace: dict) -> None:
    """Assert what the text says of its numbers; "several times" is at least twice."""
    errors = namespace["errors"]
    spiral = json.loads(Path("spiral_errors.json").read_text(encoding="utf8"))
    assert errors["field_rmse_meV"] < errors["pair_only"]["field_rmse_meV"]
    assert namespace["exchange"]["mean_r"][0] < 0.0
    assert namespace["spiral_std"] > 2.0 * errors["energy_std_meV_per_spin"]
    assert spiral["energy_rmse_meV_per_spin"] > 2.0 * errors["energy_rmse_meV_per_spin"]


CLAIMS = {"first_model": first_model}


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorial_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    namespace = {}
    runnable = [block for block in blocks(page) if block.language in ("python", "bash")]
    assert {block.language for block in runnable} == {"python", "bash"}
    for block in runnable:
        _run(page, block, namespace)
    CLAIMS[page.stem](namespace)


def _run(page: Path, block: Block, namespace: dict) -> None:
    if block.language == "python":
        code = "\n" * (block.line - 1) + block.text  # so that a traceback names the line of the page
        exec(compile(code, str(page), "exec"), namespace)
        return
    done = subprocess.run(["bash", "-euc", block.text], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, f"{page.name}, line {block.line}: {done.stderr}"
