"""The number of threads: from the environment, or from the cores of this process."""

import os

import pytest

from soso_core.threads import available_cores, in_threads, worker_count


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("0", None), ("two", None), ("", None)])
def test_the_environment_sets_the_number_of_threads(monkeypatch, given, expected):
    monkeypatch.setenv("SOSO_NUM_THREADS", given)
    assert worker_count() == (expected or available_cores())


def test_numba_keeps_its_own_variable(monkeypatch):
    monkeypatch.delenv("SOSO_NUM_THREADS", raising=False)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "7")
    assert worker_count() == available_cores()


@pytest.mark.parametrize(("count", "expected"), [(6, 6), (None, 1)])
def test_without_processor_affinity_all_cores_count(monkeypatch, count, expected):
    """macOS has no `os.sched_getaffinity`."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert available_cores() == expected


def test_results_keep_the_order_of_the_items(monkeypatch):
    monkeypatch.setenv("SOSO_NUM_THREADS", "2")
    assert in_threads(lambda item: item**2, range(20)) == [item**2 for item in range(20)]
