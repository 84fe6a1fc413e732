"""Test of whether the fields of a set are the derivatives of its energies, or differ from them by a factor."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.formats.atoms import labelled_from_atoms
from soso_core.gp.assessment.field_scale import field_scale_of
from soso_core.labels import LabelledConfiguration
from soso_core.validation.finding import Finding, Kind
from soso_core.validation.frame import RawFrame


def check_field_scale(frames: Sequence[RawFrame], flagged: Collection[int | None]) -> list[Finding]:
    """Return a finding when energies and fields of the frames that are not `flagged` disagree significantly."""
    labelled = [item for frame in frames if frame.index not in flagged for item in _labels(frame)]
    found = field_scale_of(Dataset(tuple(labelled)), np.random.default_rng(0)) if labelled else None
    if found is None or not found.disagrees:
        return []
    text = f"{found.sentence()} (from {found.n_configurations} configurations); they should agree within 10 %"
    return [Finding(Kind.FIELD_SCALE, text, value=found.value, array="fields")]


def _labels(frame: RawFrame) -> Iterator[LabelledConfiguration]:
    if not frame.is_usable or frame.energy is None or frame.fields is None:
        return
    try:
        yield labelled_from_atoms(frame.atoms)
    except InputError:  # another check has reported it
        return
