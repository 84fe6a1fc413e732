"""Change fragments keep to changes/README.md; the citation file says what pyproject.toml says."""

import re

import yaml
from pages import ROOT

from soso_core import __version__

NAME = re.compile(r"\d{4}\.[a-z]+\.md")
ITEM = re.compile(r"- (Added|Changed|Fixed|Removed) \S")


def test_fragments_keep_to_the_form():
    fragments = [path for path in (ROOT / "changes").iterdir() if path.name != "README.md"]
    for fragment in fragments:
        assert NAME.fullmatch(fragment.name), fragment.name
        lines = fragment.read_text(encoding="utf8").splitlines()
        assert all(ITEM.match(line) or line.startswith("  ") for line in lines), fragment.name
        assert ITEM.match(lines[0]), fragment.name


def test_citation_matches_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert str(citation["version"]) == __version__
    (paper,) = citation["references"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert any(item["value"] == "arXiv:2403.10769" for item in paper["identifiers"])
