"""The part of a dry run that belongs to VASP: INCAR and k-mesh."""

from typing import Any

from ase import Atoms

from soso_core.engines.k_mesh import mesh_counts
from soso_core.engines.vasp.incar import incar, make_ferromagnet
from soso_core.engines.vasp.order import arrange_for_vasp
from soso_core.engines.vasp.settings import VaspSettings
from soso_workflows.vasp.settings import species_settings

LONG_LIST = 9
"""Longest list that is shown completely; longer ones are abbreviated."""


def describe_vasp(settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
    """Return protocol, potentials, k-mesh, ramp and the INCAR of the first step for the ferromagnet in this cell."""
    checked, species = VaspSettings(**settings["settings"]), species_settings(settings)
    arranged, order = arrange_for_vasp(make_ferromagnet(cell, species))
    tags = incar(arranged, checked, species, checked.lambda_ramp_ev_per_muB2[0], is_restart=False)
    potentials = [settings["potential_mapping"].get(symbol, symbol) for symbol in order.species]
    return {
        "protocol": settings["protocol"],
        "potentials": f"{settings['potential_family']}: {', '.join(potentials)}",
        "k-points": " x ".join(map(str, mesh_counts(arranged.cell_vc, checked.k_spacing_per_angstrom))),
        "constraint": " -> ".join(f"{value:g}" for value in checked.lambda_ramp_ev_per_muB2) + " eV/μB²",
        "field scale": str(settings["field_scale"]),
        "INCAR (first step)": "\n"
        + "\n".join(f"  {key.upper()} = {_format_value(value)}" for key, value in tags.items()),
    }


def _format_value(value: Any) -> str:
    """Return the value of a tag, with long lists abbreviated."""
    if isinstance(value, bool):
        return ".TRUE." if value else ".FALSE."
    if not isinstance(value, list):
        return f"{value:g}" if isinstance(value, float) else str(value)
    words = " ".join(_format_value(item) for item in value[:LONG_LIST])
    return words if len(value) <= LONG_LIST else f"{words} ... ({len(value)} numbers)"
