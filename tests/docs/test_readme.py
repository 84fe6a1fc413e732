"""The example of the README runs, and its commands have their inputs."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner
from pages import ROOT, blocks

from soso_core.app.cli import main

FILE = re.compile(r"[\w.]+\.(?:extxyz|soso|yaml|deepmd)\b")


def test_python_example_runs(tmp_path):
    examples = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    assert len(examples) == 1
    (tmp_path / "example.py").write_text(examples[0].text, encoding="utf8")
    done = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("predicted ")
    assert (tmp_path / "iron.soso").stat().st_size > 0


@pytest.mark.parametrize("where", ["README.md", "soso --help"])
def test_every_input_is_an_output_of_a_command_before(where):
    """The tutorial has explore.yaml; what is to be predicted is any file."""
    text = CliRunner().invoke(main, ["--help"]).output if where != "README.md" else _shell_block()
    text = text.partition("Labels from other programs")[0]
    there = {"explore.yaml", "any.extxyz"}
    commands = [line.strip() for line in text.splitlines() if line.strip().startswith("soso ")]
    assert len(commands) >= 7
    for line in commands:
        words = re.split(r" #|  ", line)[0].split()
        written = {words[k + 1] for k, word in enumerate(words) if word in ("-o", "--plot", "--calibrate", "--clean")}
        assert {word for word in words if FILE.fullmatch(word)} - written <= there, line
        there |= written


def _shell_block():
    return next(b.text for b in blocks(ROOT / "README.md") if b.language == "bash" and "soso generate" in b.text)
