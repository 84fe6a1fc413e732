"""Words that the glossary replaces occur neither in the code nor in messages nor on pages."""

import re
from pathlib import Path

import pytest
from pages import ROOT, pages

REPLACED = {
    "collapsed covariance": r"collapsed (covariance|head|form)|compiled head",
    "lower_mm": r"\blower_mm\b",
}
"""For each replaced word, a pattern."""

ALLOWED = {
    "twins": r"slow|readable|reference|kernel",
}
"""Other senses: an occurrence is allowed when its line has this."""

ALLOWED_FILES = {
    "docs/glossary.md": "the list itself",
    "soso_core/settings.py": "old keys of settings, which an error names",
}

FILES = [
    path
    for folder in ("soso_core", "soso_workflows", "workchains")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".yaml"}
]


def lines_with(pattern: str, allowed: str | None, path: Path) -> list[str]:
    """Return the lines of a file that match, with their place."""
    found = [
        (number, line)
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), start=1)
        if re.search(pattern, line, re.IGNORECASE) and not (allowed and re.search(allowed, line, re.IGNORECASE))
    ]
    return [f"{path.relative_to(ROOT)}:{number}: {line.strip()}" for number, line in found]


@pytest.mark.parametrize("word", REPLACED)
def test_replaced_word_does_not_occur(word):
    searched = [path for path in [*FILES, *pages()] if str(path.relative_to(ROOT)) not in ALLOWED_FILES]
    found = [line for path in searched for line in lines_with(REPLACED[word], ALLOWED.get(word), path)]
    assert not found, "\n".join(found)


def test_the_search_finds_a_word(tmp_path):
    assert len(FILES) > 200
    page = ROOT / "docs" / "glossary.md"
    assert lines_with(r"effective field", None, page)
    assert not lines_with(r"effective field", r"effective_fields_ac", page)
