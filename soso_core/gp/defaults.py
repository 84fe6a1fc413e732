"""Settings of a fit, chosen from the data."""

import numpy as np

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.gp.settings import FitSettings
from soso_core.neighbours import find_neighbours

REACH_IN_NEAREST_DISTANCES = 2.83
"""Cutoff over nearest distance of magnetic atoms: 7 Å in bcc iron, five shells."""
SHORTEST_REACH, LONGEST_REACH = 4.0, 12.0
"""Å; the cost grows with the cube of the cutoff."""
SEARCH_RADIUS = 6.0
"""Å; a nearest distance beyond this would give the longest reach anyway."""


def choose_settings(dataset: Dataset) -> FitSettings:
    """Return settings for `dataset`: the defaults, with reach and number of inducing points from the data.

    Reach follows the distance of nearest magnetic atoms; radial functions keep their density.  Inducing
    points: half of the environments, 20 at least and 100 at most, never more than there are.
    """
    default = FitSettings()
    reach = _reach(dataset)
    n_max = max(4, round(default.pair.n_max * reach / default.pair.cutoff_angstrom))
    radial = {"cutoff_angstrom": reach, "n_max": n_max}
    n_environments = sum(len(item.configuration) for item in dataset)
    return default.model_copy(
        update={
            "pair": default.pair.model_copy(update=radial),
            "descriptor": default.descriptor.model_copy(update=radial),
            "n_inducing": min(n_environments, max(20, min(default.n_inducing, n_environments // 2))),
        }
    )


def _reach(dataset: Dataset) -> float:
    nearest = [_nearest_distance(item.configuration) for item in dataset]
    reach = REACH_IN_NEAREST_DISTANCES * float(np.mean(nearest))
    return round(min(max(reach, SHORTEST_REACH), LONGEST_REACH), 1)


def _nearest_distance(configuration: Configuration) -> float:
    """Return the mean distance of a magnetic atom to its nearest magnetic one, Å, at most SEARCH_RADIUS."""
    neighbours = find_neighbours(configuration, SEARCH_RADIUS)
    magnetic_a = configuration.is_magnetic_a if configuration.n_magnetic else ~configuration.is_magnetic_a
    both_p = magnetic_a[neighbours.i_p] & magnetic_a[neighbours.j_p]
    nearest_a = np.full(len(configuration), SEARCH_RADIUS)
    np.minimum.at(nearest_a, neighbours.i_p[both_p], neighbours.distances_p[both_p])
    return float(np.mean(nearest_a[magnetic_a]))
