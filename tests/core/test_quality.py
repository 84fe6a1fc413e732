"""The grade of a label: the worst of its numbers, written and read back, refused when it makes no sense."""

import numpy as np
import pytest
from spin_cells import heisenberg_label, rigid_iron

from soso_core import InputError, LabelledConfiguration
from soso_core.formats import read_dataset, write_dataset
from soso_core.quality import (
    GRADE_KEY,
    GRADES,
    LIMITS,
    NOISE_FACTORS,
    LabelQuality,
    grade_of,
    is_at_least,
    read_quality,
    without_quality,
)


@pytest.mark.parametrize("key", LIMITS)
def test_a_limit_still_earns_its_grade_and_more_does_not(key):
    for grade, worse, limit in zip(GRADES, GRADES[1:], LIMITS[key], strict=False):
        assert LabelQuality({key: limit}).grade == grade
        assert LabelQuality({key: 1.001 * limit}).grade == worse
    assert LabelQuality({key: 0.0}).grade == "A"
    assert list(LIMITS[key]) == sorted(LIMITS[key])


def test_the_worst_number_decides_and_is_named():
    quality = LabelQuality({"angle_degree": 2.0, "field_change_meV": 50.0, "scf_change_meV_per_atom": 0.05})
    assert (quality.grade, quality.limited_by) == ("D", "field_change_meV")
    assert LabelQuality({"angle_degree": 0.1}).limited_by is None
    assert (LabelQuality({}).grade, LabelQuality({}).limited_by) == ("A", None)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"angel_degree": 1.0}, "unknown number of label quality 'angel_degree'; known are angle_degree"),
        ({"angle_degree": -1.0}, "angle_degree is -1.0"),
        ({"angle_degree": float("nan")}, "angle_degree is nan"),
        ({"field_change_meV": float("inf")}, "field_change_meV is inf"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(numbers, words):
    with pytest.raises(InputError) as caught:
        LabelQuality(numbers)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_worse_grade_counts_less():
    assert tuple(NOISE_FACTORS) == GRADES
    assert NOISE_FACTORS["A"] == 1.0
    assert sorted(NOISE_FACTORS.values()) == list(NOISE_FACTORS.values())
    assert [is_at_least(grade, "B") for grade in GRADES] == [True, True, False, False]


def test_the_grade_survives_the_file(tmp_path):
    cell = rigid_iron(np.tile([0.0, 0.0, 1.0], (8, 1)))
    quality = LabelQuality({"angle_degree": 4.5, "energy_change_meV_per_atom": 0.3})
    known = heisenberg_label(cell)
    graded = LabelledConfiguration(cell, known.energy, info={"source": "test", **quality.as_info()})
    write_dataset(tmp_path / "labels.extxyz", [graded, known])
    back, plain = read_dataset(tmp_path / "labels.extxyz")
    assert (back.grade, back.noise_factor, back.digest) == ("C", 4.0, graded.digest)
    assert read_quality(back.info) == quality
    assert without_quality(back.info) == {"source": "test"}
    assert (plain.grade, plain.noise_factor) == ("A", 1.0)
    assert read_quality(plain.info).numbers == {}


def test_an_unknown_grade_is_refused_where_it_stands(tmp_path):
    cell = rigid_iron(np.tile([0.0, 0.0, 1.0], (8, 1)))
    with pytest.raises(InputError, match="label_grade is 'E'; it must be one of A, B, C, D"):
        LabelledConfiguration(cell, 0.0, info={GRADE_KEY: "E"})
    assert grade_of({}) == "A"
    write_dataset(tmp_path / "labels.extxyz", [LabelledConfiguration(cell, 0.0, info={GRADE_KEY: "B"})])
    text = (tmp_path / "labels.extxyz").read_text()
    (tmp_path / "labels.extxyz").write_text(text.replace("label_grade=B", "label_grade=good"))
    with pytest.raises(InputError, match=r"labels\.extxyz, configuration 0: label_grade is 'good'"):
        read_dataset(tmp_path / "labels.extxyz")
