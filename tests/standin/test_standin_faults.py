"""The faults, and the electronic steps: what each leaves in the folder."""

import re

import numpy as np
import pytest
from ase.build import bulk
from vasp_standin.environment import Environment, fault_rule, read_environment
from vasp_standin.faults import MODES, planned
from vasp_standin_fixtures import calls, run_standin, write_inputs

from soso_core.engines.vasp.oszicar import read_constraint
from soso_core.errors import InputError

TILTED = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]])


def prepare(folder, **tags):
    folder.mkdir(exist_ok=True)
    write_inputs(folder, bulk("Fe", "bcc", a=2.85, cubic=True), TILTED, **tags)
    return folder


@pytest.fixture
def faulty(tmp_path):
    """Return a function that runs with one fault and returns the process and the folder."""

    def run(mode, **tags):
        folder = prepare(tmp_path / mode, **tags)
        return run_standin(folder, faults=[{"mode": mode}], state=tmp_path / "state"), folder

    return run


def table(folder):
    return read_constraint((folder / "OSZICAR").read_text())


def cosines(folder):
    moments_ac = table(folder).moments_mw_ac
    return np.einsum("ac,ac->a", moments_ac, TILTED) / np.linalg.norm(moments_ac, axis=1)


def free_energy(folder):
    return float(re.findall(r"free  energy   TOTEN  = *(\S+)", (folder / "OUTCAR").read_text())[-1])


def test_scf(faulty):
    done, folder = faulty("scf", nelm=40)
    assert done.returncode == 0
    assert "self-consistency was not achieved" in done.stdout
    outcar = (folder / "OUTCAR").read_text()
    assert len(re.findall(r"Iteration +1\(", outcar)) == 40
    assert "EDIFF was not reached" in outcar
    assert "timing and accounting" in outcar


def test_flip(faulty):
    _, folder = faulty("flip")
    assert sorted(cosines(folder)) == pytest.approx([-1.0, 1.0], abs=1e-4)
    assert table(folder).penalty_energy < 0.01, "the penalty does not tell"


def test_collapse(faulty):
    _, folder = faulty("collapse")
    assert np.linalg.norm(table(folder).moments_mw_ac, axis=1).min() < 0.05


@pytest.mark.parametrize("mode", ["flip", "collapse"])
def test_a_restart_keeps_what_was_lost_and_a_new_start_does_not(faulty, mode, tmp_path):
    _, folder = faulty(mode)
    lost = table(folder).moments_mw_ac
    prepare(folder, icharg=1)
    assert run_standin(folder).returncode == 0
    assert table(folder).moments_mw_ac == pytest.approx(lost, abs=0.05)
    prepare(folder)
    assert run_standin(folder).returncode == 0
    assert cosines(folder) == pytest.approx(1.0, abs=1e-4)


def test_wrong_angle_is_silent(faulty):
    done, folder = faulty("wrong_angle")
    assert done.returncode == 0
    assert np.degrees(np.arccos(cosines(folder).min())) == pytest.approx(25.0, abs=0.3)
    words = ("error", "warning", "not achieved")
    assert not any(word in done.stdout.lower() for word in words)


def test_cut_vasprun(faulty):
    done, folder = faulty("vasprun")
    assert done.returncode == 0
    assert "</modeling>" not in (folder / "vasprun.xml").read_text()
    assert "timing and accounting" in (folder / "OUTCAR").read_text()


def test_cut_oszicar(faulty):
    _, folder = faulty("oszicar")
    assert " F= " in (folder / "OSZICAR").read_text()
    with pytest.raises(InputError):
        table(folder)


@pytest.mark.parametrize(("mode", "name"), [("outcar", "OUTCAR"), ("no_oszicar", "OSZICAR")])
def test_missing_file(faulty, mode, name):
    done, folder = faulty(mode)
    assert done.returncode == 0
    assert not (folder / name).exists()
    assert (folder / "vasprun.xml").exists()


def test_walltime(faulty):
    done, folder = faulty("walltime")
    assert done.returncode == -9
    assert "timing and accounting" not in (folder / "OUTCAR").read_text()
    assert (folder / "CHGCAR").stat().st_size == 0
    with pytest.raises(InputError):
        table(folder)


def test_walltime_leaves_the_density_it_was_given(tmp_path):
    folder = prepare(tmp_path / "a", **{"lambda": 1})
    assert run_standin(folder).returncode == 0
    before = (folder / "CHGCAR").read_text()
    prepare(folder, icharg=1)
    run_standin(folder, faults=[{"mode": "walltime"}])
    assert (folder / "CHGCAR").read_text() == before


def test_zhegv(faulty):
    done, folder = faulty("zhegv")
    assert "Error EDDDAV: Call to ZHEGV failed" in done.stdout
    assert "timing and accounting" not in (folder / "OUTCAR").read_text()


def test_second_call_is_as_if_there_had_been_no_fault(tmp_path):
    clean = prepare(tmp_path / "clean")
    assert run_standin(clean).returncode == 0
    for mode in MODES:
        folder, state = prepare(tmp_path / mode), tmp_path / f"{mode}_state"
        run_standin(folder, faults=[{"mode": mode}], state=state)
        prepare(folder)
        assert run_standin(folder, faults=[{"mode": mode}], state=state).returncode == 0
        assert (folder / "OSZICAR").read_text() == (clean / "OSZICAR").read_text()
        assert (folder / "vasprun.xml").read_text() == (clean / "vasprun.xml").read_text()
        assert [row[2:] for row in calls(state)] == [(1, mode), (2, "-")]


def test_always_is_always(tmp_path):
    rule = [{"mode": "outcar", "calls": None}]
    for _ in range(3):
        folder = prepare(tmp_path / "run")
        run_standin(folder, faults=rule, state=tmp_path / "state")
    assert [row[3] for row in calls(tmp_path / "state")] == ["outcar"] * 3


def test_plan_has_the_probabilities_asked_for_and_does_not_depend_on_the_order():
    rules = (fault_rule("scf", 0.2), fault_rule("flip", 0.1, None))
    keys = [f"run{k}" for k in range(4000)]
    drawn = [planned(Environment(faults=rules), key, 10.0) for key in keys]
    fractions = [sum(plan is not None and plan[0] == mode for plan in drawn) / 4000 for mode in ("scf", "flip")]
    assert fractions == pytest.approx([0.2, 0.1], abs=0.02)  # three standard deviations of 4000 draws
    assert {plan[1] for plan in drawn if plan and plan[0] == "flip"} == {float("inf")}
    assert drawn == [planned(Environment(faults=rules), key, 10.0) for key in keys]
    assert drawn != [planned(Environment(faults=rules, seed=1), key, 10.0) for key in keys]


def test_fault_at_one_lambda_only():
    rules = read_environment({"SOSO_STANDIN_FAULTS": '[{"mode": "scf", "lambda": 10}]'}).faults
    assert planned(Environment(faults=rules), "run", 10.0) == ("scf", 1)
    assert planned(Environment(faults=rules), "run", 50.0) is None


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="MODEL"):
        read_environment({"SOSO_STANDIN_MODEL": "vasp"})
    with pytest.raises(ValueError, match="fault"):
        planned(Environment(faults=(fault_rule("flop"),)), "run", 1.0)


def test_large_lambda_needs_the_ramp(tmp_path):
    """From atoms lambda 50 does not converge; through the density of 10 it does."""
    folder = prepare(tmp_path / "cold", **{"lambda": 50, "nelm": 400})
    assert "not achieved" in run_standin(folder).stdout
    for lambda_, icharg in ((1, 2), (10, 1), (50, 1)):
        prepare(folder, **{"lambda": lambda_, "nelm": 60, "icharg": icharg})
        assert "not achieved" not in run_standin(folder).stdout
    ramped = free_energy(folder) - table(folder).penalty_energy
    direct = prepare(tmp_path / "direct", **{"lambda": 50, "nelm": 2000})
    assert "not achieved" not in run_standin(direct).stdout
    assert ramped == pytest.approx(free_energy(direct) - table(direct).penalty_energy, abs=1e-7)


def test_ion_without_constraint_is_not_in_the_table(tmp_path):
    folder = prepare(tmp_path / "free", m_constr="0 0 1 0 0 0")
    assert run_standin(folder).returncode == 0
    found = read_constraint((folder / "OSZICAR").read_text(), is_constrained_a=[True, False])
    assert found.constraint_fields_ac[1].tolist() == [0.0, 0.0, 0.0]
