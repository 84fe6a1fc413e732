"""Every section of the theory names its module and its test, and both are there."""

import ast
import importlib
import re

import pytest
from pages import ROOT

PAGE = ROOT / "docs" / "topics" / "theory.md"
WITHOUT_MODULE = {"Theory"}
SECTIONS = {
    title: text
    for title, text in re.findall(r"^#+ ([^\n]+)\n(.*?)(?=^#+ |\Z)", PAGE.read_text(encoding="utf8"), re.M | re.S)
    if title not in WITHOUT_MODULE
}


def names_after(label: str, text: str) -> list[str]:
    """Return the backquoted names of the list item that begins with `label`."""
    item = re.search(rf"^- {label}: (.*(?:\n  .*)*)", text, re.M)
    return re.findall(r"`([^`]+)`", item[1]) if item else []


@pytest.mark.parametrize("title", SECTIONS)
def test_section_names_its_modules(title):
    modules = names_after("Module", SECTIONS[title])
    assert modules
    for module in modules:
        importlib.import_module(module)


@pytest.mark.parametrize("title", SECTIONS)
def test_section_names_its_tests(title):
    tests = [name for name in names_after("Test", SECTIONS[title]) if name.startswith("tests/")]
    assert tests
    for name in tests:
        path, _, function = name.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf8"))
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert any(item.startswith("test_") for item in defined), path
        assert not function or function in defined, name
