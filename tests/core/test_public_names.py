"""The names that soso_core exports: each exists, type checkers see the same ones, and importing them is not eager."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import soso_core


@pytest.mark.parametrize("name", soso_core.__all__)
def test_name_exists_and_has_a_docstring(name):
    value = getattr(soso_core, name)
    assert value.__name__ == name
    assert len((value.__doc__ or "").strip()) > 20
    assert name in dir(soso_core)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(soso_core.__file__).read_text(encoding="utf8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: line.module for line in block.body for alias in line.names}
    assert seen == soso_core._MODULES


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"soso_core.*no attribute 'fits'"):
        _ = soso_core.fits


def test_import_loads_no_numerics():
    program = "import sys, soso_core; print(*({'numpy', 'numba', 'ase', 'pydantic', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
