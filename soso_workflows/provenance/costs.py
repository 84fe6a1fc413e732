"""Cost records: core-hours and hours, read from finished processes."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from aiida.common import timezone
from aiida.orm import CalcJobNode, ProcessNode, QueryBuilder, WorkChainNode
from ase import Atoms

from soso_workflows.provenance.lineage import CampaignProcess

COST_POWER = 3
"""Exponent of the number of atoms in the cost of a label, as for diagonalisation."""
N_SEARCHED = 200
"""Number of newest labels among which one with the same settings is searched for."""
SECONDS_PER_HOUR = 3600.0


def cost_record(campaign: CampaignProcess, batch: int, now: datetime | None = None) -> dict[str, Any]:
    """Return the cost record of a batch, including the campaigns that this one continues.

    `core_hours` of each label process and of the preparation of the engine, by UUID; `wall_hours` of the whole
    lineage until `now`.
    """
    lineage = campaign.lineage
    processes = [process for state in lineage for process in _processes_of(state, batch)]
    return {
        "core_hours": {process.uuid: core_hours(process) for process in processes},
        "wall_hours": wall_hours(lineage, now),
    }


def wall_hours(lineage: Sequence[CampaignProcess], now: datetime | None = None) -> float:
    """Return the hours during which a process of these campaigns was open: from its start to its last change.

    Time between a stop and a resumption does not count; time in queues and of a stopped daemon does.
    """
    ends = [*(state.ended for state in lineage[:-1]), now or timezone.now()]
    spans = [(end - state.node.ctime).total_seconds() for state, end in zip(lineage, ends, strict=True)]
    return sum(max(0.0, span) for span in spans) / SECONDS_PER_HOUR


def core_hours(process: ProcessNode) -> float:
    """Return the core-hours of all jobs below a process, including failed and repeated jobs."""
    return sum(_job_hours(job) for job in process.called_descendants if isinstance(job, CalcJobNode))


def estimate_cost(process_type: str, settings: dict[str, Any], cell: Atoms, n_labels: int) -> dict[str, str]:
    """Return the estimated core-hours of a label and of `n_labels`, as text.

    The estimate scales the cost of the newest finished label of this process type, if possible one with the same
    settings.
    """
    found = _newest_with_cost(process_type, settings)
    if found is None:
        return {"cost": "unknown: this engine has no finished label yet"}
    hours, same = core_hours(found), _settings_of(found) == settings
    n_atoms = int(found.inputs.configuration.base.attributes.get("n_atoms"))
    scaled = hours * (len(cell) / n_atoms) ** COST_POWER
    basis = f"label <{found.pk}>: {hours:.3g} core-hours with {n_atoms} atoms{'' if same else ', other settings'}"
    return {"cost": f"{scaled:.3g} core-hours per label, {n_labels * scaled:.3g} for {n_labels} ({basis})"}


def _processes_of(state: CampaignProcess, batch: int) -> Iterator[ProcessNode]:
    """Yield the processes of one campaign whose cost belongs to a batch."""
    if state.preparation is not None and batch == state.first_batch:
        yield state.preparation
    yield from (process for (stage, at, _), process in state.calls.items() if stage == "label" and at == batch)


def _newest_with_cost(process_type: str, settings: dict[str, Any]) -> WorkChainNode | None:
    query = QueryBuilder()
    filters = {"process_type": process_type, "attributes.exit_status": 0}
    query.append(WorkChainNode, filters=filters).order_by({WorkChainNode: {"id": "desc"}}).limit(N_SEARCHED)
    found = [node for node in query.all(flat=True) if core_hours(node) > 0.0]  # labels from the cache cost nothing
    same = [node for node in found if _settings_of(node) == settings]
    return next(iter([*same, *found]), None)


def _settings_of(label: WorkChainNode) -> dict[str, Any]:
    return dict(label.inputs.settings.get_dict()) if "settings" in label.inputs else {}


def _job_hours(job: CalcJobNode) -> float:
    if job.base.caching.is_created_from_cache:
        return 0.0
    return n_cores(job.get_option("resources") or {}) * seconds(job) / SECONDS_PER_HOUR


def n_cores(resources: dict[str, Any]) -> int:
    """Return the number of cores of a job from the options of its scheduler."""
    machines = int(resources.get("num_machines") or 1)
    processes = resources.get("tot_num_mpiprocs") or machines * (resources.get("num_mpiprocs_per_machine") or 1)
    per_process = resources.get("num_cores_per_mpiproc")
    if per_process is None and resources.get("num_cores_per_machine"):
        return machines * int(resources["num_cores_per_machine"])
    return int(processes) * int(per_process or 1)


def seconds(job: CalcJobNode) -> float:
    """Return the run time of a job: from the scheduler's accounting, the engine, or the scheduler's last query.

    Without any of these it is the time from the creation to the end of the job, queue included.
    """
    for stated in (_read_accounting(job), _read_engine_time(job), _read_last_query(job)):
        if stated is not None and stated > 0.0:
            return stated
    return max(0.0, (job.mtime - job.ctime).total_seconds())


def _read_accounting(job: CalcJobNode) -> float | None:
    """Return the elapsed seconds in the table of `sacct --parsable`."""
    lines = str((job.get_detailed_job_info() or {}).get("stdout") or "").splitlines()
    if len(lines) < 2:
        return None
    row = dict(zip(lines[0].split("|"), lines[1].split("|"), strict=False))
    elapsed = row.get("ElapsedRaw", "")
    return float(elapsed) if elapsed.isdecimal() else None


def _read_engine_time(job: CalcJobNode) -> float | None:
    """Return the seconds in the output of VASP."""
    misc = job.base.links.get_outgoing(link_label_filter="misc").all()
    stated = misc[0].node.get_dict().get("run_stats", {}).get("elapsed_time") if misc else None
    return None if stated is None else float(stated)


def _read_last_query(job: CalcJobNode) -> float | None:
    found = job.get_last_job_info()
    stated = None if found is None else found.wallclock_time_seconds
    return None if stated is None else float(stated)
