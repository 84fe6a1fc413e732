"""Shared parts of the commands that start a campaign: options, running table, and messages at the end."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from soso_core.errors import InputError

FOLLOW_SECONDS = 2.0
INTERRUPTED = 130
"""Exit status of a program that was ended by Ctrl-C."""


@dataclass(frozen=True)
class Start:
    """Options of a start: here or in the daemon, whether to watch, and the files to write at the end."""

    submit: bool
    follow: bool
    model_out: Path | None
    report_out: Path | None


def start_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a start; the command receives them as the argument `start`."""

    @click.option("--run", is_flag=True, help="Run in this process (the default).")
    @click.option("--submit", is_flag=True, help="Submit to the daemon and return; not together with --run.")
    @click.option("--follow", is_flag=True, help="With --submit: print the table while the daemon works.")
    @click.option("--model-out", type=click.Path(path_type=Path), help="Write the final model file here.")
    @click.option("--report", "report_out", type=click.Path(path_type=Path), help="Write the HTML report here.")
    @wraps(command)
    def wrapped(
        run: bool, submit: bool, follow: bool, model_out: Path | None, report_out: Path | None, **others: Any
    ) -> Any:
        return command(run=run, start=Start(submit, follow, model_out, report_out), **others)

    return wrapped


def check_mode(run: bool, start: Start, dry_run: bool = False) -> None:
    """Raise InputError when the options contradict each other."""
    if dry_run and (run or start.submit):
        raise InputError(f"--dry-run starts nothing; remove {'--run' if run else '--submit'} or --dry-run")
    if run and start.submit:
        raise InputError("--run and --submit contradict each other; give one of them (--run is the default)")


def show_or_resume(node: Any, start: Start) -> None:
    """Show a campaign that ended by a decision; resume an interrupted one."""
    from soso_workflows.campaign.launch import FINGERPRINT_EXTRA
    from soso_workflows.campaign.resume import has_concluded, resume_builder
    from soso_workflows.campaign.state import CampaignState
    from soso_workflows.views.progress import Progress

    state = CampaignState(node)
    if has_concluded(state):
        Progress(click.echo)(node)
        report_end(node, start)
        return
    start_campaign(resume_builder(state), start, node.base.extras.get(FINGERPRINT_EXTRA))


def start_campaign(builder: Any, start: Start, fingerprint: str | None) -> None:
    """Run or submit a campaign and print its table."""
    from soso_workflows.campaign.launch import run_here, submit
    from soso_workflows.views.progress import Progress

    progress = Progress(click.echo)
    try:
        if start.submit:
            node = submit(builder, fingerprint)
            progress.announce(node)
            if not start.follow:
                click.echo(f"watch it with: verdi data soso status {node.pk}")
                return
            while not node.is_terminated:
                progress(node)
                time.sleep(FOLLOW_SECONDS)
            progress(node)
        else:
            node = run_here(builder, progress, fingerprint)
    except KeyboardInterrupt:
        click.echo(progress.interrupt_message("submit" if start.submit else "run"), err=True)
        sys.exit(INTERRUPTED)
    report_end(node, start)


def report_end(node: Any, start: Start) -> None:
    """Print the end of a campaign and write the requested files; exit with 1 unless the target is met."""
    from soso_core.formats import write_file
    from soso_workflows.campaign.resume import suggest_next_command
    from soso_workflows.campaign.state import load_campaign
    from soso_workflows.views.report import write_report
    from soso_workflows.views.table import state_line

    state = load_campaign(node.pk)
    click.echo(f"campaign <{node.pk}>: {state_line(state)}")
    if start.model_out is not None and state.model is not None:
        write_file(start.model_out, state.model.content)
        click.echo(f"wrote {start.model_out}")
    if start.report_out is not None:
        write_report(state, start.report_out)
        click.echo(f"wrote {start.report_out}")
    if not node.is_finished_ok:
        click.echo(suggest_next_command(state), err=True)
        sys.exit(1)
