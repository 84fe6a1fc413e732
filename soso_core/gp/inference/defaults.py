"""Settings of a fit from the data: cutoffs from the distances; the evidence selects among several."""

from collections.abc import Sequence

import numpy as np

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.descriptors.parameters import ThreeBodyParameters
from soso_core.gp.model.settings import FitSettings, PairPartSettings
from soso_core.neighbours import find_neighbours

PAIR_REACH = 2.83
"""Cutoff of the pair part over the nearest distance of magnetic atoms: 7 Å in bcc iron."""
THREE_BODY_REACHES = (1.87, 2.37)
"""The same for the three-body part: 4.6 Å and 5.8 Å in bcc iron, three and five shells with their taper."""
DECAYS = (2.0, 4.0, 6.0)
"""Exponents of the decay of the density of neighbours with distance."""
RADIAL_WIDTH = 0.24
"""Width of the radial Gaussians over the nearest distance: 0.6 Å in bcc iron."""
ZETA = 2
FEWEST_INDUCING, MOST_INDUCING = 40, 80
"""For each monomial of the covariance: a tenth of the environments, within these limits.

On a rigid lattice more change nothing; on displaced cells 80 were measured to bring forces from 6.5 to 5.4 % of their
rms.
"""
SHORTEST_REACH, LONGEST_REACH = 3.0, 12.0
"""Å; the cost grows with the cube of the cutoff."""
SEARCH_RADIUS = 6.0
"""Å; a nearest distance beyond this would give the longest reach anyway."""


def choices(dataset: Dataset) -> tuple[FitSettings, ...]:
    """Return settings among which the evidence of `dataset` selects: short and long cutoff, slow to fast decay.

    Cutoffs and widths follow the distance of nearest magnetic atoms.  The first is used unless another is clearly
    better.  It has the slow decay, which prefers no shell; its cutoff is the long one with derivatives of the energy,
    which are many labels in one, and the short one with energies alone.
    """
    nearest = float(np.mean([_nearest_distance(item.configuration) for item in dataset]))
    n_environments = sum(len(item.configuration) for item in dataset)
    return tuple(
        FitSettings(
            pair=_pair_settings(nearest),
            descriptor=None,
            three_body=_three_body_settings(nearest, reach, decay),
            zeta=ZETA,
            n_inducing=min(n_environments, int(np.clip(n_environments // 10, FEWEST_INDUCING, MOST_INDUCING))),
        )
        for reach in (THREE_BODY_REACHES[::-1] if _has_derivatives(dataset) else THREE_BODY_REACHES)
        for decay in DECAYS
    )


def _has_derivatives(dataset: Dataset) -> bool:
    return any(item.exchange_fields_ac is not None or item.forces_ac is not None for item in dataset)


def choose_settings(dataset: Dataset) -> FitSettings:
    """Return the first of `choices`, for a fit without a selection by evidence."""
    return choices(dataset)[0]


def differences(settings: Sequence[FitSettings]) -> list[dict[str, object]]:
    """Return, for each of some settings, the keys (dotted) and values in which they are not all alike."""
    flat = [flatten(each.model_dump()) for each in settings]
    keys = [key for key in flat[0] if any(each.get(key) != flat[0][key] for each in flat)]
    return [{key: each.get(key) for key in keys} for each in flat]


def flatten(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Return the values of nested settings by dotted key."""
    rows: dict[str, object] = {}
    for key, value in values.items():
        rows |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return rows


def _pair_settings(nearest: float) -> PairPartSettings:
    """Return the pair part with its reach (Å, within limits) and as many radial functions per Å as the default."""
    default = PairPartSettings()
    cutoff = _limit(PAIR_REACH * nearest)
    n_max = max(4, round(default.n_max * cutoff / default.cutoff_angstrom))
    return default.model_copy(update={"cutoff_angstrom": cutoff, "n_max": n_max})


def _three_body_settings(nearest: float, reach: float, decay: float) -> ThreeBodyParameters:
    width = round(max(RADIAL_WIDTH * nearest, 0.1), 2)
    return ThreeBodyParameters(cutoff_angstrom=_limit(reach * nearest), sigma_angstrom=width, decay=decay)


def _limit(cutoff: float) -> float:
    return round(min(max(cutoff, SHORTEST_REACH), LONGEST_REACH), 1)


def _nearest_distance(configuration: Configuration) -> float:
    """Return the mean distance of a magnetic atom to its nearest magnetic one, Å, at most SEARCH_RADIUS."""
    neighbours = find_neighbours(configuration, SEARCH_RADIUS)
    magnetic_a = configuration.is_magnetic_a if configuration.n_magnetic else ~configuration.is_magnetic_a
    both_p = magnetic_a[neighbours.i_p] & magnetic_a[neighbours.j_p]
    nearest_a = np.full(len(configuration), SEARCH_RADIUS)
    np.minimum.at(nearest_a, neighbours.i_p[both_p], neighbours.distances_p[both_p])
    return float(np.mean(nearest_a[magnetic_a]))
