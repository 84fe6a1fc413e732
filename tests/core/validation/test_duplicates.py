"""Duplicates: the finding, its labels and the cleaned copy."""

import numpy as np
import pytest
from spin_cells import heisenberg_label, skewed_iron, transformed

from soso_core import LabelledConfiguration
from soso_core.formats.atoms import atoms_from_labelled
from soso_core.validation import Kind, check_frames, clean_frames


def frames_of(items):
    return [atoms_from_labelled(item) for item in items]


@pytest.mark.parametrize(("reverse", "mirror"), [(False, False), (True, False), (False, True)])
def test_labels_of_equivalent_configurations_are_equal(reverse, mirror):
    items = [heisenberg_label(skewed_iron(k)) for k in range(3)]
    findings = check_frames(frames_of([*items, transformed(items[1], 5, reverse, mirror)]))
    (found,) = [item for item in findings if item.kind is Kind.DUPLICATE]
    assert (found.configuration, found.other, found.labels_equal) == (3, 1, True)
    assert "same as configuration 1 up to symmetry; labels equal" in found.text


@pytest.mark.parametrize("length", [1e-200, 1e200])
def test_spins_whose_squares_are_out_of_range_are_compared(length):
    frames = frames_of(labelled_twice())
    frames[1].arrays["spins"] = frames[1].arrays["spins"] * length
    assert [item.other for item in check_frames(frames) if item.kind is Kind.DUPLICATE] == [0]


def labelled_twice(**changes):
    item = heisenberg_label(skewed_iron(1))
    labels = {
        "energy": item.energy,
        "exchange_fields_ac": item.exchange_fields_ac,
        "moment_magnitudes_a": item.moment_magnitudes_a,
    }
    return [item, LabelledConfiguration(item.configuration, **{**labels, **changes})]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"energy": heisenberg_label(skewed_iron(1)).energy + 0.004}, "labels differ: energy by 1 meV/atom"),
        ({"energy": None}, "labels differ: only configuration 0 has energy"),
        ({"exchange_fields_ac": None}, "labels differ: only configuration 0 has fields"),
        ({"moment_magnitudes_a": np.full(4, 2.3)}, "labels differ: moments by 0.1 μB"),
        ({"forces_ac": np.zeros((4, 3))}, "labels differ: only configuration 1 has forces"),
    ],
)
def test_different_labels_are_said_and_kept(changes, said):
    frames = frames_of(labelled_twice(**changes))
    findings = check_frames(frames)
    (found,) = [item for item in findings if item.kind is Kind.DUPLICATE]
    assert said in found.text
    assert found.labels_equal is False
    assert len(clean_frames(frames, findings).frames) == 2


def test_equal_ones_are_dropped_but_the_first():
    frames = frames_of([*labelled_twice(), heisenberg_label(skewed_iron(2)), *labelled_twice()])
    cleaned = clean_frames(frames, check_frames(frames))
    assert len(cleaned.frames) == 2
    dropped = tuple(action for action in cleaned.actions if action[1].startswith("dropped"))
    assert dropped == tuple((k, "dropped (repeats configuration 0)") for k in (1, 3, 4))


def test_a_duplicate_stays_when_the_first_is_dropped():
    frames = frames_of(labelled_twice())
    frames[0].arrays["spins"][0] *= 1.3
    cleaned = clean_frames(frames, check_frames(frames))
    assert next(action for action in cleaned.actions if action[1].startswith("dropped"))[0] == 0
    assert len(cleaned.frames) == 1
