"""Checks of the settings of a label with VASP against the cell and against the AiiDA profile, before a launch."""

from collections.abc import Sequence
from typing import Any

from aiida.common.exceptions import NotExistent
from aiida.orm import Dict, load_node
from aiida_vasp.data.potcar import PotcarData

from soso_core.engines.vasp.incar import check_species
from soso_core.engines.vasp.settings import SpeciesSettings
from soso_core.errors import InputError, locate_errors
from soso_workflows.data.sources import MEASURE, NODE
from soso_workflows.vasp.calculation import ConstrainedVaspCalculation

FIELD_SCALE_MISSING = (
    "field_scale is missing: VASP prints the field with a factor that depends on its version; write measure (three "
    "runs before the first batch), a known number, or node:PK of an earlier measurement"
)


def check_cell_settings(
    settings: dict[str, Any], species: SpeciesSettings, symbols: Sequence[str], has_spin: list[bool], source: str
) -> None:
    """Raise InputError when settings are incomplete for a cell, or lack field_scale."""
    if settings["field_scale"] is None:
        raise InputError(f"{source}: {FIELD_SCALE_MISSING}")
    if not settings["potential_family"]:
        raise InputError(f"{source}: potential_family is missing; `aiida-vasp potcar listfamilies` shows all families")
    with locate_errors(source):
        check_species(tuple(symbols), has_spin, species)


def find_profile_problems(settings: dict[str, Any], elements: Sequence[str]) -> list[str]:
    """Return, one line each, the problems of POTCAR family, scheduler options and field scale in this profile."""
    return [
        *_missing_potentials(settings, elements),
        *_wrong_options(settings["options"]),
        *_wrong_scale(settings["field_scale"]),
    ]


def load_field_scale(scale: float | str) -> Dict:
    """Return the node of a known field scale: a number, or `node:PK` of a measurement.

    Raises InputError when there is no such node, or it is not a measurement.
    """
    if not isinstance(scale, str):
        return Dict({"field_scale": scale, "source": "given in the campaign"})
    name = scale.removeprefix(NODE)
    try:
        node = load_node(name)
    except (NotExistent, ValueError):
        raise InputError(f"field_scale: there is no node {name}") from None
    if not isinstance(node, Dict) or "field_scale" not in node.get_dict():
        raise InputError(f"field_scale: node {node.pk} is not a measurement (a Dict with field_scale)")
    return node


def _missing_potentials(settings: dict[str, Any], elements: Sequence[str]) -> list[str]:
    name = settings["potential_family"]
    group = PotcarData.get_potcar_group(name)
    if group is None:
        return [f"potential_family: there is no '{name}' in this profile; `aiida-vasp potcar listfamilies` shows all"]
    known = {node.full_name for node in group.nodes}
    requested = {element: settings["potential_mapping"].get(element, element) for element in elements}
    return [
        f"potential_family: '{name}' has no POTCAR '{potential}' for {element}"
        for element, potential in requested.items()
        if potential not in known
    ]


def _wrong_options(options: dict[str, Any]) -> list[str]:
    """Return the scheduler options that are unknown to AiiDA, or have a wrong value."""
    known = ConstrainedVaspCalculation.spec().inputs["metadata"]["options"]
    problems = []
    for name, value in options.items():
        if name not in known:
            problems.append(f"options: unknown key '{name}'; available: {', '.join(sorted(known))}")
        elif error := known[name].validate(value):
            problems.append(f"options.{name}: {' '.join(str(error.message).split())}")
    return problems


def _wrong_scale(scale: float | str | None) -> list[str]:
    if scale is None or scale == MEASURE:
        return []
    try:
        load_field_scale(scale)
    except InputError as error:
        return [str(error)]
    return []
