"""Lines of prose end before column 121; tables, code, formulas and lines that begin with a link may be longer."""

import pytest
from pages import ROOT, pages

LONGEST = 120


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_of_prose_are_wrapped(page):
    is_code, long = False, []
    for number, line in enumerate(page.read_text(encoding="utf8").splitlines(), start=1):
        is_code ^= line.lstrip().startswith("```")
        if len(line) > LONGEST and not is_code and not line.startswith(("|", "$", "\\", "[")):
            long.append(number)
    assert not long
