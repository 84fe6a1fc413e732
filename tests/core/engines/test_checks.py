"""Checks that engines share: chemical symbols, species and distances."""

import numpy as np
import pytest
from iron_cells import bcc

from soso_core.configuration import Configuration
from soso_core.engines.checks import SpeciesKey, check_distances, check_species
from soso_core.errors import InputError
from soso_core.neighbours import find_neighbours
from soso_core.settings import Settings, parse_settings

IRON = bcc((1, 1, 1), np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
ALLOY = Configuration([26, 27], IRON.positions_ac, IRON.cell_vc, IRON.spins_ac)


class Radii(Settings):
    """Radii by chemical symbol."""

    radii: dict[SpeciesKey, float]


@pytest.mark.parametrize("symbol", ["Iron", "X", "fe", ""])
def test_a_key_that_is_no_symbol_is_named(symbol):
    assert parse_settings(Radii, {"radii": {"Fe": 1.0}}, "here").radii == {"Fe": 1.0}
    with pytest.raises(InputError, match=f"here: radii.{symbol}: '{symbol}' is not a chemical symbol"):
        parse_settings(Radii, {"radii": {symbol: 1.0}}, "here")


def test_the_first_unknown_species_is_named():
    check_species(ALLOY, ["Co", "Fe"])
    check_species(ALLOY, ["Fe"], ALLOY.is_magnetic_a)  # the cobalt has no spin
    with pytest.raises(InputError, match="atom 1 is Co; `species` has parameters for Fe, Ni only"):
        check_species(ALLOY, ["Fe", "Ni"])


def test_the_closest_pair_is_named():
    positions_ac = np.array([[0.0, 0.0, 0.0], [2.5, 0.0, 0.0], [0.0, 1.4, 0.0]])
    pairs = find_neighbours(Configuration([26] * 3, positions_ac, 9.0 * np.eye(3), np.zeros((3, 3))), 3.0)
    check_distances(pairs, 1.4)
    with pytest.raises(InputError, match=r"atoms 0 and 2 are 1\.4 Å apart; the minimum allowed distance is 1\.5 Å"):
        check_distances(pairs, 1.5)
