"""Handlers of failed runs of VASP, one small method each; see `docs/topics/vasp_handlers.md`."""

from collections.abc import Callable
from typing import Any

from aiida.engine import ExitCode, ProcessHandlerReport, ProcessSpec, process_handler
from aiida.orm import CalcJobNode
from aiida_vasp.workchains.v2.vasp import list_valid_objects_in_remote

from soso_core.engines.vasp.complaints import complaint_remedy, find_complaint, quote_complaint
from soso_core.engines.vasp.oszicar import read_scf
from soso_core.engines.vasp.output_files import number_of_bands
from soso_core.engines.vasp.remedies import SCF_REMEDIES, density_is_useful, fitting_steps, lost_moments, moment_remedy
from soso_workflows.parsers.retrieved import text_of
from soso_workflows.vasp.calculation import ConstrainedVaspCalculation

CODES = ConstrainedVaspCalculation.exit_codes

EXIT_CODES = {
    410: ("ERROR_NOT_CONVERGED", "no self-consistency"),
    431: ("ERROR_MOMENT_FLIPPED", "moments are reversed"),
    432: ("ERROR_MOMENT_COLLAPSED", "moments have collapsed"),
    440: ("ERROR_OSZICAR_MISSING", "no OSZICAR"),
    441: ("ERROR_CONSTRAINT_TABLE", "no table of the constraint"),
    442: ("ERROR_VASPRUN_UNREADABLE", "vasprun.xml cannot be read"),
    443: ("ERROR_OUTCAR_MISSING", "no OUTCAR"),
    444: ("ERROR_OUTPUT_MISSING", "outputs are missing"),
    450: ("ERROR_OUT_OF_WALLTIME", "the run exceeds its wall time"),
    451: ("ERROR_OUT_OF_MEMORY", "the run exceeds its memory"),
    452: ("ERROR_VASP_DID_NOT_RUN", "the executable wrote nothing"),
    453: ("ERROR_STOPPED_BY_MONITOR", "a monitor stopped the run"),
    460: ("ERROR_COMPLAINT", "VASP complained"),
    470: ("ERROR_UNEXPECTED", "unexpected failure"),
}
"""Exit codes of the work chain when all remedies have failed: status, label, meaning."""

ONE_RETRY = {340: 440, 341: 441, 342: 442, 343: 443, 347: 444, 333: 452}
ONE_RETRY |= dict.fromkeys((100, 350, 351, 352), 444) | dict.fromkeys((1002, 1004, 1005), 442)
"""Statuses of a run that is repeated once without changes, and the exit code when they occur again."""

KILLED_TRIES, MOMENT_TRIES = 3, 2

GIVEN, COLD, CONTINUED, BEFORE = "from the given density", "from atoms", "from its density", "as before"
"""Start of the next run: from the density in the inputs, if there is one; without a density; from that of this run."""

CONTINUATIONS = 6
"""Largest number of continuations of a run that was shortened to fit its wall time."""


class VaspHandlers:
    """Handlers of `ConstrainedVaspWorkChain`, in the order in which they inspect a run.

    A handler counts its tries.  It ends with `_restart`, which changes the next run, or with `_give_up`.
    """

    ctx: Any
    inputs: Any
    exit_codes: Any
    report: Callable[[str], None]

    @process_handler(priority=600, exit_codes=[CODES.ERROR_OUT_OF_MEMORY, CODES.STOPPED_BY_MONITOR])
    def handle_resources(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Give up, since only the user can change the memory of a process or the limits of a monitor."""
        is_memory = node.exit_status == CODES.ERROR_OUT_OF_MEMORY.status
        return self._give_up(451 if is_memory else 453, node.exit_message)

    @process_handler(priority=590, exit_codes=[CODES.ERROR_COMPLAINT, CODES.ERROR_VASP_CRITICAL_ERROR])
    def handle_complaint(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Apply the remedy against the complaint of VASP; the second time without the density; then give up."""
        stdout = text_of(node.outputs.retrieved, "vasp_output")
        complaint = find_complaint(stdout)
        if complaint is None:
            return self._give_up(460, node.exit_message)
        detail = f"{complaint.name}, {complaint.meaning} ({quote_complaint(complaint, stdout)})"
        changes = complaint_remedy(complaint, number_of_bands(text_of(node.outputs.retrieved, "OUTCAR")))
        tries, has_density = self._count_try(complaint.name), self.ctx.start_folder is not None
        if changes is None or tries > 2 or (tries == 2 and not has_density):
            return self._give_up(460, detail)
        return self._restart(460, detail, changes, start=COLD if complaint.cold or tries == 2 else GIVEN)

    @process_handler(
        priority=580, exit_codes=[CODES.ERROR_KILLED, CODES.ERROR_OUT_OF_WALLTIME, CODES.ERROR_DID_NOT_FINISH]
    )
    def handle_killed(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Repeat the run once unless it exceeded its wall time; then limit its steps so that it can be continued.

        A killed run leaves no density, because VASP writes the density at its end.
        """
        tries, trace = self._count_try("killed"), read_scf(text_of(node.outputs.retrieved, "OSZICAR"))
        steps, detail = fitting_steps(trace), f"killed after {trace.n_steps} steps"
        if tries == 1 and node.exit_status != CODES.ERROR_OUT_OF_WALLTIME.status:
            return self._restart(450, detail, {})
        if tries > KILLED_TRIES or steps is None:
            return self._give_up(450, detail)
        self.ctx.is_shortened = True
        return self._restart(450, detail, {"nelm": steps})

    @process_handler(priority=570, exit_codes=CODES.ERROR_ELECTRONIC_NOT_CONVERGED)
    def handle_shortened(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Continue a run whose steps were limited to fit its wall time."""
        if not self.ctx.is_shortened:
            return None
        detail = f"not converged after {self._count_try('continued')} parts"
        if self.ctx.tries["continued"] > CONTINUATIONS or not self._continue_from(node):
            return self._give_up(450, detail)
        return self._restart(450, detail, {}, start=CONTINUED)

    @process_handler(priority=560, exit_codes=CODES.ERROR_ELECTRONIC_NOT_CONVERGED)
    def handle_scf(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Try weaker mixing, then another algorithm, then more steps; keep the density of the run when it is useful."""
        tries, trace = self._count_try("scf"), read_scf(text_of(node.outputs.retrieved, "OSZICAR"))
        detail = f"the energy still changed by {trace.last_change:.1e} eV after {trace.n_steps} steps"
        if tries > len(SCF_REMEDIES):
            return self._give_up(410, detail)
        continues = density_is_useful(trace, len(node.inputs.structure.sites)) and self._continue_from(node)
        changes = SCF_REMEDIES[tries - 1](self.ctx.inputs.parameters)
        return self._restart(410, detail, changes, start=CONTINUED if continues else BEFORE)

    @process_handler(priority=550)
    def handle_output(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Repeat the run once when a file is missing or truncated."""
        status = ONE_RETRY.get(node.exit_status or 0)
        if status is None:
            return None
        if self._count_try(f"output {status}") > 1:
            return self._give_up(status, node.exit_message)
        return self._restart(status, node.exit_message, {})

    @process_handler(priority=540, exit_codes=ExitCode(0))
    def handle_moments(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Start from the given density, then without one, when a constrained moment flipped or collapsed.

        The density of the run itself would keep the moment in this state.
        """
        if "constraint" not in node.outputs:
            return self._give_up(470, "the run has no output `constraint`; check the parser of its calculation")
        moments_ac = node.outputs.constraint.get_array("moments_mw_ac")
        flipped, collapsed = lost_moments(node.inputs.parameters.get_dict(), moments_ac)
        if not flipped and not collapsed:
            return None
        status, tries = 431 if flipped else 432, self._count_try("moment")
        detail = f"atoms {', '.join(map(str, flipped or collapsed))}"
        if tries > MOMENT_TRIES:
            return self._give_up(status, detail)
        changes = moment_remedy(self.ctx.inputs.parameters, tries - 1)
        return self._restart(status, detail, changes, start=GIVEN if tries == 1 else COLD)

    @process_handler(priority=0)
    def handle_anything_else(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Give up on a failure that no other handler covers."""
        if node.is_finished_ok:
            return None
        return self._give_up(470, f"{node.exit_status}: {node.exit_message}")

    def setup_handlers(self) -> None:
        """Prepare the context of the handlers."""
        self.ctx.tries, self.ctx.failure, self.ctx.is_shortened = {}, None, False

    def _count_try(self, name: str) -> int:
        """Return how often this handler has been tried, from 1."""
        self.ctx.tries[name] = self.ctx.tries.get(name, 0) + 1
        return int(self.ctx.tries[name])

    def _continue_from(self, node: CalcJobNode) -> bool:
        """Let the next run start from the density of this one; return whether there is one."""
        has_density = "CHGCAR" in list_valid_objects_in_remote(node.outputs.remote_folder)
        if has_density:
            self.ctx.start_folder = node.outputs.remote_folder
        return has_density

    def _restart(
        self, status: int, detail: str | None, changes: dict[str, Any], *, start: str = BEFORE
    ) -> ProcessHandlerReport:
        """Run again with changes to the INCAR and, by `start`, from another density."""
        self.ctx.failure = [status, detail or ""]
        if start == COLD:
            self.ctx.start_folder = None
        if start == GIVEN:
            self.ctx.start_folder = self.inputs.get("restart_folder")
        self.ctx.inputs.parameters.update(changes)
        shown = ", ".join(f"{key.upper()} {'larger' if key == 'magmom' else value}" for key, value in changes.items())
        self.report(f"{self._failure_code().message}; next run with {shown or 'the same INCAR'}, start {start}")
        return ProcessHandlerReport(do_break=True)

    def _give_up(self, status: int, detail: str | None) -> ProcessHandlerReport:
        self.ctx.failure = [status, detail or ""]
        self.report(f"{self._failure_code().message}; giving up")
        return ProcessHandlerReport(do_break=True, exit_code=self._failure_code())

    def _failure_code(self) -> ExitCode:
        """Return the exit code of the last failure."""
        status, detail = self.ctx.failure
        return getattr(self.exit_codes, EXIT_CODES[status][0]).format(detail=detail)


def define_exit_codes(spec: ProcessSpec) -> None:
    """Declare the exit codes of the handlers."""
    for status, (label, meaning) in EXIT_CODES.items():
        spec.exit_code(status, label, message=f"{meaning}: {{detail}}")
