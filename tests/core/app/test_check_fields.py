"""`soso check-fields`: a table, and an exit status that tells a right engine from a wrong one."""

from pathlib import Path

import numpy as np
import pytest

from soso_core.app import check_fields_command
from soso_core.engines import Engine, load_engine
from soso_core.formats import read_dataset
from soso_core.labels import LabelledConfiguration
from soso_core.settings import Settings


class Scale(Settings):
    """Settings of an engine whose fields and forces are off by a factor."""

    factor: float = 1.0


def label(configuration, settings):
    """An atom in a field along z, and on a spring."""
    spins_ac, positions_ac = configuration.spins_ac, configuration.positions_ac
    return LabelledConfiguration(
        configuration,
        energy=float(-0.1 * spins_ac[:, 2].sum() + 0.5 * np.sum(positions_ac**2)),
        exchange_fields_ac=settings.factor * np.tile([0.0, 0.0, 0.05], (len(spins_ac), 1)),
        moment_magnitudes_a=np.full(len(spins_ac), 2.0),
        forces_ac=-settings.factor * positions_ac,
    )


def load_engine_or_stand_in(name):
    return Engine(Scale, lambda *_: None, label) if name == "stand-in" else load_engine(name)


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    monkeypatch.setattr(check_fields_command, "load_engine", load_engine_or_stand_in)


def test_a_right_engine(desk):
    outcome = desk("check-fields", "stand-in", "batch.extxyz", "--forces", "-o", "labels.extxyz")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert [line.split()[-1] for line in outcome.stdout.splitlines() if line.startswith((" field", " force"))] == [
        "1.00000",
        "1.00000",
    ]
    assert outcome.stdout.endswith("within 2 % of 1\n")
    assert len(read_dataset("labels.extxyz")) == 5


def test_fields_that_are_half_of_what_they_should_be(desk):
    Path("half.yaml").write_text("factor: 0.5\n", encoding="utf8")
    outcome = desk("check-fields", "stand-in", "batch.extxyz", "--settings", "half.yaml", "--index", "1", "--atom", "0")
    assert outcome.status == 1
    assert " 0.50000 " in outcome.stdout
    assert outcome.stdout.endswith("not within 2 % of 1\n")


def test_a_wider_tolerance(desk):
    Path("near.yaml").write_text("factor: 0.97\n", encoding="utf8")
    words = ("check-fields", "stand-in", "batch.extxyz", "--settings", "near.yaml", "--angle", "2")
    assert desk(*words).status == 1
    assert desk(*words, "--tolerance", "4").status == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("crystal-ball", "batch.extxyz"), "unknown engine 'crystal-ball'; available: tight-binding"),
        (("stand-in", "batch.extxyz", "--index", "99"), "batch.extxyz: there is no configuration 99"),
        (("stand-in", "batch.extxyz", "--atom", "99"), "there is no atom 99"),
        (("stand-in", "batch.extxyz", "-o", "batch.extxyz"), "input and output are the same"),
    ],
)
def test_what_makes_no_sense_is_refused(desk, words, message):
    outcome = desk("check-fields", *words)
    assert outcome.status == 2
    assert message in outcome.stderr
    assert outcome.stderr.count("\n") == 1
