"""Settings chosen from the data."""

from itertools import combinations

import numpy as np
import pytest

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.gp.inference.defaults import choices, choose_settings, differences
from soso_core.gp.model.settings import FitSettings
from soso_core.labels import LabelledConfiguration


def cubic_iron(constant, n_cells=1):
    positions_ac = constant * np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    spins_ac = np.array([[0, 0, 1.0], [1.0, 0, 0]])
    where = Configuration(np.array([26, 26]), positions_ac, constant * np.eye(3), spins_ac)
    return Dataset((LabelledConfiguration(where, energy=0.0),) * n_cells)


def test_bcc_iron_gets_the_default_pair_part_and_three_or_five_shells_for_the_gp():
    offered = choices(cubic_iron(2.86, 200))
    assert all(each.pair == FitSettings().pair and each.descriptor is None for each in offered)
    third_shell, fifth_shell = 2**0.5 * 2.86, 3**0.5 * 2.86
    reaches = sorted({each.three_body.cutoff_angstrom for each in offered})
    for reach, shell in zip(reaches, (third_shell, fifth_shell), strict=True):
        assert shell < reach < shell + offered[0].three_body.taper_angstrom


def test_choices_differ_in_what_they_say_they_differ_in():
    offered = choices(cubic_iron(2.86))
    assert offered[0] == choose_settings(cubic_iron(2.86))
    assert all(left != right for left, right in combinations(offered, 2))
    varied = differences(offered)
    assert {key for each in varied for key in each} == {"three_body.cutoff_angstrom", "three_body.decay"}
    assert len({tuple(each.values()) for each in varied}) == len(offered)


def test_reach_follows_the_lattice_and_radial_functions_keep_their_density():
    near, far = choose_settings(cubic_iron(2.5)), choose_settings(cubic_iron(4.0))
    assert near.pair.cutoff_angstrom < far.pair.cutoff_angstrom
    assert near.three_body.cutoff_angstrom < far.three_body.cutoff_angstrom
    for chosen in (near, far):
        assert chosen.pair.n_max / chosen.pair.cutoff_angstrom == pytest.approx(12 / 7, rel=0.06)
    # Rounded to hundredths of an Å.
    ratio = far.three_body.sigma_angstrom / near.three_body.sigma_angstrom
    assert ratio == pytest.approx(4.0 / 2.5, rel=0.02)


def test_reach_is_limited():
    offered = choices(cubic_iron(30.0))
    assert all(each.pair.cutoff_angstrom == 12.0 for each in offered)
    assert max(each.three_body.cutoff_angstrom for each in offered) == 12.0


@pytest.mark.parametrize(("n_cells", "expected"), [(1, 2), (8, 16), (20, 40), (300, 60), (500, 80)])
def test_inducing_points_are_a_tenth_of_the_environments_within_limits(n_cells, expected):
    assert choose_settings(cubic_iron(2.86, n_cells)).n_inducing == expected
