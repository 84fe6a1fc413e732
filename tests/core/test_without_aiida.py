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


def test_tests_of_the_core_need_no_aiida():
    program = "import sys, pytest\nsys.modules['aiida'] = None\nsys.exit(pytest.main(sys.argv[1:]))"
    words = ("-q", "--collect-only", "tests/core/values")
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
