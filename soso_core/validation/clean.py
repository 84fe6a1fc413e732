"""A copy of a set without the problems that can be corrected unambiguously."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from soso_core.errors import InputError
from soso_core.formats.atoms import labelled_from_atoms
from soso_core.labels import transverse
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import STRUCTURE, scale_to_unit

RENORMALISED = 1e-3
"""Spins this close to unit length were rounded to three decimals; others have no known cause."""
STRUCTURE_ARRAYS = frozenset({*STRUCTURE, "pbc"})
REMOVED: dict[Kind, tuple[str, ...]] = {
    Kind.MOMENT_SIGN: ("moments", "fields"),
    Kind.MOMENT_OUTLIER: ("moments", "fields"),
    Kind.ENERGY_OUTLIER: ("energy",),
}
"""Labels that are removed with a finding; fields need moment magnitudes."""


@dataclass(frozen=True)
class Cleaned:
    """The cleaned frames and the actions taken.

    Parameters
    ----------
    frames : ASE frames, all of which the reader accepts
    actions : (configuration in the original set, action)
    """

    frames: tuple[Atoms, ...]
    actions: tuple[tuple[int, str], ...]


def clean_frames(atoms: Sequence[Atoms], findings: Iterable[Finding]) -> Cleaned:
    """Return corrected copies of the frames; the originals do not change.

    Spins within 1e-3 of unit length are renormalised, a field's component along the spin is projected out, and
    impossible labels are removed.  Unusable configurations are dropped, and so are duplicates with equal labels after
    the first.  Missing labels, mixed moments and duplicates with different labels stay: they need a person's decision.
    """
    by_frame: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.configuration is not None:
            by_frame.setdefault(finding.configuration, []).append(finding)
    kept: dict[int, Atoms] = {}
    actions: list[tuple[int, str]] = []
    for index, item in enumerate(atoms):
        frame, done = _clean_frame(item, by_frame.get(index, []), kept)
        actions += [(index, text) for text in done]
        if frame is not None:
            kept[index] = frame
    return Cleaned(tuple(kept.values()), tuple(actions))


def _clean_frame(atoms: Atoms, findings: Sequence[Finding], kept: dict[int, Atoms]) -> tuple[Atoms | None, list[str]]:
    """Return the corrected frame, or None when it is dropped, and the actions."""
    for finding in findings:
        if reason := _reason_to_drop(atoms, finding, kept):
            return None, [f"dropped ({reason})"]
    if not findings:
        return atoms, []
    frame = atoms.copy()
    frame.calc = atoms.calc  # results are replaced, never modified
    done = [text for finding in findings for text in _correct(frame, finding)]
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
        # A spin whose length underflows to zero still counts.
        lengths_a = np.linalg.norm(spins_ac, axis=1)[np.any(spins_ac != 0.0, axis=1)]
        error = float(np.max(np.abs(lengths_a - 1.0)))
        return None if error <= RENORMALISED else finding.text
    return finding.text if finding.array in STRUCTURE_ARRAYS else None


def _correct(frame: Atoms, finding: Finding) -> list[str]:
    """Correct the frame in place; return the actions."""
    if finding.kind is Kind.SPIN_LENGTH:
        frame.set_array("spins", scale_to_unit(frame.arrays["spins"]))
        return ["spins renormalised"]
    if finding.kind is Kind.FIELD_ALONG_SPIN:
        if "exchange_fields" not in frame.arrays:
            return []
        fields_ac = transverse(frame.arrays["exchange_fields"], scale_to_unit(frame.arrays["spins"]))
        frame.set_array("exchange_fields", fields_ac)
        return ["component of the fields along the spins projected out"]
    names: tuple[str, ...] = REMOVED.get(finding.kind, ())
    if finding.kind in (Kind.UNUSABLE, Kind.REFUSED) and finding.array is not None:
        names = ("moments", "fields") if finding.array == "moments" else (finding.array,)
    return [f"{name} removed ({finding.text})" for name in names if _remove(frame, name)]


def _remove(frame: Atoms, name: str) -> bool:
    """Remove a label; return whether it was present."""
    column = {"moments": "moments", "fields": "exchange_fields"}.get(name)
    if column is not None:
        return frame.arrays.pop(column, None) is not None
    was_present = frame.info.pop(name, None) is not None
    results = dict(frame.calc.results) if frame.calc is not None else {}
    was_present = results.pop(name, None) is not None or was_present
    frame.calc = SinglePointCalculator(frame, **results) if results else None
    return was_present
