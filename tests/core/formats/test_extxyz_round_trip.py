"""What is written is what is read, to the last bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.formats import read_configurations, read_dataset, write_configurations, write_dataset
from soso_core.labels import LabelledConfiguration

any_number = st.floats(-1e6, 1e6, allow_nan=False, width=64)
SLOW_DISK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def configurations(draw):
    n = draw(st.integers(1, 4))
    numbers_a = np.array(draw(st.lists(st.sampled_from([1, 26, 32, 92]), min_size=n, max_size=n)))
    raw_ac = draw(arrays(float, (n, 3), elements=st.floats(-1, 1)))
    length_a = np.linalg.norm(raw_ac, axis=1, keepdims=True)
    spins_ac = np.where(length_a > 0.1, raw_ac / np.where(length_a > 0.1, length_a, 1.0), 0.0)
    tilt_vc = draw(arrays(float, (3, 3), elements=st.floats(-1, 1)))
    return Configuration(numbers_a, draw(arrays(float, (n, 3), elements=any_number)), 4 * np.eye(3) + tilt_vc, spins_ac)


@st.composite
def labelled(draw):
    where = draw(configurations())
    n = len(where)
    has_fields = draw(st.booleans())
    stress_cc = draw(st.none() | arrays(float, (3, 3), elements=any_number))
    return LabelledConfiguration(
        where,
        energy=draw(st.none() | any_number),
        moment_magnitudes_a=draw(arrays(float, (n,), elements=st.floats(1e-3, 10))) if has_fields else None,
        exchange_fields_ac=draw(arrays(float, (n, 3), elements=any_number)) if has_fields else None,
        forces_ac=draw(st.none() | arrays(float, (n, 3), elements=any_number)),
        stress_cc=None if stress_cc is None else stress_cc + stress_cc.T,
        target_spins_ac=draw(st.none() | arrays(float, (n, 3), elements=st.floats(-1, 1))),
        info={"source": "a test", "residual": draw(any_number), "count": draw(st.integers(0, 99))},
    )


def assert_same(left, right):
    for name in ("numbers_a", "positions_ac", "cell_vc", "spins_ac"):
        assert np.array_equal(getattr(left.configuration, name), getattr(right.configuration, name)), name
    labels = ("energy", "exchange_fields_ac", "moment_magnitudes_a", "forces_ac", "stress_cc", "target_spins_ac")
    for name in labels:
        mine, other = getattr(left, name), getattr(right, name)
        assert (mine is None) == (other is None), name
        assert mine is None or np.array_equal(mine, other), name
    assert dict(left.info) == dict(right.info)


@SLOW_DISK
@given(items=st.lists(labelled(), min_size=1, max_size=3))
def test_labels_come_back_bit_for_bit(tmp_path, items):
    path = tmp_path / "data.extxyz"
    write_dataset(path, items)
    read = read_dataset(path)
    assert len(read) == len(items)
    for mine, other in zip(items, read, strict=True):
        assert_same(mine, other)
    assert read.fingerprint == Dataset(tuple(items)).fingerprint


@SLOW_DISK
@given(items=st.lists(configurations(), min_size=1, max_size=3))
def test_configurations_come_back_bit_for_bit(tmp_path, items):
    path = tmp_path / "data.extxyz"
    write_configurations(path, items)
    for mine, other in zip(items, read_configurations(path), strict=True):
        assert_same(LabelledConfiguration(mine), LabelledConfiguration(other))


def read_or_refuse(path):
    """Return the items of a file, or the message of its refusal."""
    try:
        return list(read_dataset(path))
    except InputError as error:
        return str(error)


@SLOW_DISK
@given(fraction=st.floats(0.0, 0.999))
def test_a_truncated_file_is_refused_or_ends_between_frames(tmp_path, small_dataset, fraction):
    path = tmp_path / "data.extxyz"
    write_dataset(path, small_dataset)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    outcome = read_or_refuse(path)
    if isinstance(outcome, str):
        assert len(outcome.splitlines()) == 1
        return
    for mine, other in zip(small_dataset, outcome[:-1], strict=False):  # the last number of all may have lost digits
        assert_same(mine, other)


@SLOW_DISK
@given(content=st.binary(max_size=200))
def test_garbage_is_one_line(tmp_path, content):
    path = tmp_path / "data.extxyz"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_dataset(path)
    assert len(str(caught.value).splitlines()) == 1
