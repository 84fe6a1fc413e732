"""Settings of VASP in a campaign file: a protocol and changes to it, potentials, radii, the field scale."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from soso_core.engines.checks import SpeciesKey
from soso_core.engines.vasp.settings import SpeciesSettings, VaspSettings
from soso_core.errors import InputError
from soso_core.settings import Settings, parse_settings
from soso_workflows.data.sources import MEASURE, NODE


class VaspLabelSettings(Settings):
    """The keys of `engine_settings` with `engine: vasp`."""

    protocol: str | None = Field(default=None, description="fast, balanced or stringent; None: balanced")
    overrides: dict[str, Any] = Field(default={}, description="keys of the protocol with other values")
    potential_family: str | None = Field(default=None, description="label of the POTCAR family in AiiDA")
    potential_mapping: dict[SpeciesKey, str] = Field(
        default_factory=dict, description="e.g. Fe: Fe_pv; left out: the element"
    )
    rwigs_angstrom: dict[SpeciesKey, float] = Field(
        default_factory=dict, description="radius of the constraint by element"
    )
    initial_moments_muB: dict[SpeciesKey, float] = Field(
        default_factory=dict, description="by element, of those with a spin"
    )
    field_scale: float | str | None = Field(default=None, description="measure, a number, or node:PK")
    options: dict[str, Any] = Field(default={}, description="scheduler options of each job, with AiiDA's names")
    clean_workdir: bool = Field(default=True, description="remove charge densities from the cluster after a label")

    @field_validator("field_scale")
    @classmethod
    def _check_field_scale(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, str) and value != MEASURE and not value.removeprefix(NODE):
            raise ValueError("node: needs a PK or UUID")
        if isinstance(value, str) and value != MEASURE and not value.startswith(NODE):
            raise ValueError(f"write {MEASURE}, a number, or {NODE}PK")
        if not isinstance(value, str) and value is not None and value <= 0.0:
            raise ValueError("must be positive")
        return value


def complete_settings(values: dict[str, Any], protocols: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the settings with every number of the protocol under `settings`.

    `protocols` maps names to `settings`, and `default` to the name of the complete one.  Raises InputError in one line.
    """
    given = parse_settings(VaspLabelSettings, values, source)
    complete = protocols["default"]
    name = given.protocol or complete
    names = [key for key in protocols if key != "default"]
    if name not in names:
        raise InputError(f"{source}: protocol: unknown '{name}'; available: {', '.join(names)}")
    merged = {**protocols[complete]["settings"], **protocols[name]["settings"], **given.overrides}
    settings = parse_settings(VaspSettings, merged, f"{source}: overrides").model_dump(mode="json")
    found = given.model_dump(mode="json", exclude={"overrides"})
    parse_settings(SpeciesSettings, _species(found), source)
    return {**found, "protocol": name, "settings": settings}


def species_settings(values: dict[str, Any]) -> SpeciesSettings:
    """Return the part of checked settings that belongs to the elements."""
    return SpeciesSettings(**_species(values))


def _species(values: dict[str, Any]) -> dict[str, Any]:
    return {key: values[key] for key in SpeciesSettings.model_fields}
