"""The page of the Python interface lists the names that soso_core exports, each once."""

import re

from pages import ROOT

import soso_core

DIRECTIVE = re.compile(r"^\.\. auto(?:class|function|exception):: (\w+)", re.MULTILINE)


def test_page_lists_the_exported_names():
    text = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf8")
    assert sorted(DIRECTIVE.findall(text)) == soso_core.__all__
