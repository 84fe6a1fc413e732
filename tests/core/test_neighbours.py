"""Messages about atoms that are too close to each other: an atom may be close to an image of itself."""

import numpy as np
import pytest

from soso_core.configuration import Configuration
from soso_core.engines.checks import check_distances
from soso_core.engines.tight_binding import TightBindingSettings
from soso_core.engines.tight_binding import engine as tight_binding
from soso_core.errors import InputError
from soso_core.neighbours import find_neighbours

ITSELF = "^atom 0 and its own periodic image are "


def iron(edges, *positions):
    spins_ac = np.tile([0.0, 0.0, 1.0], (len(positions), 1))
    return Configuration([26] * len(positions), np.array(positions, dtype=float), np.diag(edges), spins_ac)


def test_an_atom_and_its_image_are_called_so():
    with pytest.raises(InputError, match=ITSELF + "0.3 Å apart; are the units Å"):
        find_neighbours(iron((0.3, 5.0, 5.0), (0, 0, 0)), 3.0)
    with pytest.raises(InputError, match=r"^atoms (0 and 1|1 and 0) are 0\.2 Å apart; are the units Å"):
        find_neighbours(iron((3.0, 3.0, 3.0), (0, 0, 0), (0, 0, 0.2)), 3.0)


def test_engines_call_them_so():
    cell = iron((1.1, 5.0, 5.0), (0, 0, 0))
    with pytest.raises(InputError, match=ITSELF + "1.1 Å apart; the minimum allowed distance is 1.2 Å"):
        tight_binding.check(cell, TightBindingSettings())
    with pytest.raises(InputError, match=ITSELF + "1.1 Å apart; the minimum allowed distance is 1.5 Å"):
        check_distances(find_neighbours(cell, 1.5), 1.5)
