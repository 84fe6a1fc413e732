"""From runs to labels, with a stand-in for the program: conditions, the second attempt, the messages of failures."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from soso_core.configuration import Configuration
from soso_core.engines.abinit import AbinitSettings, check, label
from soso_core.engines.abinit.gates import agreement, check_output, make_label
from soso_core.engines.abinit.output_file import AbinitError, parse_output
from soso_core.errors import ConvergenceError, InputError
from soso_core.quality import grade_of

STORED = Path(__file__).parents[2] / "data" / "abinit"
OUTPUT = parse_output((STORED / "converged.abo").read_text(encoding="utf8"), 2)
ANGLE, LATTICE = 0.5, 2.83
SPINS = np.array([[0.0, 0.0, 1.0], [np.sin(ANGLE), 0.0, np.cos(ANGLE)]])
POSITIONS = np.array([[0.0, 0.0, 0.0], [0.5 * LATTICE + 0.05, 0.5 * LATTICE, 0.5 * LATTICE]])
IRON = Configuration(np.array([26, 26]), POSITIONS, LATTICE * np.eye(3), SPINS)
"""The cell of the stored outputs."""

STAND_IN = """\
import pathlib, shutil, sys, time
here = pathlib.Path(__file__).parent
calls = here / "calls"
n = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as handle:
    handle.write(" ".join(pathlib.Path("run.abi").read_text().split()) + "\\n")
word = (here / "script").read_text().split()[n]
if word == "sleep":
    (here / "started").write_text("yes")
    time.sleep(60)
if word == "crash":
    print("--- !ERROR\\nsrc_file: x\\nmessage: |\\n    No bands\\n    at all\\n...")
    sys.exit(14)
text = (here / (word + ".abo")).read_text(encoding="utf8")
pathlib.Path("run.abo").write_text(text, encoding="utf8")
"""


def stalled(residual="1.000E-04", total_energy=None):
    """Return the stored output as if it had stopped at a small residual, perhaps in another energy (Hartree)."""
    text = (STORED / "converged.abo").read_text(encoding="utf8")
    text = re.sub(
        r"^ At SCF step.*=>converged\.$", "  nstep=   19 was not enough SCF cycles to converge;", text, flags=re.M
    )
    text = re.sub(r"^( ETOT 19 .*) 4\.801E-07 ", rf"\1 {residual} ", text, flags=re.M)
    if total_energy is not None:
        text = re.sub(r"^(total_energy +: +)\S+$", rf"\g<1>{total_energy}", text, flags=re.MULTILINE)
    return text


@pytest.fixture
def abinit(tmp_path):
    """Return a function that takes the words of a script, one for each run, and returns settings."""
    (tmp_path / "abinit.py").write_text(STAND_IN)
    (tmp_path / "psp").mkdir()
    (tmp_path / "psp" / "Fe.psp8").write_text("Fe\n 26.0 16.0 170801\n 8 11 2 4 600 0\n")
    for name in ("converged", "unconverged"):
        (tmp_path / f"{name}.abo").write_text((STORED / f"{name}.abo").read_text(encoding="utf8"))
    (tmp_path / "stalled.abo").write_text(stalled())
    (tmp_path / "elsewhere.abo").write_text(stalled("2.000E-04", "-248.9134"))
    (tmp_path / "cut.abo").write_text((STORED / "converged.abo").read_text(encoding="utf8")[:-20])

    def install(*words, **values):
        (tmp_path / "script").write_text(" ".join(words))
        command = f"{sys.executable} {tmp_path / 'abinit.py'}"
        return AbinitSettings(command=command, pseudopotential_folder=tmp_path / "psp", **values)

    return install


def calls(tmp_path):
    """Return the inputs of the runs, each as its words in one line."""
    return (tmp_path / "calls").read_text().splitlines()


def test_a_label(abinit, tmp_path):
    item = label(IRON, abinit("converged"))
    assert item.energy == OUTPUT.energy
    np.testing.assert_array_equal(item.forces_ac, OUTPUT.forces_ac)
    np.testing.assert_array_equal(item.stress_cc, OUTPUT.stress_cc)
    np.testing.assert_allclose(
        item.configuration.spins_ac * item.moment_magnitudes_a[:, None], OUTPUT.moments_ac, atol=1e-12
    )
    # ABINIT prints +dE/dm; at the achieved directions, to the digits printed, it has no part along the moment.
    np.testing.assert_allclose(item.exchange_fields_ac, -OUTPUT.gradients_ac, atol=1e-4)
    assert np.abs(item.exchange_fields_ac).max() > 0.05
    assert item.info["engine"] == "abinit"
    assert item.info["pseudopotentials"] == "Fe: Fe.psp8"
    assert grade_of(item.info) == "A"
    assert 0.0 < item.info["angle_degree"] < 0.01
    assert len(calls(tmp_path)) == 1


def test_it_pulls_the_moments_together(abinit):
    """Iron is a ferromagnet: the field turns each moment towards the other."""
    exchange_fields_ac = make_label(IRON, OUTPUT, abinit()).exchange_fields_ac
    assert exchange_fields_ac[0] @ SPINS[1] > 0.05
    assert exchange_fields_ac[1] @ SPINS[0] > 0.05


def test_an_unconverged_run_is_begun_again_with_gentler_mixing(abinit, tmp_path):
    item = label(IRON, abinit("unconverged", "converged"))
    assert item.energy == OUTPUT.energy
    first, second = calls(tmp_path)
    assert "magcon_lambda 0.02 " in first
    assert "nstep 80 " in first
    assert "magcon_lambda 0.01 diemix 0.4" in second
    assert "nstep 160 " in second


def test_twice_unconverged(abinit, tmp_path):
    with pytest.raises(ConvergenceError, match=r"stopped at a residual of .* after 3 steps; with gentler mixing: .*"):
        label(IRON, abinit("unconverged", "unconverged"))
    assert len(calls(tmp_path)) == 2


def test_two_attempts_that_stall_in_the_same_state_are_a_label(abinit, tmp_path):
    item = label(IRON, abinit("stalled", "stalled"))
    assert len(calls(tmp_path)) == 2
    assert item.energy == OUTPUT.energy
    assert item.info["scf_residual"] == 1e-4
    assert item.info["energy_change_meV_per_atom"] == 0.0


def test_two_attempts_that_stall_in_two_states_are_none(abinit):
    with pytest.raises(ConvergenceError, match=r"1.0e-04 and 2.0e-04 and do not agree: 1.\d+ meV per atom"):
        label(IRON, abinit("stalled", "elsewhere"))


def test_one_that_stalls_is_none(abinit):
    with pytest.raises(ConvergenceError, match=r"residual of 1.0e-04 .*; with gentler mixing: .* 5.7e[+]01 "):
        label(IRON, abinit("stalled", "unconverged"))


def test_one_that_stalls_is_begun_again(abinit):
    assert "energy_change_meV_per_atom" not in label(IRON, abinit("stalled", "converged")).info


def test_stalling_may_be_refused(abinit):
    with pytest.raises(ConvergenceError, match="with gentler mixing"):
        label(IRON, abinit("stalled", "stalled", stalled_residual=0.0))


def test_fields_of_two_attempts_are_compared_across_the_moments(abinit):
    other = replace(OUTPUT, residual=0.5 * OUTPUT.residual, gradients_ac=1.004 * OUTPUT.gradients_ac)
    best, change = agreement(IRON, OUTPUT, other)
    assert best is other
    gradient_ac = -make_label(IRON, OUTPUT, abinit()).effective_fields_ac
    assert change["field_change_meV"] == pytest.approx(4.0 * np.sqrt(np.mean(gradient_ac**2)), rel=1e-3)
    with pytest.raises(ConvergenceError, match="do not agree"):
        agreement(IRON, OUTPUT, replace(OUTPUT, gradients_ac=1.006 * OUTPUT.gradients_ac))


def test_a_crash_quotes_the_message_of_abinit(abinit, tmp_path):
    with pytest.raises(AbinitError, match="ended with status 14: No bands at all"):
        label(IRON, abinit("crash"))
    assert len(calls(tmp_path)) == 1


def test_a_cut_output(abinit):
    with pytest.raises(AbinitError, match="incomplete"):
        label(IRON, abinit("cut"))


@pytest.mark.parametrize("keep", [False, True])
def test_failed_runs_are_kept_if_asked(abinit, tmp_path, keep):
    where = tmp_path / "failed"
    settings = abinit("unconverged", "unconverged", keep_failed_in=where if keep else None)
    with pytest.raises(ConvergenceError):
        label(IRON, settings)
    kept = sorted(path.name for path in where.glob("*/*"))
    assert kept == (sorted(["run.abi", "run.abo", "run.log", "type1.psp8"] * 2) if keep else [])


def test_a_folder_that_cannot_be_is_refused_before_a_run(abinit, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="keep_failed_in: cannot write"):
        label(IRON, abinit("converged", keep_failed_in=tmp_path / "file" / "failed"))
    assert not (tmp_path / "calls").exists()


def test_out_of_time(abinit, tmp_path):
    with pytest.raises(ConvergenceError, match=r"stopped after 0\.\d+ s \(timeout_seconds\), at step 0"):
        label(IRON, abinit("sleep").model_copy(update={"timeout_seconds": 0.7}))
    assert len(calls(tmp_path)) <= 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; only Linux ends a child of a killed process")
def test_no_process_is_left_behind(abinit, tmp_path, number):
    settings = abinit("sleep")
    program = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # jobs in the background of a shell ignore it
        "from soso_core.engines.abinit.process import run; from pathlib import Path\n"
        f"run({settings.command!r}, Path({str(tmp_path)!r}), 60.0)"
    )
    (tmp_path / "run.abi").write_text("")
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    wait_until((tmp_path / "started").exists)
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    os.kill(process.pid, number)
    process.wait(timeout=20)
    wait_until(lambda: not is_running(child))


def wait_until(is_so):
    for _ in range(300):
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("waited 30 s in vain")


def is_running(pid):
    """Whether a process is there and not merely waiting to be counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("command", ["/nowhere/abinit", "no-such-program --quiet"])
def test_without_abinit(command):
    with pytest.raises(InputError, match=r"ABINIT is not installed: .*apt-get install abinit"):
        check(IRON, AbinitSettings(command=command))


def test_a_malformed_command():
    with pytest.raises(InputError, match="No closing quotation"):
        check(IRON, AbinitSettings(command="abinit 'x"))


def test_spheres_that_overlap(abinit):
    with pytest.raises(InputError, match=r"atoms 0 and 1 are closer than two moment_radius_angstrom \(1.3 Å\)"):
        check(IRON, abinit(moment_radius_angstrom=1.3))
    alone = Configuration([26], np.zeros((1, 3)), 2.5 * np.eye(3), np.array([[0.0, 0.0, 1.0]]))
    with pytest.raises(InputError, match="atom 0 and its own periodic image are closer than two moment_radius"):
        check(alone, abinit(moment_radius_angstrom=1.3))


GATES = AbinitSettings()


def gate(**changes):
    check_output(IRON, replace(OUTPUT, **changes), GATES)


def test_the_stored_run_passes():
    gate()


def test_a_moment_that_turned_over():
    with pytest.raises(ConvergenceError, match="moment of atom 1 is reversed"):
        gate(moments_ac=OUTPUT.moments_ac * [[1.0], [-1.0]])


def test_a_moment_that_collapsed():
    with pytest.raises(ConvergenceError, match=r"moment of atom 0 collapsed to 0.0\d\d μB"):
        gate(moments_ac=OUTPUT.moments_ac * [[0.01], [1.0]])


def test_a_moment_off_its_spin():
    with pytest.raises(ConvergenceError, match=r"moment of atom 0 is 1.\d\d degrees from its spin"):
        gate(moments_ac=OUTPUT.moments_ac + np.array([[0.04, 0.0, 0.0], [0.0, 0.0, 0.0]]))


def test_an_atom_without_spin_is_left_alone(abinit):
    half = IRON.with_spins(SPINS * [[1.0], [0.0]])
    check_output(half, replace(OUTPUT, moments_ac=OUTPUT.moments_ac * [[1.0], [-1.0]]), GATES)
    item = make_label(half, OUTPUT, abinit())
    assert item.moment_magnitudes_a[1] == 0.0
    assert not item.configuration.spins_ac[1].any()
    assert not item.exchange_fields_ac[1].any()
    assert item.exchange_fields_ac[0].any()
