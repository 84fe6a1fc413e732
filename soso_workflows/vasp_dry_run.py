"""What a dry run shows of VASP before money is spent: INCAR, k-mesh, and the cost by what labels have cost so far."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from aiida.orm import CalcJobNode, QueryBuilder, WorkChainNode
from ase import Atoms

from soso_core.configuration import Configuration
from soso_core.engines.vasp.incar import incar, k_mesh
from soso_core.engines.vasp.order import for_vasp
from soso_core.engines.vasp.settings import VaspSettings
from soso_workflows.vasp_settings import species_settings

PROCESS_TYPE = "aiida.workflows:soso.label.vasp"
LONG_LIST = 9
"""Numbers of a list that are shown whole; longer ones are told by their beginning and length."""

COST_POWER = 3.0
"""Diagonalisation, which dominates larger cells, grows with the third power of the number of atoms."""


def describe_vasp(settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
    """Return protocol, potentials, k-mesh, ramp and the INCAR of the first step for the ferromagnet in this cell."""
    checked, species = VaspSettings(**settings["settings"]), species_settings(settings)
    has_spin_a = np.isin(cell.get_chemical_symbols(), list(species.initial_moments_muB))
    spins_ac = np.where(has_spin_a[:, None], [0.0, 0.0, 1.0], 0.0)
    arranged, order = for_vasp(Configuration(cell.numbers, cell.positions, cell.cell.array, spins_ac))
    tags = incar(arranged, checked, species, checked.lambda_ramp_ev_per_muB2[0], is_restart=False)
    potentials = [settings["potential_mapping"].get(symbol, symbol) for symbol in order.species]
    return {
        "protocol": settings["protocol"],
        "potentials": f"{settings['potential_family']}: {', '.join(potentials)}",
        "k-points": " x ".join(str(count) for count in k_mesh(arranged.cell_vc, checked)),
        "constraint": " -> ".join(f"{value:g}" for value in checked.lambda_ramp_ev_per_muB2) + " eV/μB²",
        "field scale": str(settings["field_scale"]),
        "INCAR (first step)": "\n" + "\n".join(f"  {key.upper()} = {_shown(value)}" for key, value in tags.items()),
    }


def estimate_vasp(settings: dict[str, Any], cell: Atoms, n_labels: int) -> dict[str, str]:
    """Return core-hours of a label and of `n_labels`, from the newest finished label with the same numbers.

    A label of another size counts with the third power of the number of atoms.
    """
    found = next(_labels_like(settings), None)
    if found is None:
        return {
            "cost": "unknown: no label with these settings has finished yet; `verdi data soso field-scale` makes three"
        }
    hours = core_hours(found)
    n_atoms = len(found.inputs.configuration.get_dataset()[0].configuration)
    scaled = hours * (len(cell) / n_atoms) ** COST_POWER
    basis = f"label <{found.pk}>: {hours:.3g} core-hours with {n_atoms} atoms"
    return {"cost": f"{scaled:.3g} core-hours a label, {n_labels * scaled:.3g} for {n_labels} ({basis})"}


def core_hours(label: WorkChainNode) -> float:
    """Return the core-hours of all runs of a label, also those that failed and were repeated."""
    return sum(_job_hours(job) for job in label.called_descendants if isinstance(job, CalcJobNode))


def _labels_like(settings: dict[str, Any]) -> Iterator[WorkChainNode]:
    """Yield finished labels with these numbers, newest first."""
    query = QueryBuilder()
    filters = {"process_type": PROCESS_TYPE, "attributes.exit_status": 0}
    query.append(WorkChainNode, filters=filters).order_by({WorkChainNode: {"id": "desc"}})
    for node in query.all(flat=True):
        if node.inputs.settings.get_dict() == settings["settings"]:
            yield node


def _job_hours(job: CalcJobNode) -> float:
    resources = job.get_option("resources") or {}
    machines = int(resources.get("num_machines", 1))
    processes = int(resources.get("tot_num_mpiprocs") or machines * (resources.get("num_mpiprocs_per_machine") or 1))
    return processes * _seconds(job) / 3600.0


def _seconds(job: CalcJobNode) -> float:
    """Return the wall time that VASP states, else the time from submission to the end."""
    misc = job.base.links.get_outgoing(link_label_filter="misc").all()
    stated = misc[0].node.get_dict().get("run_stats", {}).get("elapsed_time") if misc else None
    if stated is not None:
        return float(stated)
    return max(0.0, (job.mtime - job.ctime).total_seconds())


def _shown(value: Any) -> str:
    """Return the value of a tag, long lists cut short."""
    if isinstance(value, bool):
        return ".TRUE." if value else ".FALSE."
    if not isinstance(value, list):
        return f"{value:g}" if isinstance(value, float) else str(value)
    words = " ".join(f"{number:g}" for number in value[:LONG_LIST])
    return words if len(value) <= LONG_LIST else f"{words} ... ({len(value)} numbers)"
