"""`soso label`: converged labels are kept, the others named; interruptions lose nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from soso_core.app import label_command
from soso_core.engines import Engine
from soso_core.errors import ConvergenceError, InputError
from soso_core.formats import read_dataset
from soso_core.formats.extxyz import read_atoms, write_atoms
from soso_core.labels import LabelledConfiguration
from soso_core.settings import Settings

HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""What is started in the background of a shell would inherit that Ctrl-C is ignored."""
SOSO = (sys.executable, "-c", f"{HEARS}; from soso_core.app.cli import main; main()")


class NoSettings(Settings):
    """An engine that cannot be set."""


@pytest.fixture
def engine(monkeypatch):
    """Install an engine whose n-th call raises what `faults` holds under n; returns `faults` and the calls made.

    A fault under the word "check" is what its check raises at the last configuration.
    """
    faults, calls, checked = {}, [], []

    def check(configuration, settings):
        checked.append(configuration)
        if len(checked) == 3 and "check" in faults:
            raise faults["check"]

    def label(configuration, settings):
        calls.append(configuration)
        if (fault := faults.get(len(calls) - 1)) is not None:
            raise fault
        return LabelledConfiguration(configuration, energy=-float(len(calls)), info={"scf_residual": 1e-6})

    monkeypatch.setattr(label_command, "load_engine", lambda name: Engine(NoSettings, check, label))
    return faults, calls


def run(desk):
    return desk("label", "stand-in", "batch.extxyz", "-o", "out.extxyz")


def test_all_converged(desk, engine):
    outcome = run(desk)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert [item.energy for item in read_dataset("out.extxyz")] == [-1.0, -2.0, -3.0]
    assert "3 of 3 configurations labelled" in outcome.stdout


def test_info_of_the_input_is_carried_along(desk, engine):
    frames = read_atoms("batch.extxyz")
    for i, frame in enumerate(frames):
        frame.info.update(generator="cone", rank=i, scf_residual=99.0)
    write_atoms("batch.extxyz", frames)
    run(desk)
    for i, item in enumerate(read_dataset("out.extxyz")):
        assert dict(item.info) == {"generator": "cone", "rank": i, "scf_residual": 1e-6}


def test_a_failure_is_named_and_left_out_and_the_rest_kept(desk, engine):
    engine[0][1] = ConvergenceError("residual 0.3 after 40 steps")
    outcome = run(desk)
    assert outcome.status == 3
    assert outcome.stderr == "soso: batch.extxyz, configuration 1: residual 0.3 after 40 steps\n"
    assert [item.energy for item in read_dataset("out.extxyz")] == [-1.0, -3.0]
    assert "2 of 3 configurations labelled" in outcome.stdout


def test_when_none_converges_nothing_is_written(desk, engine):
    engine[0].update({n: ConvergenceError("residual [0.3]") for n in range(3)})
    outcome = run(desk)
    assert outcome.status == 3
    assert outcome.stderr.count("residual [0.3]\n") == outcome.stderr.count("\n") == 3
    assert "out.extxyz was not written" in outcome.stdout
    assert not Path("out.extxyz").exists()


def test_input_an_engine_refuses(desk, engine):
    engine[0][2] = InputError("no parameters for Xe")
    outcome = run(desk)
    assert outcome.status == 2
    assert outcome.stderr == "soso: error: batch.extxyz, configuration 2: no parameters for Xe\n"
    assert len(read_dataset("out.extxyz")) == 2


def test_ctrl_c_is_one_line_and_keeps_what_is_done(desk, engine):
    engine[0][2] = KeyboardInterrupt()
    outcome = run(desk)
    assert (outcome.status, outcome.stderr) == (130, "soso: error: interrupted\n")
    assert len(read_dataset("out.extxyz")) == 2
    assert not [name for name in desk.names() if name.endswith(".part")]


def test_every_configuration_is_checked_before_the_first_is_labelled(desk, engine):
    text = Path("batch.extxyz").read_text().splitlines()
    text[-1] = " ".join([*text[-1].split()[:4], "0", "0", "1.3"])
    Path("batch.extxyz").write_text("\n".join(text))
    assert "configuration 2: spin of atom 3" in desk.refuses("label", "stand-in", "batch.extxyz", "-o", "out")
    assert engine[1] == []


def test_the_engine_sees_every_configuration_before_the_first_is_labelled(desk, engine):
    engine[0]["check"] = InputError("no parameters for Xe")
    said = desk.refuses("label", "stand-in", "batch.extxyz", "-o", "out.extxyz")
    assert "batch.extxyz, configuration 2: no parameters for Xe" in said
    assert engine[1] == []


def test_the_embedded_engine_checks_species_and_distances(desk):
    frames = read_atoms("batch.extxyz")
    frames[2].positions[1] = frames[2].positions[0] + 0.3
    write_atoms("close.extxyz", frames)
    frames[1].symbols[0] = "Xe"
    write_atoms("foreign.extxyz", frames)
    said = desk.refuses("label", "tight-binding", "close.extxyz", "-o", "out.extxyz")
    assert "close.extxyz, configuration 2: atoms 0 and 1 are 0.52 Å apart" in said
    said = desk.refuses("label", "tight-binding", "foreign.extxyz", "-o", "out.extxyz")
    assert "foreign.extxyz, configuration 1: atom 0 is Xe" in said


def test_the_embedded_engine_labels_through_the_command(desk):
    Path("engine.yaml").write_text("k_mesh: [2, 2, 2]\n")
    outcome = desk("label", "tight-binding", "batch.extxyz", "-o", "out.extxyz", "--settings", "engine.yaml")
    assert outcome.status in (0, 3)
    for item in read_dataset("out.extxyz"):
        assert item.energy is not None
        assert item.exchange_fields_ac is not None
        assert item.info["engine"] == "tight-binding"


def test_abinit_that_is_missing_is_said_before_anything_is_computed(desk):
    Path("engine.yaml").write_text("command: /nowhere/abinit\n")
    said = desk.refuses("label", "abinit", "batch.extxyz", "-o", "out.extxyz", "--settings", "engine.yaml")
    assert "ABINIT is not installed: there is no program '/nowhere/abinit'" in said


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_to_a_real_process(desk, number, status):
    """A long list of cells; the signal comes once the first label is on disk."""
    Path("long.extxyz").write_text(Path("batch.extxyz").read_text() * 200)
    Path("engine.yaml").write_text("k_mesh: [2, 2, 2]\n")
    words = ("label", "tight-binding", "long.extxyz", "-o", "out.extxyz", "--settings", "engine.yaml")
    process = subprocess.Popen([*SOSO, *words], stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    deadline = time.monotonic() + 50.0
    while not Path("out.extxyz").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == status
    assert said.count("\n") <= (1 if number == signal.SIGINT else 0), said
    assert len(read_dataset("out.extxyz")) >= 1
    assert not [name for name in desk.names() if name.endswith(".part")]


def test_engines_are_imported_when_they_are_asked_for():
    """A job that labels needs one; the import of all of them was a tenth of a small label."""
    asked = "import sys; from soso_core.engines import ENGINES, load_engine; load_engine('tight-binding'); "
    there = "assert 'gpaw' in ENGINES and 'soso_core.engines.gpaw' not in sys.modules"
    subprocess.run([sys.executable, "-c", asked + there], check=True)
