"""Build the process of a campaign, run it here or submit it to the daemon."""

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psutil
from aiida.cmdline.utils.log import CliHandler
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.engine import ProcessBuilder, ProcessState
from aiida.engine import submit as submit_to_daemon
from aiida.manage import get_manager
from aiida.orm import (
    AbstractCode,
    CalcJobNode,
    Dict,
    Int,
    ProcessNode,
    QueryBuilder,
    Str,
    StructureData,
    WorkChainNode,
    load_code,
)
from aiida.schedulers import SchedulerError

from soso_core.errors import InputError
from soso_core.formats import read_configurations
from soso_workchains.active_learning.chain import ActiveLearningWorkChain
from soso_workflows.campaign.campaign_file import Campaign
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.sources import load_dataset_node, load_model_node
from soso_workflows.provenance.lineage import LAST_SIGN_EXTRA, CampaignProcess

POLL_SECONDS = 0.5
WATCH_REST = 20.0
"""Time between two updates of the table, in units of the time of an update, which grows with the number of labels."""
UNWIND_SECONDS = 30.0
"""How long the processes of an interrupted campaign may take to end."""
RUNNER_EXTRA = "soso_runner"
"""Extra of a campaign that runs outside the daemon: host, PID and start time, to detect that its process died."""
SAME_START_SECONDS = 2.0
"""A correction of the clock moves a start time by less; two processes with the same PID start further apart."""

FINGERPRINT_EXTRA = "soso_campaign"
"""Extra of a campaign: the fingerprint of its file, for `launch --once`."""

SEVERAL_CODES = "several codes have the label '{label}'; write {label}@computer"


def find_code(label: str) -> AbstractCode:
    """Return the code of `soso` with this label.  Raises InputError with the command to run."""
    try:
        return load_code(label)
    except NotExistent:
        raise InputError(f"there is no code '{label}' in this profile; run `verdi data soso setup` first") from None
    except MultipleObjectsError:
        raise InputError(SEVERAL_CODES.format(label=label)) from None


def find_engine_code(label: str) -> AbstractCode:
    """Return the code of an engine that is not `soso`.  Raises InputError with the command to run."""
    try:
        return load_code(label)
    except NotExistent:
        message = f"engine_code: there is no code '{label}' in this profile; list the codes with `verdi code list`"
        raise InputError(message) from None
    except MultipleObjectsError:
        raise InputError(f"engine_code: {SEVERAL_CODES.format(label=label)}") from None


def campaign_builder(campaign: Campaign, code: AbstractCode) -> ProcessBuilder:
    """Return the builder of the campaign's process; `code` runs `soso`."""
    settings = campaign.settings
    engine_code = code if settings.engine_code is None else find_engine_code(settings.engine_code)
    builder = ActiveLearningWorkChain.get_builder()
    builder.metadata.label = settings.name
    builder.code = code
    builder.structure = StructureData(ase=campaign.structure)
    builder.exploration = Dict(campaign.exploration.model_dump(mode="json"))
    builder.user_files = {
        name: SosoDataset.from_configurations(read_configurations(path))
        for name, path in settings.exploration.files.items()
    }
    if "dataset" in campaign.sources:
        builder.dataset = load_dataset_node(campaign.sources["dataset"])
    if "model" in campaign.sources:
        builder.model = load_model_node(campaign.sources["model"])
    if settings.fit is not None:
        builder.fit = Dict(settings.fit.model_dump(mode="json", exclude_unset=True))
    builder.policy = Dict(settings.policy.model_dump(mode="json"))
    builder.seed, builder.max_parallel = Int(settings.seed), Int(settings.max_parallel)
    builder.min_grade = Str(settings.min_grade)
    builder.engine = Str(settings.engine_entry_point)
    campaign.engine.check_profile(campaign.engine_settings, campaign.structure)
    builder.label = campaign.engine.inputs_from_settings(campaign.engine_settings, engine_code)
    return builder


def find_launch_problems(campaign: Campaign, code_label: str) -> list[str]:
    """Return the problems for which a launch from this profile would fail, one line each; nothing is stored."""
    codes = [(find_code, code_label), (find_engine_code, campaign.settings.engine_code)]
    problems = [_find_code_problem(find, label) for find, label in codes if label is not None]
    missing = campaign.engine.missing_prerequisites(campaign.engine_settings, campaign.structure)
    return [*(line for line in problems if line is not None), *missing]


def _find_code_problem(find: Callable[[str], AbstractCode], label: str) -> str | None:
    """Return the error of a code that is missing, None for one that exists."""
    try:
        find(label)
    except InputError as error:
        return str(error)
    return None


def field_scale_builder(campaign: Campaign, code_label: str) -> ProcessBuilder:
    """Return the builder of the measurement of the field scale; `code_label` is that of `soso`.

    Raises InputError when the engine has nothing to measure with these settings.
    """
    named = campaign.settings.engine_code
    code = find_code(code_label) if named is None else find_engine_code(named)
    campaign.engine.check_profile(campaign.engine_settings, campaign.structure)
    inputs = campaign.engine.inputs_from_settings(campaign.engine_settings, code)
    wanted = campaign.engine.preparation(inputs, StructureData(ase=campaign.structure))
    if wanted is None:
        raise InputError(f"engine {campaign.settings.engine} has nothing to measure with these settings")
    builder = wanted.process_class.get_builder()
    builder._update(wanted.inputs)
    builder.metadata.label = f"{campaign.settings.name}: field scale"
    return builder


def submit(builder: ProcessBuilder, fingerprint: str | None = None) -> WorkChainNode:
    """Submit the campaign to the daemon.  Raises InputError when no daemon is running."""
    if not get_manager().get_daemon_client().is_daemon_running:
        raise InputError("the AiiDA daemon is not running; start it with `verdi daemon start 2`, or use --run")
    node = submit_to_daemon(builder)
    set_fingerprint(node, fingerprint)
    return node


def set_fingerprint(node: WorkChainNode, fingerprint: str | None) -> None:
    """Store the fingerprint of the campaign file with the node of the campaign."""
    node.base.extras.set(FINGERPRINT_EXTRA, fingerprint)


def find_by_fingerprint(fingerprint: str) -> WorkChainNode | None:
    """Return the newest campaign with this fingerprint, None when there is none."""
    query = QueryBuilder().append(WorkChainNode, filters={f"extras.{FINGERPRINT_EXTRA}": fingerprint})
    found = query.order_by({WorkChainNode: {"id": "desc"}}).first(flat=True)
    return found if isinstance(found, WorkChainNode) else None


def run_here(
    builder: ProcessBuilder, watch: Callable[[WorkChainNode], None], fingerprint: str | None = None
) -> WorkChainNode:
    """Run the campaign in this process and call `watch` at intervals; neither daemon nor broker is needed.

    Raises KeyboardInterrupt after an interrupt, when the jobs and all open processes are killed; finished processes
    are in the database, for `resume`.
    """
    manager = get_manager()
    manager.reset_runner()
    runner = manager.create_runner(poll_interval=POLL_SECONDS, communicator=None)
    manager.set_runner(runner)
    node = runner.submit(builder)
    set_fingerprint(node, fingerprint)
    node.base.extras.set(RUNNER_EXTRA, _this_process())
    try:
        with _quiet_console(), _interrupt_flag(runner.loop) as interrupted:
            try:
                runner.run_until_complete(runner.loop.create_task(_watched(node, watch, interrupted)))
            finally:
                _unwind(runner.loop)
    finally:
        manager.reset_runner()
    if interrupted.is_set():
        _kill_jobs(node)
        mark_as_killed(node)
        raise KeyboardInterrupt
    return node


def is_alive(node: WorkChainNode) -> bool:
    """Return whether the campaign is open and the process that runs it exists; the daemon is not checked."""
    if node.is_terminated:
        return False
    runner = node.base.extras.get(RUNNER_EXTRA, None)
    return runner is None or runner["host"] != socket.gethostname() or _is_running(runner)


def explain_idle(node: WorkChainNode) -> str | None:
    """Return a line with the command to run when an open campaign makes no progress; None otherwise."""
    if node.is_terminated:
        return None
    if not is_alive(node):
        return f"the process that ran this campaign has ended; continue with `verdi data soso resume {node.pk}`"
    extras = node.base.extras.all
    was_submitted = FINGERPRINT_EXTRA in extras and RUNNER_EXTRA not in extras
    if was_submitted and not get_manager().get_daemon_client().is_daemon_running:
        return "the AiiDA daemon is not running; the campaign continues after `verdi daemon start 2`"
    return None


def mark_as_killed(campaign: WorkChainNode) -> None:
    """Mark the open processes of a dead campaign as killed, and store the time of its last change."""
    if not campaign.is_terminated:
        campaign.base.extras.set(LAST_SIGN_EXTRA, CampaignProcess(campaign).last_sign.isoformat())
    for node in [*campaign.called_descendants, campaign]:
        if not node.is_terminated:
            _close(node, "the campaign was interrupted")


async def _watched(node: WorkChainNode, watch: Callable[[WorkChainNode], Any], interrupted: asyncio.Event) -> None:
    due = time.monotonic()
    while not node.is_terminated and not interrupted.is_set():
        if (begun := time.monotonic()) >= due:
            kill_paused_jobs(node)
            watch(node)
            ended = time.monotonic()
            due = ended + WATCH_REST * (ended - begun)
        await asyncio.sleep(POLL_SECONDS)
    watch(node)


def kill_paused_jobs(campaign: ProcessNode) -> None:
    """Mark the paused jobs of a campaign as killed: those that AiiDA failed to upload or submit several times.

    Without daemon or broker nothing can continue them; their labels count as failed.  Jobs that a scheduler has are
    not changed: they may still run.
    """
    paused = QueryBuilder().append(CalcJobNode, filters={"attributes.paused": True}).all(flat=True)
    waiting = {job.pk: job for job in paused if not job.is_terminated and job.get_job_id() is None}
    for node in campaign.called_descendants if waiting else ():
        if node.pk in waiting:
            _close(node, f"given up: {waiting[node.pk].process_status}")


def _close(process: ProcessNode, status: str) -> None:
    process.set_process_state(ProcessState.KILLED)
    process.set_process_status(status)
    process.seal()


def _unwind(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the open tasks of a loop and wait for their end.

    Otherwise the garbage collector would run the clean-up of a process that was interrupted in a database session, at
    any time, in the middle of the transaction of another process.
    """
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    ended, _ = loop.run_until_complete(asyncio.wait(tasks, timeout=UNWIND_SECONDS))
    for task in ended:
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio logs it: an interrupted process always ends with one


@contextmanager
def _interrupt_flag(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.Event]:
    """Yield a flag that Ctrl-C or a termination signal sets between two steps, never within a transaction."""
    flag = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, flag.set)
    try:
        yield flag
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _kill_jobs(campaign: ProcessNode) -> None:
    for node in campaign.called_descendants:
        job_id = node.get_job_id() if isinstance(node, CalcJobNode) and not node.is_terminated else None
        if job_id and node.computer is not None:
            scheduler = node.computer.get_scheduler()
            with node.get_transport() as transport, suppress(psutil.Error, SchedulerError):  # it may just have ended
                scheduler.set_transport(transport)
                scheduler.kill_job(job_id)


def _this_process() -> dict[str, Any]:
    """Return host, PID and start time of this process, which identify it also after the PID is reused."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time()}


def _is_running(runner: Mapping[str, Any]) -> bool:
    """Return whether the process that runs a campaign exists; PIDs are reused, start times are not."""
    try:
        started = psutil.Process(runner["pid"]).create_time()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
    return abs(started - runner["started"]) < SAME_START_SECONDS


@contextmanager
def _quiet_console() -> Iterator[None]:
    """Print no AiiDA log between the rows of the table; `verdi process report PK` shows it."""
    kinds = (logging.StreamHandler, CliHandler)
    found = [item for item in logging.getLogger("aiida").handlers if isinstance(item, kinds)]
    handlers = [item for item in found if not isinstance(item, logging.FileHandler)]
    levels = [item.level for item in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)
