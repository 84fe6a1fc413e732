"""Configurations that symmetry turns into each other.

Energies know distances and angles between spins only: rotating all spins, reversing them, rotating or moving the
crystal and renaming like atoms change nothing.  A fingerprint has the same invariances.  It is made of sorted
lists, which move no more than their entries do: of weights w(r) of all pairs, of w(r) e_i·e_j, and of the
eigenvalues of the matrices w(r) z_i z_j (1 + s e_i·e_j) with s = 0, 1 and z a number of the species.  The
lists find every displacement and turn to first order, the eigenvalues find how the pairs hang together.  What agrees
in all of that is compared exactly, by soso_core.symmetry.match.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from vesin import NeighborList

from soso_core.arrays import FloatArray
from soso_core.symmetry.match import equivalent
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import RawFrame

REACH = 5.5
"""Å; several shells of any crystal; cells that are larger hang together through the eigenvalues."""
TOLERANCE = 1e-5
"""Of weights between 0 and 1: 1e-4 Å and 1e-5 in a cosine, ten times what 6 decimals in a file leave."""
ENERGY_TOLERANCE = 1e-5
"""eV per atom: two runs of one configuration agree to their convergence, not to rounding."""
LENGTH_TOLERANCE = 1e-3
"""μB, and eV/μB for fields: the three decimals of common outputs."""

Frames = Sequence[RawFrame]


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Sorted, descending lists that symmetry does not change, and the composition."""

    composition: tuple[int, ...]
    weights_k: FloatArray
    cosines_k: FloatArray
    lattice_a: FloatArray
    spins_a: FloatArray

    @property
    def lists(self) -> tuple[FloatArray, ...]:
        """Everything that is compared within the tolerance."""
        return self.weights_k, self.cosines_k, self.lattice_a, self.spins_a


Firsts = dict[tuple[tuple[int, ...], int], list[tuple[Fingerprint, RawFrame]]]
"""Configurations that repeat none before them, in drawers by composition and one number of the fingerprint."""


def fingerprint(frame: RawFrame) -> Fingerprint:
    """Return the fingerprint of a configuration with finite positions, cell and spins."""
    search = NeighborList(cutoff=REACH, full_list=True, sorted=True, n_threads=1)
    i_p, j_p, distances_p = search.compute(
        points=np.ascontiguousarray(frame.positions),
        box=np.ascontiguousarray(frame.cell),
        periodic=True,
        quantities="ijd",
    )
    weights_p = (1.0 - (np.asarray(distances_p) / REACH) ** 2) ** 2
    z_a = 1.0 + 0.01 * frame.numbers_a
    kinds_p = weights_p * z_a[i_p] * z_a[j_p] / z_a.max() ** 2
    cosines_p = np.sum(frame.unit_spins_ac[i_p] * frame.unit_spins_ac[j_p], axis=1)
    shape = (len(frame), len(frame))
    matrices = []
    for share in (0.0, 1.0):
        matrix_aa = np.zeros(shape)
        np.add.at(matrix_aa, (i_p, j_p), kinds_p * (1.0 + share * cosines_p))
        matrices.append(_spectrum(matrix_aa))
    composition = tuple(sorted(frame.numbers_a.tolist()))
    return Fingerprint(composition, _descending(kinds_p), _descending(kinds_p * cosines_p), *matrices)


def _spectrum(matrix_aa: FloatArray) -> FloatArray:
    """Return eigenvalues, descending, in units of the largest sum of a row, which bounds them."""
    scale = max(float(np.abs(matrix_aa).sum(axis=1).max()), 1e-300)
    return _descending(np.asarray(np.linalg.eigvalsh(matrix_aa), dtype=np.float64) / scale)


def _descending(values: FloatArray) -> FloatArray:
    return np.asarray(np.sort(values)[::-1])


def same_fingerprint(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether two fingerprints agree within the tolerance."""
    if one.composition != other.composition:
        return False
    return all(_distance(a, b) <= TOLERANCE for a, b in zip(one.lists, other.lists, strict=True))


def _distance(one: FloatArray, other: FloatArray) -> float:
    """Return the largest difference; lists differ in length by pairs at the very end of the reach, of weight zero."""
    short, long = sorted((one, other), key=len)
    if len(short) < len(long):
        zeros = np.zeros(len(long) - len(short))
        short, long = _descending(np.concatenate([short, zeros])), _descending(long)
    return float(np.max(np.abs(short - long), initial=0.0))


def check_duplicates(frames: Frames) -> list[Finding]:
    """Return a finding for every configuration that repeats an earlier one."""
    firsts: Firsts = {}
    return [item for frame in frames if frame.fit for item in _repeats(frame, firsts)]


def _repeats(frame: RawFrame, firsts: Firsts) -> Iterator[Finding]:
    """Yield the finding when a frame repeats one of `firsts`, or else add it to them."""
    mine = fingerprint(frame)
    drawer = int(np.floor(float(mine.spins_a[0]) / TOLERANCE))
    for near in (drawer - 1, drawer, drawer + 1):  # equal ones differ by at most one
        for theirs, other in firsts.get((mine.composition, near), ()):
            if same_fingerprint(mine, theirs) and equivalent(frame, other):
                equal, difference = compare_labels(frame, other)
                text = f"same as configuration {other.index} up to symmetry; labels {difference}"
                yield Finding(Kind.DUPLICATE, text, frame.index, other=other.index, labels_equal=equal)
                return
    firsts.setdefault((mine.composition, drawer), []).append((mine, frame))


def compare_labels(one: RawFrame, other: RawFrame) -> tuple[bool, str]:
    """Return whether labels that symmetry does not turn are equal, and how they differ."""
    if one.energy is not None and other.energy is not None:
        difference = (one.energy - other.energy) / len(one)
        if abs(difference) > ENERGY_TOLERANCE:
            return False, f"differ: energy by {1e3 * difference:.3g} meV/atom"
    for name in ("energy", "moments", "fields", "forces"):
        mine, theirs = getattr(one, name), getattr(other, name)
        if (mine is None) != (theirs is None):
            return False, f"differ: only configuration {(one if theirs is None else other).index} has {name}"
        if mine is None or name == "energy":
            continue
        lists = [np.sort(np.linalg.norm(values.reshape(len(one), -1), axis=1)) for values in (mine, theirs)]
        difference = float(np.max(np.abs(lists[0] - lists[1])))
        if difference > LENGTH_TOLERANCE * max(1.0, float(lists[0].max()) if name == "forces" else 1.0):
            return False, f"differ: {name} by {difference:.3g} {_UNITS[name]}"
    return True, "equal"


_UNITS = {"moments": "μB", "fields": "eV/μB", "forces": "eV/Å"}
