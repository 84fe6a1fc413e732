"""`verdi data soso ...` and `aiida-soso ...`: set up, launch, watch, report and resume campaigns.

Nothing here loads a profile at import; the modules that need AiiDA's database are imported when a command runs.
"""

import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from aiida.cmdline.groups import VerdiCommandGroup
from aiida.cmdline.params import options, types
from aiida.cmdline.utils.decorators import load_backend_if_not_loaded
from aiida.common.exceptions import ConfigurationError, IntegrityError, LockedProfileError
from rich.console import Console

from soso_core.errors import InputError, SosoError

FOLLOW_SECONDS = 2.0
INTERRUPTED = 130
"""What a shell expects of a program that Ctrl-C ended."""


def with_profile(command: Callable[..., Any]) -> Callable[..., Any]:
    """Load the profile, then run the command; every `SosoError` becomes one line on stderr and an exit code."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            _load_profile()
            return command(*args, **kwargs)
        except SosoError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)

    return wrapped


def _load_profile() -> None:
    try:
        load_backend_if_not_loaded()
    except (ConfigurationError, IntegrityError, LockedProfileError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"no AiiDA profile to work in ({reason}); make one with `verdi presto`") from None


@click.group("soso", cls=VerdiCommandGroup, context_settings={"help_option_names": ["--help", "-h"]})
def soso() -> None:
    """Active learning of spin-lattice models.

    \b
    A first campaign, from nothing to a model:
      verdi data soso setup
      verdi data soso launch workchains/campaigns/bcc_fe_demo.yaml --run
      verdi data soso report PK -o report.html
    """


@soso.command("setup")
@click.option("--workdir", type=click.Path(path_type=Path), help="Where jobs run; default: beside the profile.")
@with_profile
def setup(workdir: Path | None) -> None:
    """Make this profile ready: computer `localhost`, code `soso@localhost`, short polling.

    What is there already is kept, so that it can be run again.

    \b
    Example:
      verdi data soso setup
    """
    from soso_workflows.setup_profile import ensure_code, ensure_computer, ensure_options

    computer, made_computer = ensure_computer(workdir)
    code, made_code = ensure_code(computer)
    changed = ensure_options()
    for name, made in ((f"computer {computer.label}", made_computer), (f"code {code.full_label}", made_code)):
        click.echo(f"{name}: {'made' if made else 'kept'}")
    click.echo(f"profile options: {'set' if changed else 'kept'}")


@soso.command("launch")
@click.argument("campaign_file", metavar="CAMPAIGN.yaml", type=click.Path(path_type=Path))
@click.option("--run", is_flag=True, help="Run in this process (the default).")
@click.option("--submit", is_flag=True, help="Hand it to the daemon and return; not together with --run.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, store nothing.")
@click.option("--follow", is_flag=True, help="With --submit: print the table while the daemon works.")
@click.option("--once", is_flag=True, help="Show the campaign if it ended before, go on with it if it was cut short.")
@click.option("--code", "code_label", default="soso@localhost", show_default=True, help="Label of the soso code.")
@click.option("--model-out", type=click.Path(path_type=Path), help="Write the final model file here.")
@click.option("--report", "report_out", type=click.Path(path_type=Path), help="Write the HTML report here.")
@with_profile
def launch(
    campaign_file: Path,
    run: bool,
    submit: bool,
    dry_run: bool,
    follow: bool,
    once: bool,
    code_label: str,
    model_out: Path | None,
    report_out: Path | None,
) -> None:
    """Start a campaign from its YAML file; without --submit it runs here and the command ends with it.

    \b
    Look first, then run here, or let the daemon work:
      verdi data soso launch bcc_fe_demo.yaml --dry-run
      verdi data soso launch bcc_fe_demo.yaml --run --model-out model.soso --report report.html
      verdi data soso launch bcc_fe_demo.yaml --submit --follow
    """
    from soso_workflows.campaign import describe, read_campaign
    from soso_workflows.launch import campaign_builder, find_code, find_marked

    mode = _mode(run, submit)
    campaign = read_campaign(campaign_file)
    if dry_run:
        for name, value in describe(campaign).items():
            click.echo(f"{name + ':':<22}{value}")
        return
    earlier = find_marked(campaign.fingerprint) if once else None
    if earlier is not None:
        _go_on(earlier, mode, follow, model_out, report_out)
        return
    builder = campaign_builder(campaign, find_code(code_label))
    _start(builder, mode, follow, model_out, report_out, campaign.fingerprint)


@soso.command("status")
@click.argument("pk")
@with_profile
def status(pk: str) -> None:
    """Show the table of a campaign: labels, blind errors, sigma, pair-only baseline, decisions, failures.

    \b
    Example (the PK was printed by launch; `verdi process list -a` shows it too):
      verdi data soso status 123
    """
    from soso_workflows.launch import why_idle
    from soso_workflows.state import load_campaign
    from soso_workflows.table import below_grade_lines, field_warning, status_table

    state = load_campaign(pk)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(status_table(state))
    if (idle := why_idle(state.node)) is not None:
        click.echo(idle)
    for line in (line for batch in state.batches for line in below_grade_lines(batch)):
        click.echo(line)
    if state.batches and (warning := field_warning(state.batches[-1])) is not None:
        click.echo(warning)
    for failure in (item for campaign in state.lineage for item in campaign.failures):
        click.echo(f"label {failure.index} of batch {failure.batch} failed <{failure.pk}>: {failure.reason}")


@soso.command("report")
@click.argument("pk")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: campaign_PK.html")
@with_profile
def report(pk: str, output: Path | None) -> None:
    """Write one HTML file: learning curve, parity plots, J(r) with its error band, history, settings.

    \b
    Example:
      verdi data soso report 123 -o report.html
    """
    from soso_workflows.report import write_report
    from soso_workflows.state import load_campaign

    path = output or Path(f"campaign_{pk}.html")
    write_report(load_campaign(pk), path)
    click.echo(f"wrote {path}")


@soso.command("resume")
@click.argument("pk")
@click.option("--max-labels", type=click.IntRange(min=1), help="A new budget, counted from the very first label.")
@click.option("--run", is_flag=True, help="Run in this process (the default).")
@click.option("--submit", is_flag=True, help="Hand it to the daemon and return; not together with --run.")
@click.option("--follow", is_flag=True, help="With --submit: print the table while the daemon works.")
@click.option("--model-out", type=click.Path(path_type=Path), help="Write the final model file here.")
@click.option("--report", "report_out", type=click.Path(path_type=Path), help="Write the HTML report here.")
@with_profile
def resume(
    pk: str,
    max_labels: int | None,
    run: bool,
    submit: bool,
    follow: bool,
    model_out: Path | None,
    report_out: Path | None,
) -> None:
    """Go on with a campaign that stopped, was killed, or failed; no finished label is made again.

    \b
    Examples:
      verdi data soso resume 123
      verdi data soso resume 123 --max-labels 60
    """
    from soso_workflows.launch import FINGERPRINT_EXTRA
    from soso_workflows.resume import resume_builder
    from soso_workflows.state import load_campaign

    mode = _mode(run, submit)
    state = load_campaign(pk)
    fingerprint = None if max_labels else state.node.base.extras.get(FINGERPRINT_EXTRA, None)
    _start(resume_builder(state, max_labels), mode, follow, model_out, report_out, fingerprint)


@soso.command("field-scale")
@click.argument("campaign_file", metavar="CAMPAIGN.yaml", type=click.Path(path_type=Path))
@click.option("--submit", is_flag=True, help="Hand it to the daemon and return; default: run here.")
@with_profile
def field_scale(campaign_file: Path, submit: bool) -> None:
    """Measure the factor of the field that your VASP prints, with code and settings of a campaign file.

    Three labels of the cell in the file: its first spin turned by 30 degrees, and by 5 degrees more and less. The
    ratio of energy difference and field is the factor; it is stored with all that led to it.

    \b
    Example:
      verdi data soso field-scale campaign.yaml
    """
    from soso_workflows import launch as launching
    from soso_workflows.campaign import read_campaign

    campaign = read_campaign(campaign_file, field_scale="measure")
    builder = launching.field_scale_builder(campaign)
    if submit:
        node = launching.submit(builder)
        click.echo(f"field scale <{node.pk}>: submitted; see `verdi process show {node.pk}`")
        return
    node = launching.run_here(builder, lambda _: None)
    if not node.is_finished_ok:
        raise InputError(f"field scale <{node.pk}>: {node.exit_message}")
    measured = node.outputs.field_scale
    click.echo(f"field scale: {measured['field_scale']:.4f} +- {measured['error']:.4f}")
    click.echo(f"in the campaign file: field_scale: node:{measured.pk}")


def _mode(run: bool, submit: bool) -> str:
    if run and submit:
        raise InputError("--run and --submit contradict each other; give one of them (--run is the default)")
    return "submit" if submit else "run"


def _go_on(node: Any, mode: str, follow: bool, model_out: Path | None, report_out: Path | None) -> None:
    """Show a campaign that came to a decision, resume one that was cut short."""
    from soso_workflows.launch import FINGERPRINT_EXTRA
    from soso_workflows.progress import Progress
    from soso_workflows.resume import has_concluded, resume_builder
    from soso_workflows.state import CampaignState

    state = CampaignState(node)
    if has_concluded(state):
        Progress(click.echo)(node)
        _finish(node, model_out, report_out)
        return
    fingerprint = node.base.extras.get(FINGERPRINT_EXTRA)
    _start(resume_builder(state), mode, follow, model_out, report_out, fingerprint)


def _start(
    builder: Any,
    mode: str,
    follow: bool,
    model_out: Path | None,
    report_out: Path | None,
    fingerprint: str | None,
) -> None:
    from soso_workflows.launch import run_here, submit
    from soso_workflows.progress import Progress

    progress = Progress(click.echo)
    try:
        if mode == "submit":
            node = submit(builder, fingerprint)
            progress.announce(node)
            if not follow:
                click.echo(f"watch it with: verdi data soso status {node.pk}")
                return
            while not node.is_terminated:
                progress(node)
                time.sleep(FOLLOW_SECONDS)
            progress(node)
        else:
            node = run_here(builder, progress, fingerprint)
    except KeyboardInterrupt:
        click.echo(progress.farewell(mode), err=True)
        sys.exit(INTERRUPTED)
    _finish(node, model_out, report_out)


def _finish(node: Any, model_out: Path | None, report_out: Path | None) -> None:
    from soso_workflows.report import write_report
    from soso_workflows.state import load_campaign
    from soso_workflows.table import state_line

    state = load_campaign(node.pk)
    click.echo(f"campaign <{node.pk}>: {state_line(state)}")
    if model_out is not None and state.model is not None:
        model_out.write_bytes(state.model.content)
        click.echo(f"wrote {model_out}")
    if report_out is not None:
        write_report(state, report_out)
        click.echo(f"wrote {report_out}")
    if not node.is_finished_ok:
        click.echo(f"to go on: verdi data soso resume {node.pk} [--max-labels N]", err=True)
        sys.exit(1)


@click.group("aiida-soso", cls=VerdiCommandGroup, context_settings={"help_option_names": ["--help", "-h"]})
@options.PROFILE(type=types.ProfileParamType(load_profile=True), expose_value=False)
def main() -> None:
    """The commands of `verdi data soso`, as a program of its own."""


for _name, _command in soso.commands.items():
    main.add_command(_command, _name)
