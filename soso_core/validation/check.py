"""All checks of all frames of a file."""

from collections.abc import Sequence
from dataclasses import replace

from ase import Atoms

from soso_core.validation.duplicates import check_duplicates
from soso_core.validation.energies_and_fields import check_field_scale
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import RawFrame, raw_frame
from soso_core.validation.mixed_moments import check_mixed_moments
from soso_core.validation.single import check_readable, check_single
from soso_core.validation.whole import check_whole

UNUSABLE_KINDS = frozenset({Kind.CLOSE_ATOMS, Kind.REFUSED})
"""A configuration with one of these findings is left out of the checks that compare configurations."""


def check_frames(atoms: Sequence[Atoms]) -> list[Finding]:
    """Return the findings on the frames of a file: first those on the set, then by configuration.

    No error in a frame stops the check.  A frame without usable positions, cell or spins gives a finding and is left
    out of the comparisons.
    """
    findings: list[Finding] = []
    frames: list[RawFrame] = []
    for index, item in enumerate(atoms):
        frame, found = raw_frame(index, item)
        found += check_single(frame)
        found += [] if found else check_readable(frame)
        is_usable = not any(one.kind in UNUSABLE_KINDS and one.array != "fields" for one in found)
        frames.append(replace(frame, is_usable=frame.is_usable and is_usable))
        findings += found
    known = {(one.configuration, one.array) for one in findings if one.kind is Kind.UNUSABLE}
    findings += [one for one in check_whole(frames) if (one.configuration, one.array) not in known]
    findings += [*check_mixed_moments(frames), *check_duplicates(frames)]
    if not any(one.kind is Kind.MIXED_MOMENTS for one in findings):  # the likely cause otherwise
        flagged = {one.configuration for one in findings if one.kind is not Kind.DUPLICATE}
        findings += check_field_scale(frames, flagged)
    return sorted(findings, key=lambda one: -1 if one.configuration is None else one.configuration)
