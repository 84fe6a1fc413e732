"""soso_core needs no AiiDA: every module imports with `aiida` made unavailable."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
sys.modules["aiida"] = None
import soso_core
names = [m.name for m in pkgutil.walk_packages(soso_core.__path__, "soso_core.")]
for name in names:
    importlib.import_module(name)
assert len(names) > 20, names
"""


def test_import_with_aiida_blocked():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
