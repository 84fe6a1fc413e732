"""Detection of two definitions of the moment magnitude in one set.

VASP prints `MW_int`, weighted towards the nucleus, and `M_int`, the whole sphere.  The first is about 0.69 times
the second.  With disorder true magnitudes vary more than that.  So the test has three conditions: the medians of the
configurations form two clusters with that ratio, there is a gap between the clusters, and both have the same range of
magnetic order.  The result is a suspicion, not a proof.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from ase.data import chemical_symbols

from soso_core.arrays import FloatArray
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import RawFrame

RATIO, RATIO_TOLERANCE = 0.69, 0.06
"""MW_int over M_int in the tables of VASP for 3d metals; it depends weakly on the configuration."""
SMALLEST_GAP = 0.5
"""Smallest gap as a fraction of the distance of the clusters; one broad cluster has no such gap."""
FEWEST = 2
"""Configurations in the smaller cluster; a single one is an outlier, not a definition."""

Frames = Sequence[RawFrame]


def check_mixed_moments(frames: Frames) -> list[Finding]:
    """Return a finding when the set names two definitions, or else one per species with two clusters."""
    kinds = sorted({frame.moment_kind for frame in frames if frame.moments is not None and frame.moment_kind})
    if len(kinds) > 1:
        return [Finding(Kind.MIXED_MOMENTS, f"moment_kind differs: {', '.join(kinds)}", array="moments")]
    species = sorted({int(number) for frame in frames for number in frame.numbers_a})
    return [item for number in species for item in _of_species(frames, number)]


def _of_species(frames: Frames, number: int) -> Iterator[Finding]:
    rows = [row for frame in frames if (row := _row(frame, number)) is not None]
    if len(rows) < 2 * FEWEST:
        return
    table = np.array(sorted(rows))
    logs_k = np.log(table[:, 0])
    cut = int(np.argmax(np.diff(logs_k))) + 1
    low, high = table[:cut], table[cut:]
    ratio = float(np.median(low[:, 0]) / np.median(high[:, 0]))
    gap = float(logs_k[cut] - logs_k[cut - 1])
    separated = gap >= -SMALLEST_GAP * np.log(ratio)
    if min(len(low), len(high)) >= FEWEST and abs(ratio - RATIO) <= RATIO_TOLERANCE and separated:
        if not _same_order(low[:, 1], high[:, 1]):
            return
        few = low if len(low) <= len(high) else high
        text = (
            f"moment magnitudes of {chemical_symbols[number]} form two groups with ratio {ratio:.2f} "
            f"({len(low)} and {len(high)} configurations, the fewer are {_list_indices(few[:, 2])}); "
            "MW_int and M_int mixed? (suspected)"
        )
        yield Finding(Kind.MIXED_MOMENTS, text, None, None, ratio, "moments")


def _row(frame: RawFrame, number: int) -> tuple[float, float, float] | None:
    """Return median magnitude of a species, net spin per atom and index of a configuration."""
    if not frame.is_usable:
        return None
    counts_a = (frame.numbers_a == number) & (frame.magnitudes_a > 0.0)
    if not np.any(counts_a):
        return None
    order = float(np.linalg.norm(np.mean(frame.unit_spins_ac[counts_a], axis=0)))
    return float(np.median(frame.magnitudes_a[counts_a])), order, float(frame.index)


def _same_order(one_k: FloatArray, other_k: FloatArray) -> bool:
    """Return whether the ranges of net moments overlap; otherwise magnetic order explains the magnitudes."""
    return bool(one_k.min() <= other_k.max() and other_k.min() <= one_k.max())


def _list_indices(indices: FloatArray, most: int = 8) -> str:
    numbers = sorted(int(k) for k in indices)
    return ", ".join(map(str, numbers[:most])) + (", ..." if len(numbers) > most else "")
