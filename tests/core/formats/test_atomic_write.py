"""Atomic writing: whole or not at all, and never in place of something that is not a file."""

import os

import pytest

from soso_core import InputError
from soso_core.formats import atomic_write


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


def test_a_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(InputError, match=r"cannot write .*file/out: Not a directory"),
        atomic_write(tmp_path / "file/out"),
    ):
        pass


def test_a_signal_while_the_file_is_made_leaves_nothing(tmp_path, monkeypatch):
    """A handler may raise as soon as the system has made the file."""
    make = os.open

    def interrupted(*args):
        os.close(make(*args))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "out"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_file_has_the_permissions_of_any_new_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "out") as temporary:
            temporary.write_text("new")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == mode
