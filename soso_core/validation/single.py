"""Checks of one configuration alone."""

from collections.abc import Iterator

import numpy as np
from vesin import NeighborList

from soso_core.arrays import FloatArray
from soso_core.configuration import SPIN_LENGTH_TOLERANCE, Configuration
from soso_core.errors import InputError
from soso_core.formats.atoms import labelled_from_atoms
from soso_core.neighbours import SHORTEST_DISTANCE
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import RawFrame, worst_of

ALONG_SPIN = 0.2
"""Accepted component of a field along the spin, over the size of the field.  An incomplete self-consistency, or
directions that were not reached exactly, give a few per cent; a field that was never projected gives 50 % and more."""
SMALL_FIELD = 0.5
"""A single atom counts when its field has this fraction of the configuration's rms; smaller ones are mostly noise."""
NO_FIELD = 1e-6
"""eV/μB; below the resolution of any calculation."""


def check_single(frame: RawFrame) -> list[Finding]:
    """Return the findings on one frame; none when positions, cell or spins are unusable."""
    if not frame.is_usable:
        return []
    try:
        Configuration(frame.numbers_a, frame.positions, frame.cell, np.zeros((len(frame), 3)))
    except InputError as error:
        return [Finding(Kind.REFUSED, str(error), frame.index, array="cell")]
    return [*_spin_lengths(frame), *_zero_spins(frame), *_close_atoms(frame), *_moment_signs(frame), *_fields(frame)]


def check_readable(frame: RawFrame) -> Iterator[Finding]:
    """Yield the reader's error on a frame without other findings: its grade, its target spins, ..."""
    try:
        labelled_from_atoms(frame.atoms)
    except InputError as error:
        yield Finding(Kind.REFUSED, str(error), frame.index, array="info")


def _spin_lengths(frame: RawFrame) -> Iterator[Finding]:
    lengths_a = np.linalg.norm(frame.spins, axis=1)
    errors_a = np.where(frame.is_magnetic_a, np.abs(lengths_a - 1.0), 0.0)
    atom, count = int(np.argmax(errors_a)), int(np.sum(errors_a > SPIN_LENGTH_TOLERANCE))
    if count:
        text = f"spin has length {lengths_a[atom]:.8g}, not 1{worst_of(count)}"
        yield Finding(Kind.SPIN_LENGTH, text, frame.index, atom, float(lengths_a[atom]), "spins")


def _zero_spins(frame: RawFrame) -> Iterator[Finding]:
    """Yield a finding for atoms with a field but without a spin: they count as non-magnetic and lose their field."""
    if frame.fields is None:
        return
    sizes_a = np.where(frame.is_magnetic_a, 0.0, np.max(np.abs(frame.fields), axis=1, initial=0.0))
    atom, count = int(np.argmax(sizes_a)), int(np.sum(sizes_a > NO_FIELD))
    if not count:
        return
    text = f"spin is zero, but the exchange field is {sizes_a[atom]:.3g} eV/μB{worst_of(count)}"
    yield Finding(Kind.SPIN_ZERO, text, frame.index, atom, float(sizes_a[atom]), "spins")


def _close_atoms(frame: RawFrame) -> Iterator[Finding]:
    search = NeighborList(cutoff=SHORTEST_DISTANCE, full_list=False, sorted=True, n_threads=1)
    i_p, j_p, distances_p = search.compute(
        points=np.ascontiguousarray(frame.positions),
        box=np.ascontiguousarray(frame.cell),
        periodic=True,
        quantities="ijd",
    )
    if len(distances_p):
        p = int(np.argmin(distances_p))
        text = f"{distances_p[p]:.3g} Å from atom {j_p[p]}; are the units Å?"
        yield Finding(Kind.CLOSE_ATOMS, text, frame.index, int(i_p[p]), float(distances_p[p]), "positions")


def _moment_signs(frame: RawFrame) -> Iterator[Finding]:
    if frame.moments is None:
        return
    bad_a = (frame.moments < 0.0) | ((frame.moments == 0.0) & frame.is_magnetic_a)
    if not np.any(bad_a):
        return
    atom = int(np.argmin(np.where(bad_a, frame.moments, np.inf)))
    value = float(frame.moments[atom])
    text = f"moment is {value:.6g} μB, must be positive{worst_of(int(bad_a.sum()))}"
    yield Finding(Kind.MOMENT_SIGN, text, frame.index, atom, value, "moments")


def _fields(frame: RawFrame) -> Iterator[Finding]:
    if frame.fields is None:
        return
    if frame.moments is None:
        text = "exchange_fields (eV/μB) need the column 'moments' (μB) to become energies"
        yield Finding(Kind.REFUSED, text, frame.index, array="fields")
    yield from _along_spin(frame, frame.fields)


def _along_spin(frame: RawFrame, fields_ac: FloatArray) -> Iterator[Finding]:
    along_a = np.abs(np.sum(fields_ac * frame.unit_spins_ac, axis=1))
    lengths_a = np.where(frame.is_magnetic_a, np.linalg.norm(fields_ac, axis=1), 0.0)
    scale = float(np.sqrt(np.sum(lengths_a**2) / max(1, frame.is_magnetic_a.sum())))
    if scale <= NO_FIELD:
        return
    part_a = along_a / np.where(lengths_a > 0.0, lengths_a, 1.0)
    judged_a = lengths_a >= SMALL_FIELD * scale
    atom = int(np.argmax(np.where(judged_a, part_a, -1.0)))
    rms = float(np.sqrt(np.sum(along_a**2) / np.sum(lengths_a**2)))
    worst = float(part_a[atom])
    if max(rms, worst) <= ALONG_SPIN:
        return
    text = f"{100 * worst:.0f} % of the field is along the spin ({100 * rms:.0f} % rms over the configuration)"
    yield Finding(Kind.FIELD_ALONG_SPIN, text, frame.index, atom, worst, "fields")
