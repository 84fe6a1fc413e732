"""Sphinx extension that prepares the docstrings of the code for autodoc.

In the code, `name` marks code, vertical bars are magnitudes, and plain paragraphs may follow a list of parameters.
A table from symbol to variable begins with the word symbol.
"""

import re
from typing import Any

from sphinx.application import Sphinx

CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
HEADING = re.compile(r"[A-Z]\w+\n-{3,}$", re.MULTILINE)
ITEM = re.compile(r"[\w, *]+ : ")
ARRAY = re.compile(r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[~?[\w.]+\]\]")
MODULE = re.compile(r"~[\w.]+\.(?=\w)")


def prepare(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Rewrite the lines of a docstring in place, before napoleon reads its sections."""
    lines[:] = paragraphs_first(tables_literal(escaped("\n".join(lines)))).split("\n")


def shorten(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Return signature and return annotation with `array` for NumPy arrays and without module names."""
    parts = (part and MODULE.sub("", ARRAY.sub("array", part)) for part in (signature, returns))
    first, second = parts
    return first, second


def escaped(text: str) -> str:
    """Return the text with literals and vertical bars as reStructuredText writes them."""
    parts = re.split(r"(``[^`]+``)", CODE.sub(r"``\1``", text))
    return "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)


def tables_literal(text: str) -> str:
    """Return the text with every table from symbol to variable as a literal block."""
    blocks = [block.split("\n") for block in text.split("\n\n")]
    literal = ("::\n\n" + "\n".join(f"    {line}" for line in rows) for rows in blocks)
    return "\n\n".join(
        changed if rows[0].startswith("symbol ") else "\n".join(rows)
        for rows, changed in zip(blocks, literal, strict=True)
    )


def paragraphs_first(text: str) -> str:
    """Return the text with the plain paragraphs that follow its first section moved before it."""
    blocks = text.split("\n\n")
    first = next((k for k, block in enumerate(blocks) if HEADING.match(block)), len(blocks))
    plain = [block for block in blocks[first:] if not (HEADING.match(block) or ITEM.match(block) or block[:1] == " ")]
    return "\n\n".join([*blocks[:first], *plain, *(block for block in blocks[first:] if block not in plain), ""])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to autodoc."""
    app.connect("autodoc-process-docstring", prepare, priority=100)
    app.connect("autodoc-process-signature", shorten)
    return {"parallel_read_safe": True}
