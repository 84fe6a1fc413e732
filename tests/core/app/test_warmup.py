"""`soso warmup` reports its steps, with a model and without, and compiles every kernel that later runs call."""

import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

import soso_core
from soso_core.app.warmup_command import warmup
from soso_core.gp.model.model_file import save_model

SUPPORT = Path(soso_core.__file__).parents[1] / "tests" / "support"


def test_without_a_model():
    result = CliRunner().invoke(warmup, [])
    assert result.exit_code == 0, result.output
    for step in ("fitting", "prediction", "compiled models", "Monte Carlo", "all kernels are compiled"):
        assert step in result.output


def test_with_a_model_of_two_species(alloy_model, tmp_path):
    save_model(tmp_path / "m.soso", alloy_model)
    result = CliRunner().invoke(warmup, [str(tmp_path / "m.soso")])
    assert result.exit_code == 0, result.output
    assert "fitting" not in result.output


def test_nothing_is_left_to_compile(tmp_path):
    """After a warm-up, no command needs a kernel for other types: in a new process, whatever its cache holds."""
    command = [sys.executable, str(SUPPORT / "kernel_signatures.py")]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    assert out[-1] == "done"
    assert out[:-1] == []
