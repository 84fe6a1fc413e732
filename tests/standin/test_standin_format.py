"""The tables of OSZICAR, to the column, against two real files; and the other files of a run."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read
from vasp_standin.fortran import exponent, fixed
from vasp_standin_fixtures import run_standin, write_inputs

from soso_core.engines.vasp.oszicar import read_constraint

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("SOSO_SHARED_DATA", ROOT.parent / "shared" / "data")) / "vasp_oszicar"
TILTED = np.array([[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]])

NUMBER = r"[-+]?\d*\.\d+(?:E[-+]\d+)?"


@pytest.fixture
def iron():
    return bulk("Fe", "bcc", a=2.85, cubic=True)


@pytest.fixture
def finished(tmp_path, iron):
    """Return the folder of a run that went well."""
    write_inputs(tmp_path, iron, TILTED)
    done = run_standin(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path


@pytest.mark.parametrize(
    ("value", "width", "digits", "text"),
    [
        (2.0, 11, 3, "  0.200E+01"),
        (-0.124804557e3, 14, 8, "-.12480456E+03"),
        (0.218952e-2, 12, 6, "0.218952E-02"),
        (-0.210617e-1, 12, 6, "-.210617E-01"),
        (0.0, 14, 5, "   0.00000E+00"),
        (1.2345e-101, 14, 5, "   0.12345-100"),
        (-9.999999e-5, 14, 5, "  -0.10000E-03"),
    ],
)
def test_exponents(value, width, digits, text):
    assert exponent(value, width, digits) == text


def test_numbers_that_touch_and_overflow():
    assert fixed(-12.3456, 7, 3) + fixed(-10.0, 7, 3) == "-12.346-10.000"
    assert fixed(-1000.0, 7, 3) == "*******"


@pytest.mark.parametrize("name", ["FeRh", "IrMn3"])
def test_real_files_have_this_layout(name):
    """Every number of a real file, written by the formats used here, gives the line that stands there."""
    path = REAL / f"{name}.OSZICAR"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    lines = path.read_text().splitlines()
    seen = {kind: sum(check(line) for line in lines) for kind, check in CHECKS.items()}
    assert all(seen.values()), seen


def numbers(line):
    return [float(word) for word in re.findall(NUMBER, line)]


def check_penalty(line):
    if not line.startswith(" E_p ="):
        return False
    penalty, lambda_ = numbers(line)
    assert line == f" E_p ={exponent(penalty, 13, 5)}  lambda ={exponent(lambda_, 11, 3)}"
    return True


def check_step(line):
    if not re.match(r"(DAV|CGA|SDA): ", line):
        return False
    energy, change, eps, rms = numbers(line)[:4]
    count, steps = int(line[4:8]), int(line[61:67])
    assert line.startswith(
        f"{line[:4]}{count:4d}{exponent(energy, 23, 12)}{exponent(change, 15, 5)}{exponent(eps, 15, 5)}"
        f"{steps:6d}{exponent(rms, 12, 3)}"
    )
    return True


def check_ionic(line):
    if " F= " not in line:
        return False
    free, extrapolated, change, *mag = numbers(line)
    assert line == (
        f"   1 F= {exponent(free, 14, 8)} E0= {exponent(extrapolated, 14, 8)}  d E ={exponent(change, 12, 6)}"
        f"  mag={''.join(fixed(value, 11, 4) for value in mag)}"
    )
    return True


def check_moments(line):
    if not re.match(r" *\d+( +-?\d+\.\d{3}){6}$", line):
        return False
    values = numbers(line)
    both = ("".join(fixed(value, 7, 3) for value in half) for half in (values[:3], values[3:]))
    assert line == f"{int(line[:3]):3d}{'  '.join(both)}"
    return True


def check_fields(line):
    if not re.match(r" *\d+( +-?0\.\d{5}E[-+]\d\d){3}$", line):
        return False
    assert line == f"{int(line[:3]):3d}{''.join(exponent(value, 14, 5) for value in numbers(line))}"
    return True


CHECKS = {
    "penalty": check_penalty,
    "step": check_step,
    "ionic": check_ionic,
    "moments": check_moments,
    "fields": check_fields,
}


def test_own_file_has_the_layout_of_the_real_ones(finished):
    lines = (finished / "OSZICAR").read_text().splitlines()
    seen = {kind: sum(check(line) for line in lines) for kind, check in CHECKS.items()}
    assert all(seen.values()), seen


def test_says_that_it_is_not_vasp(tmp_path, iron):
    write_inputs(tmp_path, iron, TILTED)
    assert run_standin(tmp_path).stdout.splitlines()[0].startswith("THIS IS NOT VASP")


def test_energy_less_penalty_has_the_printed_field_as_derivative(tmp_path, iron):
    """Three runs, one spin tilted a little: what a user does to find the scale of the printed field."""
    for scale in (1.0, 2.0):
        results = [tilted_run(tmp_path / f"{scale}_{angle}", iron, angle, scale) for angle in (0.55, 0.6, 0.65)]
        (low, angle_low, _), (_, _, torque), (high, angle_high, _) = results
        slope = -(high - low) / (angle_high - angle_low)
        assert slope == pytest.approx(scale * torque, rel=1.5e-3)  # three decimals of MW_int; third derivative
        assert abs(slope) > 0.05


def tilted_run(folder, iron, angle, scale):
    """Return energy without penalty (eV), achieved angle (rad) and |MW| times the printed field along the arc."""
    folder.mkdir()
    targets_ac = np.array([[0.0, 0.0, 1.0], [np.sin(angle), 0.0, np.cos(angle)]])
    write_inputs(folder, iron, targets_ac, **{"lambda": 50, "nelm": 2000})
    assert run_standin(folder, field_scale=scale).returncode == 0
    table = read_constraint((folder / "OSZICAR").read_text())
    free = float(re.findall(r"free  energy   TOTEN  = *(\S+)", (folder / "OUTCAR").read_text())[-1])
    # the part across the target stands in the table with five digits, MW_int has but three decimals
    lengths_a = np.linalg.norm(table.moments_mw_ac, axis=1)
    offsets_ac = table.constraint_fields_ac / table.lambda_ / lengths_a[:, None]
    tangents_ac = np.array([[1.0, 0.0, 0.0], [np.cos(angle), 0.0, -np.sin(angle)]])
    turns_a = np.einsum("ac,ac->a", offsets_ac, tangents_ac)
    return (
        free - table.penalty_energy,
        angle + turns_a[1] - turns_a[0],
        lengths_a[1] * table.constraint_fields_ac[1] @ tangents_ac[1],
    )


def test_ase_reads_the_run(finished, iron):
    atoms = read(finished / "vasprun.xml")
    forces_ac = atoms.get_forces()
    assert atoms.positions == pytest.approx(iron.positions, abs=1e-7)
    assert forces_ac.shape == (2, 3)
    outcar = (finished / "OUTCAR").read_text()
    in_kilobar = [float(word) for word in outcar.split("in kB")[1].split()[:6]]
    stress = -np.array(in_kilobar) / 1602.1766
    assert atoms.get_stress()[:3] == pytest.approx(stress[:3], abs=1e-6)
    assert read(finished / "CONTCAR").positions == pytest.approx(iron.positions, abs=1e-9)


def test_free_energy_is_not_the_extrapolated_one(finished):
    text = (finished / "OUTCAR").read_text()
    free = float(re.findall(r"free  energy   TOTEN  = *(\S+)", text)[-1])
    extrapolated = float(re.findall(r"energy\(sigma->0\) = *(\S+)", text)[-1])
    assert extrapolated - free > 1e-3


@pytest.mark.slow
def test_embedded_engine_as_model(tmp_path, iron):
    write_inputs(tmp_path, iron, TILTED)
    done = run_standin(tmp_path, model="tight_binding")
    assert done.returncode == 0, done.stdout + done.stderr
    table = read_constraint((tmp_path / "OSZICAR").read_text())
    moment_magnitudes_a = np.linalg.norm(table.moments_mw_ac, axis=1)
    cosines_a = np.einsum("ac,ac->a", table.moments_mw_ac, TILTED) / moment_magnitudes_a
    assert (moment_magnitudes_a > 1.0).all()
    assert np.degrees(np.arccos(cosines_a.min())) < 1.0
    assert np.abs(table.constraint_fields_ac).max() > 1e-3
