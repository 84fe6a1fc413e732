"""Prepare a profile: computer, code, polling; existing ones are kept."""

import sys
from pathlib import Path

from aiida.common.exceptions import NotExistent
from aiida.manage import get_manager
from aiida.manage.configuration import get_config
from aiida.orm import Computer, InstalledCode, QueryBuilder

from soso_core.errors import InputError

COMPUTER, CODE = "localhost", "soso"
POLL_SECONDS = 1.0
PROFILE_OPTIONS = {"daemon.timeout": 30, "runner.poll.interval": 1}


def ensure_computer(workdir: Path | None = None) -> tuple[Computer, bool]:
    """Return the computer `localhost` and whether it was created now."""
    try:
        computer, made = Computer.collection.get(label=COMPUTER), False
    except NotExistent:
        computer, made = _make_computer(workdir or Path(get_config().dirpath) / "soso_work"), True
    if not computer.is_configured:
        computer.configure(use_login_shell=False, safe_interval=0.0)
    return computer, made


def ensure_code(computer: Computer, executable: Path | None = None) -> tuple[InstalledCode, bool]:
    """Return the code `soso@localhost` and whether it was created now.

    A code of that name with another executable is renamed and hidden, so that the provenance of earlier results
    stays true.  Raises InputError when there is no executable.
    """
    path = executable or Path(sys.executable).parent / CODE
    if not path.is_file():
        raise InputError(f"there is no executable {path}; install aiida-soso in this environment")
    filters = {"label": CODE, "dbcomputer_id": computer.pk}
    for old in QueryBuilder().append(InstalledCode, filters=filters).all(flat=True):
        if str(old.filepath_executable) == str(path):
            return old, False
        old.label = f"{CODE}-until-{old.pk}"
        old.is_hidden = True
    code = InstalledCode(label=CODE, computer=computer, filepath_executable=str(path))
    code.description = "the soso command: label, fit, explore, evaluate"
    return code.store(), True


def ensure_options() -> bool:
    """Set polling interval and daemon timeout of the profile; return whether any option changed."""
    config, profile = get_config(), get_manager().get_profile()
    assert profile is not None
    wrong = {
        name: value
        for name, value in PROFILE_OPTIONS.items()
        if config.get_option(name, scope=profile.name, default=False) is None
    }
    for name, value in wrong.items():
        config.set_option(name, value, scope=profile.name)
    if wrong:
        config.store()
    return bool(wrong)


def _make_computer(workdir: Path) -> Computer:
    computer = Computer(
        label=COMPUTER,
        hostname="localhost",
        description="this machine, without a queue",
        transport_type="core.local",
        scheduler_type="core.direct",
        workdir=str(workdir),
    ).store()
    computer.set_minimum_job_poll_interval(POLL_SECONDS)
    computer.set_default_mpiprocs_per_machine(1)
    return computer
