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
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]
LAYERS = [
    contract["layers"]
    for containers in (None, ["soso_core"])  # in the order of the page
    for contract in CONTRACTS
    if contract["type"] == "layers" and contract.get("containers") == containers
]


def first_words(block: str) -> list[set[str]]:
    """Return the package names in the first column of each line of a text block, without `soso_workflows.`."""
    return [names_in(re.split(r" {3,}", line)[0]) for line in block.strip().splitlines()]


def names_in(layer: str) -> set[str]:
    """Return the names of a layer, which | separates, without `soso_workflows.`."""
    return {name.strip(" ()").removeprefix("soso_workflows").lstrip(".") for name in layer.split("|")}


@pytest.mark.parametrize("group", GROUPS)
def test_entry_points_are_listed(group):
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `aiida.") and f"`{group}`" in line]
    names = set(re.findall(r"`([^`]+)`", row.split("|")[2]))
    assert names == set(PROJECT["project"]["entry-points"][group])


@pytest.mark.parametrize(("place", "layers"), enumerate(LAYERS))
def test_layers_are_those_that_are_enforced(place, layers):
    block = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[place]
    enforced = [{"values"} if " : " in layer else names_in(layer) for layer in layers]
    assert first_words(block) == enforced
