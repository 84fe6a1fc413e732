"""Settings chosen from the data."""

import numpy as np
import pytest

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.gp.defaults import choose_settings
from soso_core.gp.settings import FitSettings
from soso_core.labels import LabelledConfiguration


def cubic_iron(constant, n_cells=1):
    positions_ac = constant * np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    spins_ac = np.array([[0, 0, 1.0], [1.0, 0, 0]])
    where = Configuration(np.array([26, 26]), positions_ac, constant * np.eye(3), spins_ac)
    return Dataset((LabelledConfiguration(where, energy=0.0),) * n_cells)


def test_bcc_iron_gets_the_default_pair_part_and_five_shells_for_the_gp():
    chosen = choose_settings(cubic_iron(2.86, 200))
    assert chosen.pair == FitSettings().pair
    fifth_shell = 3**0.5 * 2.86
    taper = chosen.descriptor.taper_angstrom
    assert fifth_shell < chosen.descriptor.cutoff_angstrom < fifth_shell + 2 * taper


def test_reach_follows_the_lattice_and_radial_functions_keep_their_density():
    near, far = choose_settings(cubic_iron(2.5)), choose_settings(cubic_iron(4.0))
    assert near.pair.cutoff_angstrom < far.pair.cutoff_angstrom
    for chosen in (near, far):
        for part in (chosen.pair, chosen.descriptor):
            assert part.n_max / part.cutoff_angstrom == pytest.approx(12 / 7, rel=0.06)


def test_reach_is_limited():
    assert choose_settings(cubic_iron(30.0)).pair.cutoff_angstrom == 12.0


@pytest.mark.parametrize(("n_cells", "expected"), [(1, 2), (8, 16), (15, 20), (60, 60), (500, 100)])
def test_inducing_points_grow_with_the_environments(n_cells, expected):
    assert choose_settings(cubic_iron(2.86, n_cells)).n_inducing == expected
