"""The page on the architecture lists the packages, layers and entry points of pyproject.toml."""

import re
import sys

import pytest
from pages import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = (ROOT / "docs" / "topics" / "architecture.md").read_text(encoding="utf8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
GROUPS = [group for group in PROJECT["project"]["entry-points"] if group.startswith("aiida.")]
LAYERS = [
    contract["layers"] for contract in PROJECT["tool"]["importlinter"]["contracts"] if contract["type"] == "layers"
]


def first_words(block: str) -> list[set[str]]:
    """Return the package names in the first column of each line of a text block, without `soso_workflows.`."""
    columns = [re.split(r" {3,}", line)[0] for line in block.strip().splitlines()]
    return [{name.strip().removeprefix("soso_workflows").lstrip(".") for name in re.split(r"[,|]", c)} for c in columns]


@pytest.mark.parametrize("group", GROUPS)
def test_entry_points_are_listed(group):
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `aiida.") and f"`{group}`" in line]
    names = set(re.findall(r"`([^`]+)`", row.split("|")[2]))
    assert names == set(PROJECT["project"]["entry-points"][group])


@pytest.mark.parametrize(("place", "layers"), enumerate(LAYERS))
def test_layers_are_those_that_are_enforced(place, layers):
    block = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[place]
    enforced = [{name.strip(" ()").removeprefix("soso_workflows.") for name in layer.split("|")} for layer in layers]
    assert [words for words in first_words(block) if words != {"values"}] == enforced
