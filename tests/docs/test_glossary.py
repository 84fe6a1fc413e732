"""Words that the glossary replaces occur neither in the code nor in messages nor on pages."""

import re
from pathlib import Path

import pytest
from pages import ROOT, pages

REPLACED = {
    "spin gradient": r"spin[ _]gradients?",
    "moment length": r"moment[ _]lengths?|lengths? of (the )?moments?",
    "trust": r"\btrust(ed|s)?\b|by_trust",
    "worth": r"\bworth\b|least_worth|only_if_worth_it",
    "twin": r"\btwins?\b",
    "stretch": r"\bstretch(ed|es)?\b",
    "belief": r"\bbelie(f|fs|ved?|ves|vable)\b",
    "rehearsal": r"\brehears\w*",
    "strategy": r"\bstrateg(y|ies)\b",
    "the floor": r"\bthe floor\b|suspects_floor|is_at_floor",
    "health": r"\bhealth\b",
    "ENDS": r"(?-i:\bENDS\b)|define_ends",
    "bill, book": r"\bbills?\b|\bbooks?\b|close_books",
    "told, said, speaks": r"\b(tells?|told|says?|said|speaks?|spoken|teach(es)?|taught|listen(s|ers?)?|heard)\b",
    "learnt": r"\b(learnt|learned)\b",
    "knows": r"\b(know|knows|knew)\b|\bnobody\b",
    "what-clauses": r"\bwhat (it|its|they|we|this|each|every|no|one|the|an?|is|are|was|were|has|have|to)\b",
    "-dE/de": r"[-−]dE/de",
    "anew, mend, dear": r"\b(anew|mend(s|ed)?|dear)\b",
    "again is harmless": r"again is harmless",
    "trial": r"\bis_taken\b|\btrials?\b",
    "collapsed covariance": r"collapsed (covariance|head|form)|compiled head",
    "lower_mm": r"\blower_mm\b",
}
"""For each replaced word, a pattern."""

ALLOWED = {
    "spin gradient": r"^soso_core/kernels/vector/",  # accumulators of ∂E/∂e, with the sign of a gradient
    "twin": r"slow, readable|reference",  # the tests' versions of the kernels
}
"""Other senses: an occurrence is allowed where place and line match."""

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
    """Return the lines of a file that match the pattern but not what is allowed, each with its place."""
    place, lines = path.relative_to(ROOT), path.read_text(encoding="utf8").splitlines()
    found = [
        f"{place}:{n}: {line.strip()}" for n, line in enumerate(lines, 1) if re.search(pattern, line, re.IGNORECASE)
    ]
    return [line for line in found if not (allowed and re.search(allowed, line, re.IGNORECASE))]


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


def test_identifiers_of_the_glossary_exist():
    sources = "\n".join(path.read_text(encoding="utf8") for path in [*FILES, ROOT / "pyproject.toml"])
    rows = [
        line for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf8").splitlines() if line[:2] == "| "
    ]
    names = [name for row in rows for name in re.findall(r"`([^`]+)`", row.rsplit("|", 2)[1])]
    assert len(names) > 30
    assert not [name for name in names if re.split(r"[ .]", name.rstrip("/"))[-1] not in sources]
