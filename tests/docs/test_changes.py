"""Change fragments have the form of changes/README.md; changelog, citation and package have one version."""

import re
from importlib.metadata import version

import pytest
import yaml
from pages import ROOT

from soso_core import __version__

NAME = re.compile(r"\d{4}\.[a-z]+\.md")
ITEM = re.compile(r"- (Added|Changed|Fixed|Removed) \S")


def has_form(name: str, text: str) -> bool:
    """Return whether a fragment has a valid name and consists of list items with a valid first word."""
    lines = text.splitlines()
    items = bool(lines) and bool(ITEM.match(lines[0]))
    return bool(NAME.fullmatch(name)) and items and all(ITEM.match(line) or line.startswith("  ") for line in lines)


def test_fragments_have_the_form():
    fragments = [path for path in (ROOT / "changes").iterdir() if path.name != "README.md"]
    wrong = [path.name for path in fragments if not has_form(path.name, path.read_text(encoding="utf8"))]
    assert not wrong


@pytest.mark.parametrize(
    ("name", "text", "valid"),
    [
        ("0017.names.md", "- Changed the name of a key.\n- Fixed a message\n  of two lines.\n", True),
        ("17.names.md", "- Changed the name of a key.\n", False),
        ("0017.md", "- Changed the name of a key.\n", False),
        ("0017.names.md", "- Renamed a key.\n", False),
        ("0017.names.md", "Changed the name of a key.\n", False),
        ("0017.names.md", "- Changed the name of a key.\nIt is new.\n", False),
        ("0017.names.md", "", False),
    ],
)
def test_form_of_a_fragment(name, text, valid):
    assert has_form(name, text) == valid


def test_the_package_has_one_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    newest = re.search(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf8"), re.MULTILINE)
    assert {str(citation["version"]), newest[1], version("aiida-soso")} == {__version__}


def test_citation_has_the_keys_of_the_format():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert any(item["value"] == "arXiv:2403.10769" for item in paper["identifiers"])
