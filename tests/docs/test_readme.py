"""The example of the README runs."""

import subprocess
import sys

from pages import ROOT, blocks


def test_python_example_runs(tmp_path):
    examples = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    assert len(examples) == 1
    (tmp_path / "example.py").write_text(examples[0].text, encoding="utf8")
    done = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("predicted ")
    assert (tmp_path / "iron.soso").stat().st_size > 0
