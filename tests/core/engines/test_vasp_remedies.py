"""What is changed when a run of VASP fails, and how its files are judged; no files of VASP needed."""

import numpy as np
import pytest

from soso_core.engines.vasp.complaints import COMPLAINTS, complaint_remedy, find_complaint, quote_complaint
from soso_core.engines.vasp.oszicar import ScfTrace, read_scf
from soso_core.engines.vasp.output_files import (
    check_labels,
    incar_problems,
    number_of_bands,
    outcar_is_whole,
    vasprun_is_whole,
)
from soso_core.engines.vasp.remedies import (
    MOST_STEPS,
    SCF_REMEDIES,
    density_is_useful,
    fitting_steps,
    lost_moments,
    moment_remedy,
    more_steps,
    numbers,
    weaker_mixing,
)
from soso_core.errors import InputError

UP, SIDE = [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]


def incar(**changes):
    base = {
        "lnoncollinear": True,
        "i_constrained_m": 4,
        "lambda": 10.0,
        "m_constr": UP + SIDE + [0.0] * 3,
        "magmom": [0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        "rwigs": [1.3, 1.4],
    }
    return {**base, **changes}


SYMBOLS = ["Fe", "Fe", "Rh"]


def test_a_sound_incar():
    assert incar_problems(incar(), SYMBOLS) == []
    assert incar_problems(incar(magmom="0 0 2 2 5*0", m_constr="2*0 1 1 5*0"), SYMBOLS) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"magmom": [2.0, 2.0, 0.0]}, "MAGMOM has 3 numbers, not 9"),
        ({"m_constr": "6*0"}, "M_CONSTR has 6 numbers, not 9"),
        ({"rwigs": [1.3]}, "RWIGS has 1 numbers, not 2"),
        ({"rwigs": 1.3}, "RWIGS has 1 numbers, not 2"),
        ({"magmom": None}, "MAGMOM has 0 numbers, not 9"),
        ({"lnoncollinear": False}, "LNONCOLLINEAR is not set"),
        ({"i_constrained_m": 3}, "I_CONSTRAINED_M is 3"),
        ({"lambda": 0}, "LAMBDA is not positive"),
    ],
)
def test_what_vasp_would_refuse(changes, words):
    (problem,) = incar_problems(incar(**changes), SYMBOLS)
    assert words in problem


def test_a_kind_in_two_blocks():
    problems = incar_problems(incar(), ["Fe", "Rh", "Fe"])
    assert problems == ["RWIGS has 2 numbers, not 3", "the atoms of a kind are not next to each other"]


def test_the_last_cycle_of_oszicar():
    text = (
        "DAV:   1     0.888483102013E+03    0.88848E+03   -0.44745E+04  1200   0.110E+03\n"
        "DAV:   2    -0.389532857488E+02   -0.92744E+03   -0.85575E+03  1200   0.291E+02\n"
        "   1 F= -.12480456E+03 E0= -.12479754E+03  d E =-.210617E-01\n"
        "CGA:   1    -0.124804557292E+03   -0.12195E-03   -0.13356E-03  1200   0.414E-02\n"
        "RMM:   2    -0.124804557293E+03-0.97123-101   -0.13356E-03  1200   0.414E-02\n"
    )
    assert read_scf(text) == ScfTrace(2, pytest.approx(-0.97123e-101))
    assert read_scf("") == ScfTrace(0, float("inf"))


def test_whole_files():
    assert outcar_is_whole(" General timing and accounting informations for this job:\n")
    assert not outcar_is_whole(" General timing and acc")
    assert vasprun_is_whole("<modeling>\n</modeling>\n")
    assert not vasprun_is_whole("<modeling>\n</modelin")
    assert number_of_bands("   number of bands    NBANDS=     24\n") == 24
    assert number_of_bands("") is None


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"forces": np.zeros((2, 3))}, "forces"),
        ({"forces": np.full((3, 3), np.nan)}, "forces"),
        ({"stress": np.zeros((2, 3))}, "stress"),
        ({"total_energies": {"energy_free": float("nan")}}, "energy_free"),
    ],
)
def test_numbers_that_are_no_labels(changes, word):
    sound = {"forces": np.zeros((3, 3)), "stress": np.eye(3), "total_energies": {"energy_free": -1.0}}
    check_labels(sound, 3)
    with pytest.raises(InputError, match=word):
        check_labels({**sound, **changes}, 3)


def test_each_remedy_goes_beyond_the_last():
    settings = {"amix": 0.05, "bmix": 0.001, "nelm": 60}
    seen = [dict(settings)]
    for remedy in SCF_REMEDIES:
        settings = {**settings, **remedy(settings)}
        assert settings not in seen
        seen.append(dict(settings))
    assert settings["amix"] == pytest.approx(0.02)
    assert settings["amix_mag"] == pytest.approx(0.64)  # of VASP's own 1.6
    assert settings["bmix"] == 0.0001
    assert settings["algo"] == "all"
    assert settings["nelm"] == 180  # 60, by 1.5 for the mixing, by 2 at last


def test_weaker_mixing_never_makes_it_stronger():
    assert weaker_mixing({"bmix": 1e-5})["bmix"] == 1e-5
    assert weaker_mixing({"nelm": 2 * MOST_STEPS})["nelm"] == 2 * MOST_STEPS
    assert more_steps({"nelm": MOST_STEPS - 1})["nelm"] == MOST_STEPS


def test_direct_minimisation_that_failed_is_given_up():
    assert SCF_REMEDIES[1]({"algo": "All"}) == {"algo": "normal"}


def test_whether_a_density_is_of_use():
    assert density_is_useful(ScfTrace(60, -0.1), n_atoms=2)
    assert not density_is_useful(ScfTrace(60, -0.3), n_atoms=2)
    assert not density_is_useful(ScfTrace(0, float("inf")), n_atoms=100)


def test_steps_that_fit():
    assert fitting_steps(ScfTrace(20, 1.0)) == 16
    assert fitting_steps(ScfTrace(4, 1.0)) is None


def test_longer_moments_at_the_second_try():
    first, second = moment_remedy(incar(), 0), moment_remedy(incar(), 1)
    assert "magmom" not in first
    np.testing.assert_allclose(second["magmom"], 1.5 * np.array(incar()["magmom"]))
    assert first["amix"] < 0.4


def test_lost_moments():
    sound_ac = np.array([[0.01, 0.0, 1.5], [1.5, 0.0, 0.0], [0.0, 0.0, -0.3]])
    assert lost_moments(incar(), sound_ac) == ([], [])  # the third has no constraint
    flipped_ac, short_ac = sound_ac * [[-1], [1], [1]], sound_ac * [[1], [0.1], [1]]
    assert lost_moments(incar(), flipped_ac) == ([1], [])
    assert lost_moments(incar(), short_ac) == ([], [2])
    assert lost_moments(incar(), -short_ac) == ([1], [2])  # one that is lost has no direction


def test_numbers_of_an_incar():
    assert numbers("2*1.5 0").tolist() == [1.5, 1.5, 0.0]
    assert numbers([1, 2]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (" Error EDDDAV: Call to ZHEGV failed. Returncode = 12 1 24", "edddav_zhegv"),
        (" WARNING in EDDRMM: call to ZHEGV failed, returncode =   6  3     11", "eddrmm_zhegv"),
        (" LAPACK: Routine ZPOTRF failed!           0           1", "zpotrf"),
        (" WARNING: Sub-Space-Matrix is not hermitian in DAV            1", "not_hermitian"),
        (" BRMIX: very serious problems", "brmix"),
        ("|     TOO FEW BANDS!! |", "few_bands"),
        (" Error reading item 'MAGMOM' from file INCAR.", "incar"),
        (" ERROR: non collinear calculations require that VASP is compiled", "collinear"),
        (" WARNING: dimensions on CHGCAR file are different", "density_foreign"),
        (" I REFUSE TO CONTINUE WITH THIS SICK JOB ... BYE!!!", "refused"),
        (" running on 4 total cores\n DAV:   1", None),
    ],
)
def test_complaints(line, name):
    found = find_complaint(f" vasp.6.4.2\n{line}\n")
    assert (found and found.name) == name


def test_a_complaint_is_quoted_with_its_reason():
    box = "|    RWIGS must be positive      |\n|      |\n|  ---->  I REFUSE TO CONTINUE WITH THIS SICK JOB <----  |\n"
    complaint = find_complaint(box)
    assert complaint is not None
    assert quote_complaint(complaint, box) == "RWIGS must be positive / I REFUSE TO CONTINUE WITH THIS SICK JOB"


def test_every_complaint_is_distinguished():
    assert len({complaint.name for complaint in COMPLAINTS}) == len(COMPLAINTS)
    by_name = {complaint.name: complaint for complaint in COMPLAINTS}
    assert complaint_remedy(by_name["few_bands"], 100) == {"nbands": 115}
    assert complaint_remedy(by_name["few_bands"], None) is None
    assert complaint_remedy(by_name["refused"], 100) is None
    assert complaint_remedy(by_name["density_cut"], None) == {}
