"""Every output of the three packages is written beside its target and renamed; new writers are found in the source."""

import ast
import os
from pathlib import Path

import pytest
from compiled_models import fitted, iron_model
from matplotlib.figure import Figure
from spin_cells import heisenberg_dataset, heisenberg_label, skewed_iron

from soso_core import InputError
from soso_core.app.plots import save_figure
from soso_core.formats import (
    write_configurations,
    write_dataset,
    write_deepmd,
    write_embset,
    write_file,
)
from soso_core.formats.atoms import atoms_from_configuration
from soso_core.formats.extxyz import write_atoms
from soso_core.gp.model.model_file import save_model

ROOT = Path(__file__).parents[3]
PACKAGES = ("soso_core", "soso_workflows", "workchains")
ATOMIC = {"atomic_write", "atomic_folder"}
METHODS = {"write_text", "write_bytes", "savefig", "tofile", "to_csv", "rename", "symlink_to", "hardlink_to"}
"""Methods that write or move files, whatever they are called on."""
FUNCTIONS = {
    "np": {"save", "savez", "savez_compressed", "savetxt"},
    "zipfile": {"ZipFile"},
    "shutil": {"copy", "copy2", "copyfile", "copytree", "move"},
    "os": {"rename", "replace", "link", "symlink"},
    "json": {"dump"},
    "pickle": {"dump"},
    "ase": {"write"},
}
NAMES = {"ase_write", "write_xyz"}
NOT_OUTPUTS = {
    "soso_core/app/plots.py:svg_text": "memory",
    "soso_core/engines/abinit/engine.py:prepare": "the temporary folder of a run",
    "soso_core/engines/abinit/engine.py:_keep": "a new folder for each failed run",
    "soso_core/engines/abinit/process.py:run": "the log in the temporary folder of a run",
    "soso_core/formats/deepmd_write.py:_write_system": "inside the folder that write_deepmd renames",
    "soso_core/formats/deepmd_write.py:_write_lines": "inside the folder that write_deepmd renames",
    "soso_workflows/calculations/base.py:write_settings": "AiiDA's sandbox folder",
    "soso_workflows/calculations/explore.py:write_inputs": "AiiDA's sandbox folder",
    "soso_workflows/parsers/base.py:parse": "a temporary folder",
    "soso_workflows/data/model.py:_load": "a temporary folder",
}


class _Writers(ast.NodeVisitor):
    """Collects the functions that write a file other than a temporary one of atomic_write or atomic_folder."""

    def __init__(self) -> None:
        self.function, self.temporary, self.found = "", set(), set()

    def visit_FunctionDef(self, node):
        outer, self.function = (self.function, self.temporary), node.name
        self.temporary = set(self.temporary)
        self.generic_visit(node)
        self.function, self.temporary = outer

    def visit_With(self, node):
        for item in node.items:
            call, name = item.context_expr, item.optional_vars
            if isinstance(call, ast.Call) and isinstance(name, ast.Name):
                is_atomic = isinstance(call.func, ast.Name) and call.func.id in ATOMIC
                if is_atomic or (_writes(call) and self._is_temporary(call)):
                    self.temporary.add(name.id)
        self.generic_visit(node)

    def visit_Call(self, node):
        if _writes(node) and not self._is_temporary(node):
            self.found.add(self.function)
        self.generic_visit(node)

    def _is_temporary(self, call):
        """Whether the object that is called, or an argument, is such a temporary path."""
        places = [call.func.value] if isinstance(call.func, ast.Attribute) else []
        parts = (part for place in (*places, *call.args[:1]) for part in ast.walk(place))
        return any(isinstance(part, ast.Name) and part.id in self.temporary for part in parts)


def _writes(call):
    func = call.func
    if isinstance(func, ast.Name):
        return func.id in NAMES or (func.id == "open" and _mode_writes(call, 1))
    if not isinstance(func, ast.Attribute):
        return False
    if func.attr == "open" and _mode_writes(call, 1 if isinstance(func.value, ast.Name) and len(call.args) > 1 else 0):
        return True
    owner = func.value.id if isinstance(func.value, ast.Name) else ""
    is_yaml = func.attr in ("dump", "safe_dump") and owner == "yaml" and len(call.args) > 1
    return func.attr in METHODS or func.attr in FUNCTIONS.get(owner, ()) or is_yaml


def _mode_writes(call, position):
    given = [word.value for word in call.keywords if word.arg == "mode"] or call.args[position : position + 1]
    return any(isinstance(part, ast.Constant) and set(str(part.value)) & set("wax+") for part in given)


def writers_of(text):
    """The names of the functions in a source text that write past atomic_write and atomic_folder."""
    visitor = _Writers()
    visitor.visit(ast.parse(text))
    return visitor.found


def test_no_function_writes_straight_into_its_target():
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    found = {
        f"{path.relative_to(ROOT)}:{name}" for path in files for name in writers_of(path.read_text(encoding="utf8"))
    }
    assert found - set(NOT_OUTPUTS) == set(), "write with soso_core.formats.write_file or atomic_write"
    assert set(NOT_OUTPUTS) - found == set(), "these write no file any more"


@pytest.mark.parametrize(
    "body",
    [
        "path.write_text('x')",
        "open(path, 'w').write('x')",
        "open(path, mode='a').write('x')",
        "path.open('wb').write(b'x')",
        "np.save(path, array)",
        "json.dump(values, handle)",
        "figure.savefig(path)",
        "shutil.copyfile(other, path)",
        "zipfile.ZipFile(path, 'w')",
        "with atomic_write(path) as temporary:\n        path.write_text('x')",
        "with atomic_write(path) as temporary, zipfile.ZipFile(path, 'w') as archive:\n        pass",
    ],
)
def test_the_search_finds_a_writer(body):
    assert writers_of(f"def f(path):\n    {body}\n") == {"f"}


@pytest.mark.parametrize(
    "body",
    [
        "return path.read_text()",
        "open(path).read()",
        "path.open('rb').read()",
        "with atomic_write(path) as temporary:\n        temporary.write_text('x')",
        "with atomic_folder(path, ours) as folder:\n        (folder / 'a').write_text('x')",
        "with atomic_write(path) as part, zipfile.ZipFile(part, 'w') as archive:\n        archive.open(entry, 'w')",
    ],
)
def test_the_search_finds_nothing_else(body):
    assert writers_of(f"def f(path):\n    {body}\n") == set()


def _figure(title):
    figure = Figure()
    figure.suptitle(title)
    return figure


def _of_two_sizes(seed):
    return heisenberg_dataset([skewed_iron(seed, 2), skewed_iron(seed + 1, 4)])


ONE, OTHER = heisenberg_label(skewed_iron(0)), heisenberg_label(skewed_iron(1))
CASES = {
    "a text": ("out.txt", write_file, "one", "other"),
    "bytes": ("out.bin", write_file, b"one", b"other"),
    "labels": ("out.extxyz", write_dataset, [ONE], [OTHER]),
    "configurations": ("out.extxyz", write_configurations, [ONE.configuration], [OTHER.configuration]),
    "frames": ("o.xyz", write_atoms, *([atoms_from_configuration(item.configuration)] for item in (ONE, OTHER))),
    "an EMBSET": ("EMBSET", write_embset, [ONE], [OTHER]),
    "a DeePMD-kit folder": ("out.deepmd", write_deepmd, [ONE], [OTHER]),
    "DeePMD-kit systems": ("out.deepmd", write_deepmd, _of_two_sizes(0), _of_two_sizes(2)),
    "a model": ("model.soso", save_model, iron_model, lambda: fitted("pairs of zeta 1")),
    "a figure": ("out.png", save_figure, lambda: _figure("one"), lambda: _figure("other")),
}


@pytest.fixture(params=sorted(CASES))
def writer(request, tmp_path):
    """A target that exists, its files linked under other names, and a function that writes another content."""
    name, write, *contents = CASES[request.param]
    one, other = (content() if callable(content) else content for content in contents)
    target = tmp_path / "here" / name
    target.parent.mkdir()
    write(target, one)
    for k, file in enumerate(_files(target)):
        os.link(file, tmp_path / f"link{k}")
    return target, lambda: write(target, other)


def _files(target):
    return [target] if target.is_file() else sorted(path for path in target.rglob("*") if path.is_file())


def _contents(target):
    return {path: path.read_bytes() for path in _files(target)}


def test_a_failure_at_the_last_moment_leaves_the_old_output(writer, monkeypatch):
    target, write = writer
    before = _contents(target)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    for name in ("replace", "rename"):
        monkeypatch.setattr(Path, name, refuse)
        monkeypatch.setattr(os, name, refuse)
    with pytest.raises(InputError, match="No space left on device"):
        write()
    assert _contents(target) == before
    assert list(target.parent.iterdir()) == [target]


def test_the_old_file_is_replaced_and_never_changed(writer, tmp_path):
    target, write = writer
    before = list(_contents(target).values())
    write()
    links = sorted(tmp_path.glob("link*"), key=lambda path: int(path.name.removeprefix("link")))
    assert [path.read_bytes() for path in links] == before
    assert list(_contents(target).values()) != before
    assert list(target.parent.iterdir()) == [target]
