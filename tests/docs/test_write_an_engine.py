"""The page on new engines: its program, engine, entry points, campaign and harness are used as they stand there."""

import importlib
import os
import re
import sys

import label_contract as contract
import pytest
from aiida.plugins import WorkflowFactory
from aiida.tools.pytest_fixtures import entry_points  # noqa: F401
from ase.build import bulk
from pages import ROOT, blocks

from soso_core.errors import InputError
from soso_workflows.campaign.campaign_file import describe, read_campaign

pytestmark = pytest.mark.aiida

PAGE = ROOT / "docs" / "howto" / "write_an_engine.md"
LONGEST = 80
"""Lines; the page promises less."""


def block(language: str, start: str) -> str:
    """Return the one block of the page in this language that begins so."""
    (found,) = (item.text for item in blocks(PAGE) if item.language == language and item.text.startswith(start))
    return found


@pytest.fixture
def toy(tmp_path, monkeypatch, entry_points):  # noqa: F811
    """Install the page's engine in a folder of its own, for one test."""
    program = tmp_path / "toymag"
    program.write_text(block("python", "#!/usr/bin/env python3").replace("/usr/bin/env python3", sys.executable, 1))
    program.chmod(0o755)
    (tmp_path / "toy_engine.py").write_text(block("python", "# toy_engine.py"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for group, lines in re.findall(r'^\[project\.entry-points\."(.*)"\]\n((?:".*\n)+)', block("toml", "["), re.M):
        for name, value in re.findall(r'^"(.*)" = "(.*)"$', lines, re.M):
            entry_points.add(value, group=group, name=name)
    yield importlib.import_module("toy_engine")
    sys.modules.pop("toy_engine")


def test_it_is_as_short_as_promised():
    assert len(block("python", "# toy_engine.py").splitlines()) < LONGEST
    assert f"less than {LONGEST} lines" in PAGE.read_text(encoding="utf8").replace("\n", " ")


def test_it_fulfils_the_contract(toy, localhost, tmp_path):
    namespace = {}
    exec(compile(block("python", "# harness_toy.py"), str(PAGE), "exec"), namespace)
    harness = namespace["HARNESS"]
    assert harness.missing() is None
    engine = WorkflowFactory("soso.label.toy")
    assert engine is toy.ToyLabelWorkChain
    runs = contract.Runs(engine, harness, harness.code(contract.Bench(localhost, tmp_path, None)))
    for check in contract.CHECKS:
        check(runs)
    assert runs.of("impossible", runs.cell)[1].exit_status == 400
    assert "no moment is known for Og" in runs.of("impossible", runs.cell)[1].exit_message


def test_a_campaign_finds_it(toy, tmp_path):
    bulk("Fe", "bcc", a=2.85, cubic=True).write(tmp_path / "fe.cif")
    (tmp_path / "toy.yaml").write_text(block("yaml", "name: toy"))
    campaign = read_campaign(tmp_path / "toy.yaml")
    assert campaign.engine_settings == {"coupling_ev": 0.03, "moments_muB": {"Fe": 2.2}}
    assert describe(campaign)["engine"] == "soso.label.toy"
    with pytest.raises(InputError, match="no_such_key"):
        toy.ToyLabelWorkChain.validate_settings({"no_such_key": 1}, "toy.yaml")
    assert set(toy.ToyLabelWorkChain.inputs_from_settings({}, None)) <= set(toy.ToyLabelWorkChain.spec().inputs)


def test_the_checks_of_the_page_are_those_of_the_contract():
    page = PAGE.read_text(encoding="utf8")
    for check in contract.CHECKS:
        assert f"| {check.__name__.replace('_', ' ')} |" in page
