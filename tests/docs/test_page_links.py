"""Every relative link, and every path and module named in the text, is there."""

import importlib
import re

import pytest
from pages import ROOT, pages, prose

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
FOLDERS = ("soso_core/", "soso_workflows/", "workchains/", "tests/", "docs/", "benchmarks/", "changes/", ".ci/")
MODULE = re.compile(r"(?:soso_core|soso_workflows|soso_workchains)(?:\.\w+)+")
MADE = ("docs/_build",)
"""Paths that a make target makes."""


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    targets = [link for link in LINK.findall(prose(page)) if "://" not in link]
    missing = [link for link in targets if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_named_paths_exist(page):
    named = [code.split("::")[0] for code in CODE.findall(prose(page)) if code.startswith(FOLDERS) and " " not in code]
    paths = [path for path in named if not path.startswith(MADE) and "<" not in path]
    missing = [path for path in paths if not list(ROOT.glob(path.rstrip("/")))]
    assert not missing


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_named_modules_and_objects_exist(page):
    names = {code for code in CODE.findall(prose(page)) if MODULE.fullmatch(code)}
    missing = sorted(name for name in names if not _exists(name))
    assert not missing


def _exists(dotted: str) -> bool:
    """Whether a module, or an attribute chain below one, has this name."""
    parts = dotted.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            found = getattr(found, part, getattr(found, "__dataclass_fields__", {}).get(part))
        return found is not None
    return False
