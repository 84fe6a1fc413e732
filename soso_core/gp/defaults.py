"""Settings of a fit, chosen from the data."""

from typing import TypeVar

import numpy as np

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.descriptors.parameters import PairDescriptorParameters
from soso_core.gp.settings import FitSettings, PairPartSettings
from soso_core.neighbours import find_neighbours

RadialSettings = TypeVar("RadialSettings", PairPartSettings, PairDescriptorParameters)

PAIR_REACH = 2.83
"""Cutoff of the pair part over the nearest distance of magnetic atoms: 7 Å in bcc iron."""
DESCRIPTOR_REACH = 2.45
"""The same for the GP, which is for the short range: 6 Å in bcc iron, five shells and the taper."""
SIGMA_SPIN = 1.2
"""Sharper than the published 1.5: better where nearly parallel and random spins meet, as in a campaign."""
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
    sharp = default.descriptor.model_copy(update={"sigma_spin": SIGMA_SPIN})
    nearest = float(np.mean([_nearest_distance(item.configuration) for item in dataset]))
    n_environments = sum(len(item.configuration) for item in dataset)
    return default.model_copy(
        update={
            "pair": _reaching(default.pair, PAIR_REACH * nearest),
            "descriptor": _reaching(sharp, DESCRIPTOR_REACH * nearest),
            "n_inducing": min(n_environments, max(20, min(default.n_inducing, n_environments // 2))),
        }
    )


def _reaching(default: RadialSettings, reach: float) -> RadialSettings:
    """Return the same settings with another cutoff (Å, within limits) and as many radial functions per Å."""
    cutoff = round(min(max(reach, SHORTEST_REACH), LONGEST_REACH), 1)
    n_max = max(4, round(default.n_max * cutoff / default.cutoff_angstrom))
    return default.model_copy(update={"cutoff_angstrom": cutoff, "n_max": n_max})


def _nearest_distance(configuration: Configuration) -> float:
    """Return the mean distance of a magnetic atom to its nearest magnetic one, Å, at most SEARCH_RADIUS."""
    neighbours = find_neighbours(configuration, SEARCH_RADIUS)
    magnetic_a = configuration.is_magnetic_a if configuration.n_magnetic else ~configuration.is_magnetic_a
    both_p = magnetic_a[neighbours.i_p] & magnetic_a[neighbours.j_p]
    nearest_a = np.full(len(configuration), SEARCH_RADIUS)
    np.minimum.at(nearest_a, neighbours.i_p[both_p], neighbours.distances_p[both_p])
    return float(np.mean(nearest_a[magnetic_a]))
