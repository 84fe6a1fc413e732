"""What VASP would not begin, the stand-in does not begin."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from vasp_standin_fixtures import potcar_section, run_standin, words, write_inputs

TILTED = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]])


@pytest.fixture
def folder(tmp_path):
    """Return a folder with input that runs."""
    write_inputs(tmp_path, bulk("Fe", "bcc", a=2.85, cubic=True), TILTED)
    return tmp_path


def refusal(folder):
    done = run_standin(folder)
    assert done.returncode == 1, done.stdout
    assert "I REFUSE TO CONTINUE" in done.stdout
    assert not (folder / "vasprun.xml").exists()
    return done.stdout


def change(folder, **tags):
    write_inputs(folder, bulk("Fe", "bcc", a=2.85, cubic=True), TILTED, **tags)


def test_good_input_runs(folder):
    assert run_standin(folder).returncode == 0


@pytest.mark.parametrize("name", ["magmom", "m_constr"])
@pytest.mark.parametrize("count", [2, 5, 7])
def test_wrong_number_of_moments(folder, name, count):
    change(folder, **{name: words(np.ones(count))})
    assert f"'{name.upper()}'" in refusal(folder)


@pytest.mark.parametrize("value", [None, "1.3 1.3", "-1.3", "one"])
def test_wrong_radii(folder, value):
    change(folder, rwigs=value)
    assert "RWIGS" in refusal(folder)


def test_stars_repeat(folder):
    change(folder, magmom="2*0.0 2.2 3*1.0")
    assert run_standin(folder).returncode == 0


def test_missing_section_of_potcar(tmp_path):
    write_inputs(tmp_path, Atoms("FePt", cell=3 * np.eye(3), positions=[[0, 0, 0], [1.5, 1.5, 1.5]]), TILTED)
    (tmp_path / "POTCAR").write_text(potcar_section("Fe"))
    assert "number of potentials" in refusal(tmp_path)


def test_sections_of_potcar_in_another_order(tmp_path):
    write_inputs(tmp_path, Atoms("FePt", cell=3 * np.eye(3), positions=[[0, 0, 0], [1.5, 1.5, 1.5]]), TILTED)
    (tmp_path / "POTCAR").write_text(potcar_section("Pt") + potcar_section("Fe"))
    assert "incompatible" in refusal(tmp_path)


def test_cut_potcar(folder):
    text = (folder / "POTCAR").read_text()
    (folder / "POTCAR").write_text(text[: text.index("End of Dataset")])
    refusal(folder)


@pytest.mark.parametrize("name", ["INCAR", "POSCAR", "POTCAR"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    refusal(folder)


def test_left_handed_cell(folder):
    lines = (folder / "POSCAR").read_text().splitlines()
    lines[2], lines[3] = lines[3], lines[2]
    (folder / "POSCAR").write_text("\n".join(lines))
    assert "triple product" in refusal(folder)


def test_broken_kpoints(folder):
    (folder / "KPOINTS").write_text("auto\n0\nGamma\n2 2\n")
    assert "KPOINTS" in refusal(folder)


def test_without_kpoints_the_spacing_decides(folder):
    (folder / "KPOINTS").unlink()
    assert run_standin(folder).returncode == 0
    assert "NKPTS =    125" in (folder / "OUTCAR").read_text()


def test_text_where_a_number_belongs(folder):
    change(folder, **{"lambda": "ten"})
    assert "LAMBDA" in refusal(folder)


@pytest.mark.parametrize("tags", [{"lnoncollinear": None}, {"i_constrained_m": 2}, {"isym": None}, {"nsw": 3}])
def test_what_is_not_modelled(folder, tags):
    change(folder, **tags)
    assert "not modelled" in refusal(folder)


@pytest.mark.parametrize("tags", [{"icharg": 1}, {"icharg": 11}, {"istart": 1}])
def test_restart_without_the_file(folder, tags):
    change(folder, **tags)
    assert "could not be read" in refusal(folder)


def test_restart_from_a_cut_density(folder):
    assert run_standin(folder).returncode == 0
    text = (folder / "CHGCAR").read_text()
    (folder / "CHGCAR").write_text(text[:-30])
    change(folder, icharg=1)
    for name in ("vasprun.xml", "OUTCAR"):
        (folder / name).unlink()
    refusal(folder)
