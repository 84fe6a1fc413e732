"""What labels have cost: core-hours and hours, read from finished processes."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from aiida.common import timezone
from aiida.orm import CalcJobNode, ProcessNode, QueryBuilder, WorkChainNode
from ase import Atoms

from soso_workflows.provenance.lineage import CampaignProcess

COST_POWER = 3
"""Diagonalisation: a label of another size counts with this power of the number of atoms."""
LOOKED_AT = 200
"""Newest labels of an engine among which one of the same settings is looked for."""
SECONDS_PER_HOUR = 3600.0


def cost_record(campaign: CampaignProcess, batch: int, now: datetime | None = None) -> dict[str, Any]:
    """Return what a batch has cost, also in the campaigns that this one goes on from.

    `core_hours`: of every label process, by its UUID, and of what the engine wanted before them.  `wall_hours`: of the
    whole lineage until `now`, see `wall_hours`.
    """
    lineage = campaign.lineage
    processes = [process for state in lineage for process in _paid_in(state, batch)]
    return {
        "core_hours": {process.uuid: core_hours(process) for process in processes},
        "wall_hours": wall_hours(lineage, now),
    }


def wall_hours(lineage: Sequence[CampaignProcess], now: datetime | None = None) -> float:
    """Return the hours in which a process of these campaigns was open: from its start to its last sign of life.

    The time between a stop and a resumption does not count; queues and a daemon that stands still do.
    """
    ends = [*(state.ended for state in lineage[:-1]), now or timezone.now()]
    spans = [(end - state.node.ctime).total_seconds() for state, end in zip(lineage, ends, strict=True)]
    return sum(max(0.0, span) for span in spans) / SECONDS_PER_HOUR


def core_hours(process: ProcessNode) -> float:
    """Return the core-hours of all jobs below a process, also those that failed and were repeated."""
    return sum(_job_hours(job) for job in process.called_descendants if isinstance(job, CalcJobNode))


def estimate_cost(process_type: str, settings: dict[str, Any], cell: Atoms, n_labels: int) -> dict[str, str]:
    """Return core-hours of a label and of `n_labels`, from the newest finished label of this process type.

    One with the same settings is preferred to one with others.
    """
    found = _newest_paid(process_type, settings)
    if found is None:
        return {"cost": "unknown: no label of this engine has finished yet"}
    hours, same = core_hours(found), _settings_of(found) == settings
    n_atoms = int(found.inputs.configuration.base.attributes.get("n_atoms"))
    scaled = hours * (len(cell) / n_atoms) ** COST_POWER
    basis = f"label <{found.pk}>: {hours:.3g} core-hours with {n_atoms} atoms{'' if same else ', other settings'}"
    return {"cost": f"{scaled:.3g} core-hours a label, {n_labels * scaled:.3g} for {n_labels} ({basis})"}


def _paid_in(state: CampaignProcess, batch: int) -> Iterator[ProcessNode]:
    """Yield the processes of one campaign that a batch has to pay for."""
    if state.preparation is not None and batch == state.first_batch:
        yield state.preparation
    yield from (process for (stage, at, _), process in state.calls.items() if stage == "label" and at == batch)


def _newest_paid(process_type: str, settings: dict[str, Any]) -> WorkChainNode | None:
    query = QueryBuilder()
    filters = {"process_type": process_type, "attributes.exit_status": 0}
    query.append(WorkChainNode, filters=filters).order_by({WorkChainNode: {"id": "desc"}}).limit(LOOKED_AT)
    paid = [node for node in query.all(flat=True) if core_hours(node) > 0.0]  # those from the cache say nothing
    same = [node for node in paid if _settings_of(node) == settings]
    return next(iter([*same, *paid]), None)


def _settings_of(label: WorkChainNode) -> dict[str, Any]:
    return dict(label.inputs.settings.get_dict()) if "settings" in label.inputs else {}


def _job_hours(job: CalcJobNode) -> float:
    if job.base.caching.is_created_from_cache:
        return 0.0
    return n_cores(job.get_option("resources") or {}) * seconds(job) / SECONDS_PER_HOUR


def n_cores(resources: dict[str, Any]) -> int:
    """Return how many cores a job holds: machines, processes on each, cores of each process."""
    machines = int(resources.get("num_machines") or 1)
    processes = resources.get("tot_num_mpiprocs") or machines * (resources.get("num_mpiprocs_per_machine") or 1)
    per_process = resources.get("num_cores_per_mpiproc")
    if per_process is None and resources.get("num_cores_per_machine"):
        return machines * int(resources["num_cores_per_machine"])
    return int(processes) * int(per_process or 1)


def seconds(job: CalcJobNode) -> float:
    """Return how long a job ran.

    The first of these that is known: the accounting of the scheduler, the time stated by the engine, the last state
    reported by the scheduler, the time from creation to end (queue included).
    """
    for stated in (_accounted(job), _stated(job), _last_seen(job)):
        if stated is not None and stated > 0.0:
            return stated
    return max(0.0, (job.mtime - job.ctime).total_seconds())


def _accounted(job: CalcJobNode) -> float | None:
    """Return the elapsed seconds in the table of `sacct --parsable`."""
    lines = str((job.get_detailed_job_info() or {}).get("stdout") or "").splitlines()
    if len(lines) < 2:
        return None
    row = dict(zip(lines[0].split("|"), lines[1].split("|"), strict=False))
    elapsed = row.get("ElapsedRaw", "")
    return float(elapsed) if elapsed.isdecimal() else None


def _stated(job: CalcJobNode) -> float | None:
    """Return the seconds that VASP states."""
    misc = job.base.links.get_outgoing(link_label_filter="misc").all()
    stated = misc[0].node.get_dict().get("run_stats", {}).get("elapsed_time") if misc else None
    return None if stated is None else float(stated)


def _last_seen(job: CalcJobNode) -> float | None:
    found = job.get_last_job_info()
    stated = None if found is None else found.wallclock_time_seconds
    return None if stated is None else float(stated)
