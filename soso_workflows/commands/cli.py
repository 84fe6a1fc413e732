"""The commands `verdi data soso ...` and `aiida-soso ...`: set up, launch, watch, report, resume, extend campaigns.

No profile is loaded at import: modules that need AiiDA's database are imported when a command runs.
"""

import sys
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
from soso_workflows.commands.start import Start, check_mode, show_or_resume, start_campaign, start_options

SOSO_CODE = "soso@localhost"
"""Label of the code that `setup` creates."""


def with_profile(command: Callable[..., Any]) -> Callable[..., Any]:
    """Load the profile and run the command; a `SosoError` becomes one line on stderr and an exit code."""

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
        raise InputError(f"no AiiDA profile can be loaded ({reason}); create one with `verdi presto`") from None


@click.group("soso", cls=VerdiCommandGroup, context_settings={"help_option_names": ["--help", "-h"]})
def soso() -> None:
    """Active learning of spin-lattice models.

    \b
    A first campaign, from nothing to a model:
      verdi data soso setup
      verdi data soso launch workchains/campaigns/bcc_fe_demo.yaml --run
      verdi data soso report PK -o report.html
    """


@soso.command("setup", short_help="Prepare this profile: computer, code, short polling.")
@click.option(
    "--workdir",
    type=click.Path(path_type=Path),
    help="Working folder of jobs; default: beside the profile.",
)
@with_profile
def setup(workdir: Path | None) -> None:
    """Prepare this profile: computer `localhost`, code `soso@localhost`, short polling.

    Safe to re-run: existing computers, codes and options are kept.

    \b
    Example:
      verdi data soso setup
    """
    from soso_workflows.commands.setup_profile import ensure_code, ensure_computer, ensure_options

    computer, made_computer = ensure_computer(workdir)
    code, made_code = ensure_code(computer)
    changed = ensure_options()
    for name, made in ((f"computer {computer.label}", made_computer), (f"code {code.full_label}", made_code)):
        click.echo(f"{name}: {'made' if made else 'kept'}")
    click.echo(f"profile options: {'set' if changed else 'kept'}")


@soso.command("launch", short_help="Start a campaign from its YAML file.")
@click.argument("campaign_file", metavar="CAMPAIGN.yaml", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the plan of the campaign and store nothing.")
@click.option("--once", is_flag=True, help="Safe to re-run: show a finished campaign, resume an interrupted one.")
@click.option("--code", "code_label", default=SOSO_CODE, show_default=True, help="Label of the soso code.")
@start_options
@with_profile
def launch(campaign_file: Path, dry_run: bool, once: bool, code_label: str, run: bool, start: Start) -> None:
    """Start a campaign from its YAML file; without --submit it runs in this process.

    A dry run works without codes and potentials and lists those that are missing.

    \b
    Show the plan, then run here or submit to the daemon:
      verdi data soso launch bcc_fe_demo.yaml --dry-run
      verdi data soso launch bcc_fe_demo.yaml --run --model-out model.soso --report report.html
      verdi data soso launch bcc_fe_demo.yaml --submit --follow
    """
    from soso_workflows.campaign.campaign_file import describe, read_campaign
    from soso_workflows.campaign.launch import campaign_builder, find_by_fingerprint, find_code, find_launch_problems

    check_mode(run, start, dry_run)
    campaign = read_campaign(campaign_file)
    if dry_run:
        _show(describe(campaign))
        for line in find_launch_problems(campaign, code_label):
            click.echo(f"a launch would fail: {line}")
        return
    earlier = find_by_fingerprint(campaign.fingerprint) if once else None
    if earlier is not None:
        show_or_resume(earlier, start)
        return
    start_campaign(campaign_builder(campaign, find_code(code_label)), start, campaign.fingerprint)


@soso.command("status", short_help="Show the table of a campaign and its failures.")
@click.argument("pk")
@with_profile
def status(pk: str) -> None:
    """Show the table of a campaign: labels, blind errors, predicted deviations, pair-only errors, decisions, failures.

    \b
    Example (the PK was printed by launch; `verdi process list -a` shows it too):
      verdi data soso status 123
    """
    from soso_workflows.campaign.launch import explain_idle
    from soso_workflows.campaign.state import load_campaign
    from soso_workflows.functions.label_warnings import below_grade_lines, field_warning
    from soso_workflows.views.table import lineage_lines, status_table

    state = load_campaign(pk)
    console = Console(width=None if sys.stdout.isatty() else 180)
    console.print(status_table(state))
    for line in lineage_lines(state):
        click.echo(line)
    if (idle := explain_idle(state.node)) is not None:
        click.echo(idle)
    for line in (line for batch in state.batches for line in below_grade_lines(batch)):
        click.echo(line)
    if state.batches and (warning := field_warning(state.batches[-1])) is not None:
        click.echo(warning)
    for failure in (item for campaign in state.lineage for item in campaign.failures):
        click.echo(f"label {failure.index} of batch {failure.batch} failed <{failure.pk}>: {failure.reason}")


@soso.command("report", short_help="Write the report of a campaign, one HTML file.")
@click.argument("pk")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: campaign_PK.html")
@with_profile
def report(pk: str, output: Path | None) -> None:
    """Write one HTML file: learning curve, parity plots, J(r) with its error band, history, settings.

    \b
    Example:
      verdi data soso report 123 -o report.html
    """
    from soso_workflows.campaign.state import load_campaign
    from soso_workflows.views.report import write_report

    path = output or Path(f"campaign_{pk}.html")
    write_report(load_campaign(pk), path)
    click.echo(f"wrote {path}")


@soso.command("resume", short_help="Continue a campaign that stopped or failed.")
@click.argument("pk")
@click.option(
    "--max-labels",
    type=click.IntRange(min=1),
    help="New budget, counted from the first label.",
)
@click.option("--max-core-hours", type=float, help="New budget in core-hours.")
@click.option("--max-wall-hours", type=float, help="New budget in hours, without the time between stop and resumption.")
@click.option("--target-energy", type=float, help="New target of the energy, meV per spin.")
@click.option("--target-field", type=float, help="New target of the effective fields, meV.")
@start_options
@with_profile
def resume(
    pk: str,
    max_labels: int | None,
    max_core_hours: float | None,
    max_wall_hours: float | None,
    target_energy: float | None,
    target_field: float | None,
    run: bool,
    start: Start,
) -> None:
    """Continue a campaign that stopped, was killed, or failed; finished labels are not repeated.

    A campaign that met its target continues with a lower target.

    \b
    Examples:
      verdi data soso resume 123
      verdi data soso resume 123 --max-labels 60 --max-core-hours 5000
      verdi data soso resume 123 --target-energy 0.8
    """
    from soso_workflows.campaign.launch import FINGERPRINT_EXTRA
    from soso_workflows.campaign.resume import resume_builder
    from soso_workflows.campaign.state import load_campaign

    check_mode(run, start)
    state = load_campaign(pk)
    changes = {
        "max_labels": max_labels,
        "max_core_hours": max_core_hours,
        "max_wall_hours": max_wall_hours,
        "target_energy_meV_per_spin": target_energy,
        "target_field_meV": target_field,
    }
    is_same = all(value is None for value in changes.values())
    fingerprint = state.node.base.extras.get(FINGERPRINT_EXTRA, None) if is_same else None
    start_campaign(resume_builder(state, **changes), start, fingerprint)


@soso.command("extend", short_help="Continue a campaign with other cells or generators.")
@click.argument("pk")
@click.argument("campaign_file", metavar="CAMPAIGN.yaml", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the plan of the campaign and store nothing.")
@click.option("--code", "code_label", default=SOSO_CODE, show_default=True, help="Label of the soso code.")
@start_options
@with_profile
def extend(pk: str, campaign_file: Path, dry_run: bool, code_label: str, run: bool, start: Start) -> None:
    """Continue a campaign with another supercell, temperature, generator or structure.

    CAMPAIGN.yaml is a complete campaign file. The new campaign starts from labels, model and history of campaign PK:
    the model chooses the first batch and is tested on it, labels are not repeated, and budgets count from the first
    label. Earlier blind tests do not count for the new target.

    \b
    Example:
      verdi data soso extend 123 larger_cell.yaml --dry-run
      verdi data soso extend 123 larger_cell.yaml
    """
    from soso_workflows.campaign.campaign_file import describe, read_campaign
    from soso_workflows.campaign.launch import campaign_builder, find_code
    from soso_workflows.campaign.resume import check_extension, extend_builder, find_changed_engine_settings
    from soso_workflows.campaign.state import load_campaign

    check_mode(run, start, dry_run)
    state = load_campaign(pk)
    campaign = read_campaign(campaign_file, n_existing=state.n_labels)
    if campaign.sources:
        key = next(iter(campaign.sources))
        raise InputError(f"{campaign_file}: {key}: remove this key; labels and model are those of campaign {pk}")
    builder = campaign_builder(campaign, find_code(code_label))
    check_extension(state, builder)
    if changed := find_changed_engine_settings(state, builder):
        keys = ", ".join(changed)
        click.echo(
            f"note: engine_settings differ from those of campaign {pk} ({keys}); one model is fitted to labels of both",
            err=True,
        )
    if dry_run:
        _show({"continues": f"campaign {pk}, {state.n_labels} labels", **describe(campaign)})
        return
    start_campaign(extend_builder(state, builder), start, None)


@soso.command("field-scale", short_help="Measure the scale of the field that your VASP prints.")
@click.argument("campaign_file", metavar="CAMPAIGN.yaml", type=click.Path(path_type=Path))
@click.option("--submit", is_flag=True, help="Submit to the daemon and return; default: run here.")
@click.option("--code", "code_label", default=SOSO_CODE, show_default=True, help="Label of the soso code.")
@with_profile
def field_scale(campaign_file: Path, submit: bool, code_label: str) -> None:
    """Measure the scale of the field that your VASP prints, with code and settings of a campaign file.

    Three labels of the cell in the file are calculated: its first spin is rotated by 30 degrees, and by 5 degrees more
    and less. The scale is the ratio of energy difference and field; it is stored with its provenance.

    \b
    Example:
      verdi data soso field-scale campaign.yaml
    """
    from soso_workflows.campaign import launch as launching
    from soso_workflows.campaign.campaign_file import read_campaign
    from soso_workflows.provenance.failures import failure_reason

    campaign = read_campaign(campaign_file, measure="field_scale")
    builder = launching.field_scale_builder(campaign, code_label)
    if submit:
        node = launching.submit(builder)
        click.echo(f"field scale <{node.pk}>: submitted; see `verdi process show {node.pk}`")
        return
    node = launching.run_here(builder, lambda _: None)
    if not node.is_finished_ok:
        raise click.ClickException(f"field scale <{node.pk}>: {failure_reason(node)}")
    measured = node.outputs.field_scale
    click.echo(f"field scale: {measured['field_scale']:.4f} +- {measured['error']:.4f}")
    click.echo(f"in the campaign file: field_scale: node:{measured.pk}")


def _show(lines: dict[str, str]) -> None:
    for name, value in lines.items():
        click.echo(f"{name + ':':<22}{value}")


@click.group("aiida-soso", cls=VerdiCommandGroup, context_settings={"help_option_names": ["--help", "-h"]})
@options.PROFILE(type=types.ProfileParamType(load_profile=True), expose_value=False)
def main() -> None:
    """The commands of `verdi data soso` as a separate program."""


for _name, _command in soso.commands.items():
    main.add_command(_command, _name)
