"""The two fixtures of AiiDA from which `aiida_fixtures` makes the profile; importing this module imports AiiDA."""

from aiida.tools.pytest_fixtures import aiida_config_factory, aiida_profile_factory

__all__ = ["aiida_config_factory", "aiida_profile_factory"]
