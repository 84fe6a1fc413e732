"""Whatever a file says, the check comes to an end, and what the cleaning leaves the strict reader takes."""

import json

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from soso_core.formats.atoms import labelled_from_atoms
from soso_core.validation import check_frames, clean_frames

anything = st.floats(width=64) | st.sampled_from([0.0, 1.0, -1.0, 2.2, 1e-310, 1e300])
tame = st.floats(-3, 3)
column = st.sampled_from(["spins", "moments", "exchange_fields", "site"])
result = st.sampled_from(["energy", "forces", "stress"])


@st.composite
def frames(draw):
    """Frames of up to three atoms; each array is sane, or anything at all, or of the wrong shape, or absent."""
    n = draw(st.integers(0, 3))
    numbers = st.one_of(tame, anything) if draw(st.booleans()) else tame
    atoms = Atoms(
        numbers=draw(st.lists(st.sampled_from([0, 26, 32]), min_size=n, max_size=n)),
        positions=draw(arrays(float, (n, 3), elements=numbers)),
        cell=draw(st.just(4 * np.eye(3)) | arrays(float, (3, 3), elements=numbers)),
        pbc=draw(st.sampled_from([True, False, [True, False, True]])),
    )
    for name in draw(st.sets(column)):
        shape = draw(st.sampled_from([(n,), (n, 3)]))
        atoms.set_array(name, draw(arrays(float, shape, elements=numbers)))
    results = {}
    for name in draw(st.sets(result)):
        shape = draw(st.sampled_from([(), (6,), (n, 3)]))
        results[name] = draw(arrays(float, shape, elements=numbers) | st.sampled_from(["low", None]))
    atoms.calc = SinglePointCalculator(atoms)
    atoms.calc.results = {name: values for name, values in results.items() if values is not None}
    return atoms


@given(atoms=st.lists(frames(), max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_frames_are_checked_and_cleaned(atoms):
    findings = check_frames(atoms)
    for item in findings:
        assert len(item.line("file").splitlines()) == 1
        json.dumps(item.as_json(), allow_nan=False)
    accused = {item.configuration for item in findings}
    for k, frame in enumerate(atoms):
        if k not in accused:
            labelled_from_atoms(frame)
    for frame in clean_frames(atoms, findings).frames:
        labelled_from_atoms(frame)
