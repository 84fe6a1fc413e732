"""The constraint tables of OSZICAR: the numbers that stand there, or a refusal; never other numbers."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oszicar_text import SHARED, oszicar

from soso_core.engines.vasp.oszicar import read_constraint
from soso_core.errors import InputError

FILES = SHARED / "vasp_oszicar"
needs_files = pytest.mark.skipif(not FILES.is_dir(), reason=f"the published files are not in {FILES}")

FIVE_DIGITS = 5.001e-6
"""Relative; half a unit of the fifth digit of 0.1, the smallest mantissa, is 5e-5, of what we draw 5e-6."""

# Thousandths between -99.999 and 99.999 fill F7.3, so that neighbours touch when negative.
moment = st.integers(-99_999, 99_999).map(lambda k: k / 1000.0)
vector = st.tuples(moment, moment, moment)
mantissa = st.integers(-99_999, 99_999)
number = st.builds(lambda digits, power: float(f"{digits}e{power}"), mantissa, st.integers(-130, 100))
field = st.tuples(number, number, number)


@st.composite
def ionic_steps(draw, is_listed):
    """Draw a step; the last ion always has a row, or too small a moment to be taken for a cut one."""
    n_ions = len(is_listed)
    listed = [draw(vector) for _ in range(n_ions)]
    mw = [v if is_listed[i] else tuple(x % 0.02 for x in v) for i, v in enumerate(listed)]
    mw = [(x, y, 1.0 + abs(z) % 90.0) if is_listed[i] else (x, y, z) for i, (x, y, z) in enumerate(mw)]
    return {
        "penalty": draw(number.map(abs)),
        "lambda": draw(st.sampled_from([1.0, 10.0, 50.0, 123.0])),
        "mw": mw,
        "m": [draw(vector) for _ in range(n_ions)],
        "fields": [draw(field) if is_listed[i] else None for i in range(n_ions)],
    }


@st.composite
def files(draw, max_steps=3):
    """Draw the steps of a file: the same ions are constrained in all of them."""
    is_listed = draw(st.lists(st.booleans(), min_size=1, max_size=12).filter(any))
    return draw(st.lists(ionic_steps(is_listed), min_size=1, max_size=max_steps))


def is_listed_of(step):
    return [field is not None for field in step["fields"]]


def assert_same(table, step):
    """Compare a table with the step it was written from, as far as the digits go."""
    expected = np.array([f or (0.0, 0.0, 0.0) for f in step["fields"]])
    np.testing.assert_allclose(table.constraint_fields_ac, expected, rtol=FIVE_DIGITS, atol=0.0)
    np.testing.assert_allclose(table.moments_mw_ac, step["mw"], rtol=0.0, atol=0.00051)  # three decimals
    np.testing.assert_allclose(table.moments_m_ac, step["m"], rtol=0.0, atol=0.00051)
    assert table.penalty_energy == pytest.approx(step["penalty"], rel=FIVE_DIGITS)
    assert table.lambda_ == step["lambda"]
    assert table.is_constrained_a.tolist() == is_listed_of(step)


@settings(deadline=None)
@given(files(), st.sampled_from([12, 13, 14]))
def test_what_was_written_is_read(steps, width):
    table = read_constraint(oszicar(steps, width), is_constrained_a=is_listed_of(steps[0]))
    assert_same(table, steps[-1])
    assert table.ionic_step == len(steps)
    assert_same(read_constraint(oszicar(steps, width)), steps[-1])


@settings(deadline=None, max_examples=20)
@given(files(max_steps=2), st.booleans(), st.sampled_from([12, 14]), st.data())
def test_a_cut_file_never_gives_other_numbers(steps, knows_ions, width, data):
    text = oszicar(steps, width)
    expected = {"is_constrained_a": is_listed_of(steps[0])} if knows_ions else {}
    start = text.index("F=")
    for end in [data.draw(st.integers(0, start)), *range(start, len(text))]:
        try:
            table = read_constraint(text[:end], **expected)
        except InputError:
            continue
        finished = text[:end].count(" F=")  # the step may only be one whose table stands there in full
        assert_same(table, steps[table.ionic_step - 1])
        assert table.ionic_step in (finished, finished - 1)


def one_step(**changes):
    step = {
        "penalty": 2.5e-7,
        "lambda": 10.0,
        "mw": [(1.484, 0.742, -0.743), (0.0, -1.485, 0.743), (0.001, 0.0, 0.0)],
        "m": [(2.216, 1.107, -1.109), (0.0, -2.216, 1.109), (0.002, 0.0, 0.0)],
        "fields": [(-0.37197e-4, 0.1e-101, -0.19125e-3), (0.23545, -0.14753e-4, 1.5), None],
    }
    return {**step, **changes}


def test_three_digit_exponents_have_no_letter():
    text = oszicar([one_step()])
    assert "0.10000-101" in text
    assert read_constraint(text).constraint_fields_ac[0, 1] == 1e-102


def test_touching_columns():
    step = one_step(mw=[(-10.123, -10.456, -10.789), (-1.0, 2.0, -33.333), (0.0, 0.0, 0.0)])
    text = oszicar([step], width=12)
    assert "1-10.123-10.456-10.789" in text
    assert re.search(r"E-04-0\.", oszicar([one_step(fields=[(1e-5, -2.3e-5, -4e-5), (-1.0, -1.0, -1.0), None])], 12))
    assert_same(read_constraint(text), step)


def test_the_next_step_may_follow_at_once():
    text = oszicar([one_step(), one_step()])
    head, tail = text.split(" ion             lambda*MW_perp\n", 1)
    joined = head + " ion             lambda*MW_perp\n" + tail.replace("\n\n", "\n", 1)
    cut = joined[: joined.rindex("   2 F=")]
    assert read_constraint(cut).ionic_step == 1


FAULTS = {
    "an empty file": (lambda t: "", "no finished ionic step"),
    "no F=": (lambda t: t[: t.index(" F=") - 4], "no finished ionic step"),
    "no constraint": (lambda t: "DAV:   1\n" + t[t.index("   1 F=") :], "were the moments constrained"),
    "no last table": (lambda t: t[: t.index(" ion             lambda")], "after the last F="),
    "a row is cut": (lambda t: t[:-20] + "\n", "not a row"),
    "the last row is missing": (lambda t: t[: t[:-1].rindex("\n") + 1], "ends before ion 2"),
    "stars for a number": (lambda t: t.replace("0.15000E+01", "***********"), "not a row"),
    "not a number": (lambda t: t.replace("0.15000E+01", "        NaN"), "not a row"),
    "stars for a moment": (lambda t: t.replace("-1.485", "******"), "row of ion 2"),
    "ions out of order": (lambda t: t.replace("\n  1  -0.37197E-04", "\n  3  -0.37197E-04"), "ions \\[3, 2\\]"),
    "an ion too many": (lambda t: t.replace("\n  2   0.23545E+00", "\n  9   0.23545E+00"), "ions \\[1, 9\\]"),
    "touching beyond doubt": (lambda t: t.replace("E-04   0.1", "E-040.1"), "not a row"),
    "lambda is zero": (lambda t: t.replace("lambda =  0.100E+02", "lambda =  0.000E+00"), "must be positive"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault):
    spoil, message = FAULTS[fault]
    text = oszicar([one_step()])
    assert spoil(text) != text
    with pytest.raises(InputError, match=message) as error:
        read_constraint(spoil(text), "some/OSZICAR")
    assert str(error.value).startswith("some/OSZICAR: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("expected", "message"),
    [([1, 1, 1], "ion 3 is absent"), ([1, 0, 0], "ion 2 has no constraint"), ([1, 1], "3 ions, expected 2")],
)
def test_other_ions_than_expected(expected, message):
    with pytest.raises(InputError, match=message):
        read_constraint(oszicar([one_step()]), is_constrained_a=expected)


@needs_files
def test_the_published_file_with_an_ion_left_out():
    table = read_constraint((FILES / "IrMn3.OSZICAR").read_text())
    assert table.penalty_energy == 0.20681e-6
    assert table.lambda_ == 1.0
    mw = [[1.484, 0.742, -0.743], [-0.742, -1.485, -0.743], [-0.742, 0.742, 1.484], [0.001, 0.001, 0.0]]
    m = [[2.216, 1.108, -1.109], [-1.108, -2.217, -1.109], [-1.108, 1.108, 2.216], [0.002, 0.002, 0.0]]
    fields = [
        [-0.37197e-4, -0.11692e-3, -0.19125e-3],
        [0.23545e-3, 0.14753e-4, -0.26481e-3],
        [0.15883e-4, 0.35944e-4, -0.10031e-4],
        [0.0, 0.0, 0.0],
    ]
    assert table.moments_mw_ac.tolist() == mw
    assert table.moments_m_ac.tolist() == m
    assert table.constraint_fields_ac.tolist() == fields
    assert table.is_constrained_a.tolist() == [True, True, True, False]
    assert table.scf_change == 0.69702e-5


@needs_files
def test_the_published_file_with_two_species():
    table = read_constraint((FILES / "FeRh.OSZICAR").read_text(), is_constrained_a=[True] * 16)
    assert table.penalty_energy == 0.19900e-35
    assert table.lambda_ == 2.0
    assert table.moments_mw_ac[:, 2].tolist() == [2.189] * 8 + [0.663] * 8
    assert table.moments_m_ac[:, 2].tolist() == [3.155] * 8 + [1.031] * 8
    assert not table.moments_mw_ac[:, :2].any()
    assert table.constraint_fields_ac[[0, 14, 15]].tolist() == [
        [0.31212e-18, -0.15469e-17, 0.0],
        [-0.17472e-17, 0.35285e-17, 0.0],
        [0.35781e-18, 0.23094e-17, 0.0],
    ]
    assert table.is_constrained_a.all()
    assert table.scf_change == 0.12195e-3


@needs_files
@pytest.mark.parametrize("name", ["IrMn3", "FeRh"])
def test_a_published_file_cut_anywhere_in_its_tables(name):
    text = (FILES / f"{name}.OSZICAR").read_text()
    for end in range(text.index(" F=") - 5, len(text)):
        with pytest.raises(InputError):
            read_constraint(text[:end])
