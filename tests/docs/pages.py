"""What the tests of the documentation share: the pages, their code blocks, their links, their tables."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TOP_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "changes/README.md")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One fenced block of a page: its language, its text, the line its text begins at."""

    language: str
    text: str
    line: int


def pages() -> list[Path]:
    """Return every page that people read, as absolute paths."""
    docs = (path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
    return [*(ROOT / name for name in TOP_PAGES), *sorted(docs)]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order."""
    text = page.read_text(encoding="utf8")
    for match in FENCE.finditer(text):
        yield Block(match[1], match[2], text[: match.start(2)].count("\n") + 1)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf8"))


def table_after(page: Path, marker: str) -> list[list[str]]:
    """Return the rows (without the heading) of the first table after the line `marker`."""
    _, found, rest = page.read_text(encoding="utf8").partition(f"{marker}\n")
    assert found, f"{page.name} lacks the line {marker}"
    lines = rest.lstrip("\n").split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines[2:]]
