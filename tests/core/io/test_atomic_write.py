"""Atomic writing: whole or not at all, and never in place of something that is not a file."""

import os

import pytest

from soso_core import InputError
from soso_core.io import atomic_write


def test_whole(tmp_path):
    target = tmp_path / "out"
    with atomic_write(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["out"]


def test_not_at_all(tmp_path):
    target = tmp_path / "out"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(target) as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_a_pipe_or_device_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="not a regular file"), atomic_write(pipe):
        pass
    assert pipe.is_fifo()


def test_a_link_is_followed(tmp_path):
    target, link = tmp_path / "file", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
