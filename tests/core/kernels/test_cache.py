"""Compiled code on disk is used again only while the sources of all kernels are the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import soso_core
from soso_core.kernels import _jit

ACCEPTANCE = "math.exp(-change)"
RUN = """
import numpy as np
from soso_core.kernels import _jit
from soso_core.kernels.monte_carlo.sweeps import PairTable, sweep_spins
from soso_core.kernels.monte_carlo.proposals import NAME

table = PairTable(np.array([0, 1, 2]), np.array([1, 0]), np.array([[-1.0], [-1.0]]), np.zeros((2, 3)))
spins_ac = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
arguments = np.arange(2), spins_ac, None, np.random.default_rng(0), np.empty(100), np.empty((100, 3))
n_accepted = sweep_spins(-1.0, table, NAME(5.0, 0.5, False), *arguments)
print(_jit.__file__, n_accepted, len(sweep_spins.stats.cache_misses))
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package without compiled code."""
    source = Path(soso_core.__file__).parent
    return shutil.copytree(source, tmp_path / "soso_core", ignore=shutil.ignore_patterns("__pycache__"))


def run(package, name="Proposal"):
    """Return how many of 200 proposals a new process accepts, and how many signatures it compiles."""
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    command = [sys.executable, "-c", RUN.replace("NAME", name)]  # the current folder comes first in the search path
    out = subprocess.run(command, env=environment, cwd=package.parent, capture_output=True, text=True, check=True)
    file, n_accepted, n_compiled = out.stdout.split()
    assert Path(file).parent.parent == package
    return int(n_accepted), int(n_compiled)


def test_a_changed_leaf_reaches_its_callers_and_a_touched_file_does_not(package):
    leaf, caller = (package / f"kernels/monte_carlo/{name}.py" for name in ("proposals", "sweeps"))
    before = run(package)
    assert before[1] == 1
    for file in (leaf, caller):
        os.utime(file, (0, 0))
    assert run(package) == (before[0], 0), "other times of the same files: found on disk"
    text = leaf.read_text(encoding="utf-8")
    assert text.count(ACCEPTANCE) == 1
    leaf.write_text(text.replace(ACCEPTANCE, "math.exp(-100.0 * change)"), encoding="utf-8")
    for file in (leaf, caller):  # the index on disk names a type that is gone
        file.write_text(file.read_text(encoding="utf-8").replace("Proposal", "Renamed"), encoding="utf-8")
    after = run(package, "Renamed")
    assert after[1] == 1
    assert after[0] < before[0] - 20


def test_the_cache_of_this_numba_is_used(recwarn):
    kernel = _jit.jit(lambda: 1)
    assert not recwarn
    assert kernel._cache._cache_file._source_stamp == _jit._source_stamp(__file__)


def test_without_the_private_classes_kernels_work_uncached(monkeypatch):
    monkeypatch.delattr(numba.core.caching, "IndexDataCacheFile")
    with pytest.warns(RuntimeWarning, match="cannot keep compiled kernels on disk"):
        assert _jit.jit(lambda: 2)() == 2
