"""Fixtures of all tests, and the marker `presto` of those that need no AiiDA profile."""

import pytest

pytest_plugins = ["aiida_fixtures", "vasp_fixtures", "vasp_standin_fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark the tests without an AiiDA profile: `pytest -m presto` runs these alone."""
    for item in items:
        if "aiida_profile" not in item.fixturenames:
            item.add_marker("presto")
