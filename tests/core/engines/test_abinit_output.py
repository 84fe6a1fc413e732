"""The parser of ABINIT's output: it reads what is printed, and a damaged text never becomes a wrong label."""

import re
from pathlib import Path

import numpy as np
import pytest
from ase.units import Bohr, Hartree
from hypothesis import given, settings
from hypothesis import strategies as st

from soso_core.engines.abinit.output_file import AbinitError, error_message, last_step, parse_output

STORED = Path(__file__).parents[2] / "data" / "abinit"
CONVERGED = (STORED / "converged.abo").read_text(encoding="utf8")
UNCONVERGED = (STORED / "unconverged.abo").read_text(encoding="utf8")
LINES = CONVERGED.splitlines(keepends=True)
NUMBER = r"(-?\d+\.\d+(?:E[+-]\d+)?)"


def numbers_of(output):
    """Return all numbers of an output in one array."""
    scalars = [output.is_converged, output.iterations, output.residual, output.energy, output.energy_change]
    arrays = (output.moments_ac, output.gradients_ac, output.forces_ac, output.stress_cc)
    return np.concatenate([scalars, *(array.ravel() for array in arrays)])


def is_harmless(text):
    """Whether a damaged text is refused, reported as not converged, or read as if it were whole."""
    try:
        output = parse_output(text, 2)
    except AbinitError:
        return True
    return not output.is_converged or np.array_equal(numbers_of(output), numbers_of(parse_output(CONVERGED, 2)))


def test_numbers_are_those_printed():
    output = parse_output(CONVERGED, 2)
    energy = re.search(rf"^total_energy_eV +: +{NUMBER}$", CONVERGED, re.M)
    # ABINIT has its own value of the Hartree, 2e-8 away from ASE's.
    assert output.energy == pytest.approx(float(energy[1]), rel=1e-7)
    forces = re.search(rf"cartesian forces \(eV/Angstrom\) at end:\n +1 +{NUMBER} +{NUMBER} +{NUMBER}", CONVERGED)
    np.testing.assert_allclose(output.forces_ac[0], [float(x) for x in forces.groups()], rtol=1e-6, atol=1e-9)
    pressure = float(re.search(rf"^pressure_GPa: +{NUMBER}$", CONVERGED, re.M)[1])
    # pressure_GPa is printed with five digits.
    assert -np.trace(output.stress_cc) / 3.0 * 160.21766 == pytest.approx(pressure, rel=1e-4)
    assert output.is_converged
    assert output.iterations == CONVERGED.count(" ETOT ")
    assert 0.0 < output.residual < 1e-6


def test_tables_are_those_printed():
    output = parse_output(CONVERGED, 2)
    rows = re.findall(rf"^ +([12]) +2\.\d+ +{NUMBER} +{NUMBER} +{NUMBER} +{NUMBER}(?: +{NUMBER})?$", CONVERGED, re.M)
    assert [row[0] for row in rows] == ["1", "2", "1", "2"]
    printed = np.array([[float(x) for x in row[2:5]] for row in rows])
    np.testing.assert_allclose(output.moments_ac, printed[:2], rtol=1e-14)
    np.testing.assert_allclose(output.gradients_ac, printed[2:] * Hartree, rtol=1e-14)
    assert np.abs(output.gradients_ac).max() > 0.05
    assert np.linalg.norm(output.moments_ac, axis=1).min() > 1.5
    assert output.forces_ac[0, 0] == pytest.approx(-output.forces_ac[1, 0])
    first = re.search(rf"cartesian_forces: # hartree/bohr\n- \[ +{NUMBER},", CONVERGED)
    assert output.forces_ac[0, 0] == pytest.approx(float(first[1]) * Hartree / Bohr, rel=1e-14)


def test_calculation_completed_fools_nobody():
    assert "Calculation completed." in UNCONVERGED
    output = parse_output(UNCONVERGED, 2)
    assert not output.is_converged
    assert output.iterations == 3
    assert output.residual > 1e-2


def test_cut_at_any_byte():
    for end in range(len(CONVERGED)):
        with pytest.raises(AbinitError):
            parse_output(CONVERGED[:end], 2)


@pytest.mark.parametrize("index", range(len(LINES)))
def test_without_any_line(index):
    assert is_harmless("".join(LINES[:index] + LINES[index + 1 :]))


@given(st.integers(0, len(LINES)), st.integers(0, len(LINES)))
@settings(max_examples=300, deadline=None)
def test_with_a_hole(first, second):
    start, end = sorted((first, second))
    assert is_harmless("".join(LINES[:start] + LINES[end:]))


@given(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1))
@settings(max_examples=300, deadline=None)
def test_with_a_line_twice(source, target):
    assert is_harmless("".join([*LINES[:target], LINES[source], *LINES[target:]]))


@given(st.text(max_size=300))
def test_any_text_is_refused(text):
    with pytest.raises(AbinitError):
        parse_output(text, 2)


@given(st.sampled_from(re.findall(NUMBER, CONVERGED)), st.sampled_from(["*******", "NaN", "Infinity", "1.2.3"]))
@settings(max_examples=300, deadline=None)
def test_what_is_no_number_is_refused(number, nonsense):
    assert is_harmless(CONVERGED.replace(number, nonsense))


@pytest.mark.parametrize("n_atoms", [1, 3])
def test_another_number_of_atoms(n_atoms):
    with pytest.raises(AbinitError, match=f"{n_atoms} atoms"):
        parse_output(CONVERGED, n_atoms)


def test_an_exponent_of_three_digits():
    change = re.findall(r"^ ETOT *\d+ *\S+ +(\S+)", CONVERGED, re.M)[-1]
    output = parse_output(CONVERGED.replace(f" {change} ", " 1.000-101 "), 2)
    assert output.energy_change == pytest.approx(Hartree * 1e-101)


def test_a_wanted_residual_that_was_not_met():
    line = re.search(r"vres2 += +(\S+) < tolvrs", CONVERGED)
    with pytest.raises(AbinitError, match="contradicts itself"):
        parse_output(CONVERGED.replace(line[0], line[0].replace(line[1], "1.00E-02")), 2)


def test_two_datasets():
    with pytest.raises(AbinitError, match="one dataset"):
        parse_output(CONVERGED + CONVERGED, 2)


def test_what_a_refusal_says():
    log = (STORED / "refused.log").read_text(encoding="utf8")
    message = error_message(log)
    assert "There are not enough bands" in message
    assert "\n" not in message
    assert error_message("Segmentation fault") == ""


def test_last_step_of_a_cut_text():
    assert last_step(CONVERGED[: CONVERGED.index(" ETOT  5")]) == 4
    assert last_step("") == 0


def test_without_a_constraint_there_is_no_table_of_gradients():
    start, end = CONVERGED.index(" Gradient with respect"), CONVERGED.index("====", CONVERGED.index(" Gradient with"))
    free = CONVERGED[:start] + CONVERGED[end:]
    assert not parse_output(free, 2, is_constrained=False).gradients_ac.any()
    with pytest.raises(AbinitError, match="exactly one table 'Gradient"):
        parse_output(free, 2)
