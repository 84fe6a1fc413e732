"""A copy of a set without what the check found, as far as that can be mended without a guess."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from soso_core.errors import InputError
from soso_core.formats.atoms import labelled_from_atoms
from soso_core.labels import transverse
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import STRUCTURE

RENORMALISED = 1e-3
"""Spins this near to unit length were rounded to three decimals; further off, nobody knows what they are."""
UNFIT = frozenset({*STRUCTURE, "pbc"})
REMOVED: dict[Kind, tuple[str, ...]] = {
    Kind.MOMENT_SIGN: ("moments", "fields"),
    Kind.MOMENT_OUTLIER: ("moments", "fields"),
    Kind.ENERGY_OUTLIER: ("energy",),
}
"""Labels that go with a finding; fields are of no use without lengths."""


@dataclass(frozen=True)
class Cleaned:
    """What is left of a set, and what was done to it.

    Parameters
    ----------
    frames : ASE frames, every one of which the strict reader takes
    actions : configuration in the original set, and what was done to it
    """

    frames: tuple[Atoms, ...]
    actions: tuple[tuple[int, str], ...]


def clean_frames(atoms: Sequence[Atoms], findings: Iterable[Finding]) -> Cleaned:
    """Return the frames without their faults; the originals are left alone.

    Spins within 1e-3 of unit length are renormalised, a field's part along the spin is projected out, labels that
    cannot be true are removed.  Configurations of no use are dropped, and duplicates with equal labels but the
    first.  What only a person can decide (missing labels, mixed lengths, duplicates with different labels) stays.
    """
    by_frame: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.configuration is not None:
            by_frame.setdefault(finding.configuration, []).append(finding)
    kept: dict[int, Atoms] = {}
    actions: list[tuple[int, str]] = []
    for index, item in enumerate(atoms):
        frame, done = _cleaned(item, by_frame.get(index, []), kept)
        actions += [(index, text) for text in done]
        if frame is not None:
            kept[index] = frame
    return Cleaned(tuple(kept.values()), tuple(actions))


def _cleaned(atoms: Atoms, findings: Sequence[Finding], kept: dict[int, Atoms]) -> tuple[Atoms | None, list[str]]:
    """Return the mended frame, or None when it is dropped, and what was done."""
    for finding in findings:
        if reason := _reason_to_drop(atoms, finding, kept):
            return None, [f"dropped ({reason})"]
    if not findings:
        return atoms, []
    frame = atoms.copy()
    frame.calc = atoms.calc  # results are replaced, never changed
    done = [text for finding in findings for text in _mend(frame, finding)]
    try:
        labelled_from_atoms(frame)
    except InputError as error:
        return None, [f"dropped ({error})"]
    return frame, done


def _reason_to_drop(atoms: Atoms, finding: Finding, kept: dict[int, Atoms]) -> str | None:
    if finding.kind is Kind.DUPLICATE:
        repeats = finding.labels_equal and finding.other in kept
        return f"repeats configuration {finding.other}" if repeats else None
    if finding.kind is Kind.SPIN_LENGTH:
        spins_ac = atoms.arrays["spins"]
        # A spin so short that its length underflows is there all the same.
        lengths_a = np.linalg.norm(spins_ac, axis=1)[np.any(spins_ac != 0.0, axis=1)]
        error = float(np.max(np.abs(lengths_a - 1.0)))
        return None if error <= RENORMALISED else finding.text
    return finding.text if finding.array in UNFIT else None


def _mend(frame: Atoms, finding: Finding) -> list[str]:
    """Change the frame, say how."""
    if finding.kind is Kind.SPIN_LENGTH:
        _renormalise(frame)
        return ["spins renormalised"]
    if finding.kind is Kind.FIELD_ALONG_SPIN:
        return _project(frame)
    names: tuple[str, ...] = REMOVED.get(finding.kind, ())
    if finding.kind in (Kind.UNUSABLE, Kind.REFUSED) and finding.array is not None:
        names = ("moments", "fields") if finding.array == "moments" else (finding.array,)
    return [f"{name} removed ({finding.text})" for name in names if _remove(frame, name)]


def _renormalise(frame: Atoms) -> None:
    spins_ac = frame.arrays["spins"]
    lengths_a = np.linalg.norm(spins_ac, axis=1, keepdims=True)
    frame.set_array("spins", spins_ac / np.where(lengths_a > 0.0, lengths_a, 1.0))


def _project(frame: Atoms) -> list[str]:
    if "exchange_fields" not in frame.arrays:
        return []
    spins_ac = frame.arrays["spins"]
    lengths_a = np.linalg.norm(spins_ac, axis=1, keepdims=True)
    unit_ac = spins_ac / np.where(lengths_a > 0.0, lengths_a, 1.0)
    frame.set_array("exchange_fields", transverse(frame.arrays["exchange_fields"], unit_ac))
    return ["part of the fields along the spins projected out"]


def _remove(frame: Atoms, name: str) -> bool:
    """Remove a label; return whether it was there."""
    column = {"moments": "moments", "fields": "exchange_fields"}.get(name)
    if column is not None:
        return frame.arrays.pop(column, None) is not None
    there = frame.info.pop(name, None) is not None
    results = dict(frame.calc.results) if frame.calc is not None else {}
    there = results.pop(name, None) is not None or there
    frame.calc = SinglePointCalculator(frame, **results) if results else None
    return there
