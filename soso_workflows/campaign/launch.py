"""From a campaign to a process: build it, run it here or hand it to the daemon."""

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
from soso_workflows.data.sources import given_dataset, given_model
from soso_workflows.provenance.lineage import LAST_SIGN_EXTRA, CampaignProcess

POLL_SECONDS = 0.5
WATCH_REST = 20.0
"""Between two looks at a campaign, over what a look takes: looking takes longer as labels grow in number."""
UNWIND_SECONDS = 30.0
"""How long the processes of an interrupted campaign may take to let go."""
RUNNER_EXTRA = "soso_runner"
"""Extra of a campaign that runs outside the daemon: host, process id and its start, so that a dead one can be told."""
SAME_START_SECONDS = 2.0
"""A clock that is set moves the start of a process by no more; processes with one number start further apart."""

FINGERPRINT_EXTRA = "soso_campaign"
"""Extra of a campaign: fingerprint of its file, for `launch --once`."""

SEVERAL_CODES = "several codes are called '{label}'; write {label}@computer"


def find_code(label: str) -> AbstractCode:
    """Return the code `soso@localhost`, or another label.  Raises InputError with what to type."""
    try:
        return load_code(label)
    except NotExistent:
        raise InputError(f"there is no code '{label}' in this profile; run `verdi data soso setup` first") from None
    except MultipleObjectsError:
        raise InputError(SEVERAL_CODES.format(label=label)) from None


def find_engine_code(label: str) -> AbstractCode:
    """Return the code of an engine that is not `soso`.  Raises InputError with what to type."""
    try:
        return load_code(label)
    except NotExistent:
        message = f"engine_code: there is no code '{label}' in this profile; `verdi code list` shows those there are"
        raise InputError(message) from None
    except MultipleObjectsError:
        raise InputError(f"engine_code: {SEVERAL_CODES.format(label=label)}") from None


def campaign_builder(campaign: Campaign, code: AbstractCode) -> ProcessBuilder:
    """Return the builder of the campaign's process; `code` is that of `soso`."""
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
    if "dataset" in campaign.given:
        builder.dataset = given_dataset(campaign.given["dataset"])
    if "model" in campaign.given:
        builder.model = given_model(campaign.given["model"])
    if settings.fit is not None:
        builder.fit = Dict(settings.fit.model_dump(mode="json", exclude_unset=True))
    builder.policy = Dict(settings.policy.model_dump(mode="json"))
    builder.seed, builder.max_parallel = Int(settings.seed), Int(settings.max_parallel)
    builder.min_grade = Str(settings.min_grade)
    builder.engine = Str(settings.engine_entry_point)
    campaign.engine.check_profile(campaign.engine_settings, campaign.structure)
    builder.label = campaign.engine.inputs_from_settings(campaign.engine_settings, engine_code)
    return builder


def refusals(campaign: Campaign, code_label: str) -> list[str]:
    """Return, one line each, what this profile lacks so that a launch would be refused; stores nothing."""
    wanted = [(find_code, code_label), (find_engine_code, campaign.settings.engine_code)]
    said = [_refusal(find, label) for find, label in wanted if label is not None]
    lacking = campaign.engine.lacks(campaign.engine_settings, campaign.structure)
    return [*(line for line in said if line is not None), *lacking]


def _refusal(find: Callable[[str], AbstractCode], label: str) -> str | None:
    """Return why there is no such code, None when there is."""
    try:
        find(label)
    except InputError as error:
        return str(error)
    return None


def field_scale_builder(campaign: Campaign, code_label: str) -> ProcessBuilder:
    """Return the builder of what measures the field scale of a campaign; `code_label` is that of `soso`.

    Raises InputError when the engine, with these settings, measures nothing.
    """
    named = campaign.settings.engine_code
    code = find_code(code_label) if named is None else find_engine_code(named)
    campaign.engine.check_profile(campaign.engine_settings, campaign.structure)
    inputs = campaign.engine.inputs_from_settings(campaign.engine_settings, code)
    wanted = campaign.engine.preparation(inputs, StructureData(ase=campaign.structure))
    if wanted is None:
        raise InputError(f"engine {campaign.settings.engine} measures nothing with these settings")
    builder = wanted.process_class.get_builder()
    builder._update(wanted.inputs)
    builder.metadata.label = f"{campaign.settings.name}: field scale"
    return builder


def submit(builder: ProcessBuilder, fingerprint: str | None = None) -> WorkChainNode:
    """Hand the campaign to the daemon.  Raises InputError when no daemon runs."""
    if not get_manager().get_daemon_client().is_daemon_running:
        raise InputError("the daemon does not run; start it with `verdi daemon start 2`, or use --run")
    node = submit_to_daemon(builder)
    mark(node, fingerprint)
    return node


def mark(node: WorkChainNode, fingerprint: str | None) -> None:
    """Write on a campaign's node which campaign file it is."""
    node.base.extras.set(FINGERPRINT_EXTRA, fingerprint)


def find_marked(fingerprint: str) -> WorkChainNode | None:
    """Return the newest process of the campaign file with this fingerprint."""
    query = QueryBuilder().append(WorkChainNode, filters={f"extras.{FINGERPRINT_EXTRA}": fingerprint})
    found = query.order_by({WorkChainNode: {"id": "desc"}}).first(flat=True)
    return found if isinstance(found, WorkChainNode) else None


def run_here(
    builder: ProcessBuilder, watch: Callable[[WorkChainNode], None], fingerprint: str | None = None
) -> WorkChainNode:
    """Run the campaign in this process and call `watch` now and then; needs neither daemon nor broker.

    An interrupt kills the jobs, marks every open process as killed and comes out as KeyboardInterrupt:
    all that had finished is in the database, for `resume`.
    """
    manager = get_manager()
    manager.reset_runner()
    runner = manager.create_runner(poll_interval=POLL_SECONDS, communicator=None)
    manager.set_runner(runner)
    node = runner.submit(builder)
    mark(node, fingerprint)
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
    """Whether somebody still works on the campaign: the daemon, or the process that runs it on this host."""
    if node.is_terminated:
        return False
    runner = node.base.extras.get(RUNNER_EXTRA, None)
    return runner is None or runner["host"] != socket.gethostname() or _is_running(runner)


def why_idle(node: WorkChainNode) -> str | None:
    """Return one line with what to type when nobody works on an open campaign."""
    if node.is_terminated:
        return None
    if not is_alive(node):
        return f"no process is working on this campaign any more; go on with `verdi data soso resume {node.pk}`"
    extras = node.base.extras.all
    was_submitted = FINGERPRINT_EXTRA in extras and RUNNER_EXTRA not in extras
    if was_submitted and not get_manager().get_daemon_client().is_daemon_running:
        return "the daemon does not run; this campaign goes on after `verdi daemon start 2`"
    return None


def mark_as_killed(campaign: WorkChainNode) -> None:
    """Mark the open processes of a campaign nobody works on any more as killed; note when it was last alive."""
    if not campaign.is_terminated:
        campaign.base.extras.set(LAST_SIGN_EXTRA, CampaignProcess(campaign).last_sign.isoformat())
    for node in [*campaign.called_descendants, campaign]:
        if not node.is_terminated:
            _close(node, "the campaign was interrupted")


async def _watched(node: WorkChainNode, watch: Callable[[WorkChainNode], Any], interrupted: asyncio.Event) -> None:
    due = time.monotonic()
    while not node.is_terminated and not interrupted.is_set():
        if (begun := time.monotonic()) >= due:
            give_up_paused(node)
            watch(node)
            ended = time.monotonic()
            due = ended + WATCH_REST * (ended - begun)
        await asyncio.sleep(POLL_SECONDS)
    watch(node)


def give_up_paused(campaign: ProcessNode) -> None:
    """Close the jobs of a campaign that AiiDA paused after it failed to upload or submit them several times.

    Without daemon or broker nothing could ever play them again; a label that is closed so is one that failed.  A job
    that its scheduler has is left alone: it may still run.
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
    """End what is still open on a loop, here and now.

    Left to the garbage collector, the clean-up of a process that was interrupted in a database session would run
    whenever that collects, in the middle of the transaction of another process.
    """
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    ended, _ = loop.run_until_complete(asyncio.wait(tasks, timeout=UNWIND_SECONDS))
    for task in ended:
        if not task.cancelled():
            task.exception()  # looked at: what ends an interrupted process is no news


@contextmanager
def _interrupt_flag(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.Event]:
    """Yield a flag that Ctrl-C or a termination signal raises; between two steps, never within a transaction."""
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
    """Return what tells this process from all others, one that gets its number later among them."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": psutil.Process().create_time()}


def _is_running(runner: Mapping[str, Any]) -> bool:
    """Tell whether the process that runs a campaign is there; a number is given again, a start is not."""
    try:
        started = psutil.Process(runner["pid"]).create_time()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
    return abs(started - runner["started"]) < SAME_START_SECONDS


@contextmanager
def _quiet_console() -> Iterator[None]:
    """Keep AiiDA's log out of the table; the database keeps it (`verdi process report PK`)."""
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
