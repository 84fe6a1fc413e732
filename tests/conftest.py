"""Fixtures of all tests; those of AiiDA make their profile only when a test asks for it."""

pytest_plugins = ["aiida_fixtures", "vasp_fixtures", "vasp_standin_fixtures"]
