"""Checks of a set as a whole: missing labels, and outliers among moments and energies."""

from collections.abc import Iterator, Sequence

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import RawFrame, worst_of

MOMENT_FACTOR = 5.0
"""Between 2.5, by which disorder changes true moment magnitudes, and 10, a misplaced decimal point."""
ENERGY_DEVIATIONS = 10.0
"""Robust standard deviations.  Sets of ordered and disordered magnets reach 5, errors reach thousands."""
SMALLEST_ENERGY_SPREAD = 1e-3
"""eV per atom; a smaller spread means that all frames are alike."""
FEWEST_ENERGIES = 8
"""With fewer the median absolute deviation is not significant."""
MAD_TO_DEVIATION = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""

Frames = Sequence[RawFrame]


def check_whole(frames: Frames) -> list[Finding]:
    """Return the findings on the set: missing labels, and outliers among moment magnitudes and energies."""
    return [*_missing_energies(frames), *_missing_fields(frames), *_long_moments(frames), *_energies(frames)]


def _missing_energies(frames: Frames) -> Iterator[Finding]:
    without = [frame.index for frame in frames if frame.energy is None]
    if frames and len(without) == len(frames):
        yield Finding(Kind.ENERGY_MISSING, "no configuration has an energy", array="energy")
        return
    for index in without:
        yield Finding(Kind.ENERGY_MISSING, "the energy is missing", index, array="energy")


def _missing_fields(frames: Frames) -> Iterator[Finding]:
    """Yield the configurations without fields when others have them; a set without any field is valid."""
    without = [frame.index for frame in frames if frame.fields is None]
    if len(without) < len(frames):
        for index in without:
            yield Finding(Kind.FIELDS_MISSING, "exchange_fields are missing; others have them", index, array="fields")


def _long_moments(frames: Frames) -> Iterator[Finding]:
    """Yield the configurations with a moment magnitude far from the median of its species."""
    medians = _medians(frames)
    for frame in frames:
        reference_a = np.array([medians.get(int(number), 1.0) for number in frame.numbers_a])
        ratio_a = np.where(frame.magnitudes_a > 0.0, frame.magnitudes_a / reference_a, 1.0)
        distance_a = np.abs(np.log(ratio_a))
        count = int(np.sum(distance_a > np.log(MOMENT_FACTOR)))
        if count:
            atom = int(np.argmax(distance_a))
            value = float(frame.magnitudes_a[atom])
            text = f"moment is {value:.4g} μB, {ratio_a[atom]:.3g} times the median of its species{worst_of(count)}"
            yield Finding(Kind.MOMENT_OUTLIER, text, frame.index, atom, value, "moments")


def _medians(frames: Frames) -> dict[int, float]:
    """Return the median of the positive moment magnitudes of magnetic atoms, by species."""
    by_species: dict[int, list[float]] = {}
    for frame in frames:
        for number, magnitude in zip(frame.numbers_a.tolist(), frame.magnitudes_a.tolist(), strict=True):
            if magnitude > 0.0:
                by_species.setdefault(number, []).append(magnitude)
    return {number: float(np.median(values)) for number, values in by_species.items()}


def _energies(frames: Frames) -> Iterator[Finding]:
    """Yield the outliers among the energies per atom relative to their composition."""
    labelled = [frame for frame in frames if frame.energy is not None]
    if len(labelled) < FEWEST_ENERGIES:
        return
    rest_k = composition_residual(labelled)
    spread = max(MAD_TO_DEVIATION * float(np.median(np.abs(rest_k))), SMALLEST_ENERGY_SPREAD)
    for frame, rest in zip(labelled, rest_k, strict=True):
        score = abs(float(rest)) / spread
        if score > ENERGY_DEVIATIONS:
            text = (
                f"energy is {1e3 * rest:+.4g} meV/atom from the median of its composition, {score:.0f} times the spread"
            )
            yield Finding(Kind.ENERGY_OUTLIER, text, frame.index, None, float(rest), "energy")


def composition_residual(frames: Frames) -> FloatArray:
    """Return energies per atom less the best sum of one constant per species, (k,) eV, by least absolute deviations.

    With one composition that sum is the median.  Iteratively reweighted least squares reduces the weight of outliers.
    """
    species = sorted({int(number) for frame in frames for number in frame.numbers_a})
    energies_k = np.array([(frame.energy or 0.0) / len(frame) for frame in frames])
    shares_ks = np.array([[np.mean(frame.numbers_a == number) for number in species] for frame in frames])
    if np.allclose(shares_ks, shares_ks[0]):
        return np.asarray(energies_k - np.median(energies_k))
    rest_k = energies_k - np.median(energies_k)
    for _ in range(50):
        root_k = 1.0 / np.sqrt(np.maximum(np.abs(rest_k), 1e-9))
        constants_s = np.linalg.lstsq(shares_ks * root_k[:, None], energies_k * root_k, rcond=None)[0]
        rest_k = energies_k - shares_ks @ constants_s
    return np.asarray(rest_k - np.median(rest_k))
