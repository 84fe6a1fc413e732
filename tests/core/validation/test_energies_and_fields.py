"""The check of a file for fields that are the derivative of the energy up to a factor only."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from spin_cells import complete_dataset, skewed_iron

from soso_core.app.cli import main
from soso_core.formats import write_dataset
from soso_core.formats.atoms import atoms_from_labelled
from soso_core.validation import Kind, check_frames


def frames(field_scale=1.0, n=10):
    return [
        atoms_from_labelled(item)
        for item in complete_dataset([skewed_iron(seed) for seed in range(n)], field_scale=field_scale)
    ]


@pytest.mark.parametrize("field_scale", [0.5, 2.0])
def test_a_factor_is_found(field_scale):
    (found,) = check_frames(frames(field_scale))
    assert (found.kind, found.configuration, found.array) == (Kind.FIELD_SCALE, None, "fields")
    assert found.value == pytest.approx(field_scale, rel=0.1)
    assert "times the fields of the labels (from 10 configurations)" in found.line("a.xyz")
    assert "\n" not in found.text


def test_labels_that_agree_are_left_alone():
    assert check_frames(frames()) == []


def test_configurations_that_are_at_fault_have_no_say():
    """Two wild energies would hide the factor; they are reported themselves, and left out."""
    given = frames(2.0, n=12)
    for k in (2, 5):
        given[k].calc.results["energy"] += 50.0
    kinds = [item.kind for item in check_frames(given)]
    assert kinds.count(Kind.ENERGY_OUTLIER) == 2
    (found,) = (item for item in check_frames(given) if item.kind is Kind.FIELD_SCALE)
    assert "(from 10 configurations)" in found.text


def test_too_few_labels_say_nothing():
    assert check_frames(frames(2.0, n=5)) == []


def test_the_command_says_so(tmp_path):
    write_dataset(tmp_path / "a.extxyz", complete_dataset([skewed_iron(s) for s in range(10)], field_scale=2.0))
    words = ["data", "check", str(tmp_path / "a.extxyz"), "--json", str(tmp_path / "a.json")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "a.extxyz: -∂E/∂e from the energies is 2.0" in result.output
    (finding,) = json.loads((tmp_path / "a.json").read_text())["findings"]
    assert finding["kind"] == "field_scale"
    assert np.isclose(finding["value"], 2.0, rtol=0.1)
