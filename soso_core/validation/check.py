"""All checks on all frames of a file."""

from collections.abc import Sequence

from ase import Atoms

from soso_core.validation.duplicates import check_duplicates
from soso_core.validation.energies_and_fields import check_field_scale
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import RawFrame, raw_frame, unfit
from soso_core.validation.mixed_moments import check_mixed_lengths
from soso_core.validation.single import check_readable, check_single
from soso_core.validation.whole import check_whole

OF_NO_USE = frozenset({Kind.CLOSE_ATOMS, Kind.REFUSED})
"""With one of these a configuration is left out of the checks that compare."""


def check_frames(atoms: Sequence[Atoms]) -> list[Finding]:
    """Return everything that is wrong with the frames of a file, those of the set first, then by configuration.

    Nothing in a frame stops the check; a frame without usable positions, cell or spins is reported and then
    left out.
    """
    findings: list[Finding] = []
    frames: list[RawFrame] = []
    for index, item in enumerate(atoms):
        frame, found = raw_frame(index, item)
        found += check_single(frame)
        found += [] if found else check_readable(frame)
        of_no_use = any(one.kind in OF_NO_USE and one.array != "fields" for one in found)
        frames.append(unfit(frame) if of_no_use else frame)
        findings += found
    known = {(one.configuration, one.array) for one in findings if one.kind is Kind.UNUSABLE}
    findings += [one for one in check_whole(frames) if (one.configuration, one.array) not in known]
    findings += [*check_mixed_lengths(frames), *check_duplicates(frames)]
    if not any(one.kind is Kind.MIXED_LENGTHS for one in findings):  # which would be the cause
        faulty = {one.configuration for one in findings if one.kind is not Kind.DUPLICATE}
        findings += check_field_scale(frames, faulty)
    return sorted(findings, key=lambda one: -1 if one.configuration is None else one.configuration)
