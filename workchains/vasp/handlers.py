"""What is done about each fault of a run of VASP, one small method each; see `docs/topics/vasp_handlers.md`."""

from collections.abc import Callable
from typing import Any

from aiida.engine import ExitCode, ProcessHandlerReport, ProcessSpec, process_handler
from aiida.orm import CalcJobNode
from aiida_vasp.workchains.v2.vasp import list_valid_objects_in_remote

from soso_core.engines.vasp.complaints import complaint_remedy, find_complaint, words_of
from soso_core.engines.vasp.output_files import number_of_bands, read_scf
from soso_core.engines.vasp.remedies import SCF_REMEDIES, density_is_useful, fitting_steps, lost_moments, moment_remedy
from soso_workflows.parsers.retrieved import text_of
from soso_workflows.vasp.calculation import ConstrainedVaspCalculation

CODES = ConstrainedVaspCalculation.exit_codes

EXIT_CODES = {
    410: ("ERROR_NOT_CONVERGED", "no self-consistency"),
    431: ("ERROR_MOMENT_FLIPPED", "moments stand against their direction"),
    432: ("ERROR_MOMENT_COLLAPSED", "moments are lost"),
    440: ("ERROR_OSZICAR_MISSING", "no OSZICAR"),
    441: ("ERROR_CONSTRAINT_TABLE", "no table of the constraint"),
    442: ("ERROR_VASPRUN_UNREADABLE", "vasprun.xml cannot be read"),
    443: ("ERROR_OUTCAR_MISSING", "no OUTCAR"),
    444: ("ERROR_OUTPUT_MISSING", "outputs are missing"),
    450: ("ERROR_OUT_OF_WALLTIME", "the run does not come to its end"),
    451: ("ERROR_OUT_OF_MEMORY", "the run does not fit into its memory"),
    452: ("ERROR_VASP_DID_NOT_RUN", "the executable wrote nothing"),
    453: ("ERROR_STOPPED_BY_MONITOR", "a monitor stopped the run"),
    460: ("ERROR_COMPLAINT", "VASP complained"),
    470: ("ERROR_UNEXPECTED", "no handler knows this fault"),
}
"""How the work chain ends when nothing helped: status, label, meaning."""

ONE_RETRY = {340: 440, 341: 441, 342: 442, 343: 443, 347: 444, 333: 452}
ONE_RETRY |= dict.fromkeys((100, 350, 351, 352), 444) | dict.fromkeys((1002, 1004, 1005), 442)
"""Statuses of a run that is tried once more as it is, and how the work chain ends when they come again."""

KILLED_TRIES, MOMENT_TRIES = 3, 2

GIVEN, COLD, FROM_IT, BEFORE = "from the density given", "from atoms", "from its density", "as before"
"""Where the next run starts: from the density the work chain was given, if any, without one, from that of this run."""

CONTINUATIONS = 6
"""How often a run that was made shorter than its walltime is continued."""


class VaspHandlers:
    """Handlers of `ConstrainedVaspWorkChain`, in the order in which they look at a run.

    A handler counts its tries, changes how the next run starts and ends with `_again`, or ends with `_give_up`.
    """

    ctx: Any
    inputs: Any
    exit_codes: Any
    report: Callable[[str], None]

    @process_handler(priority=600, exit_codes=[CODES.ERROR_OUT_OF_MEMORY, CODES.STOPPED_BY_MONITOR])
    def handle_resources(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Give up: how many processes share a memory, and how large an output may be, is for the user to say."""
        is_memory = node.exit_status == CODES.ERROR_OUT_OF_MEMORY.status
        return self._give_up(451 if is_memory else 453, node.exit_message)

    @process_handler(priority=590, exit_codes=[CODES.ERROR_COMPLAINT, CODES.ERROR_VASP_CRITICAL_ERROR])
    def handle_complaint(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Apply the remedy against what VASP complained of; the second time without the density; then give up."""
        stdout = text_of(node.outputs.retrieved, "vasp_output")
        complaint = find_complaint(stdout)
        if complaint is None:
            return self._give_up(460, node.exit_message)
        detail = f"{complaint.name}, {complaint.meaning} ({words_of(complaint, stdout)})"
        changes = complaint_remedy(complaint, number_of_bands(text_of(node.outputs.retrieved, "OUTCAR")))
        tries, has_density = self._count_try(complaint.name), self.ctx.start_folder is not None
        if changes is None or tries > 2 or (tries == 2 and not has_density):
            return self._give_up(460, detail)
        return self._again(460, detail, changes, start=COLD if complaint.cold or tries == 2 else GIVEN)

    @process_handler(
        priority=580, exit_codes=[CODES.ERROR_KILLED, CODES.ERROR_OUT_OF_WALLTIME, CODES.ERROR_DID_NOT_FINISH]
    )
    def handle_killed(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Try once more when nobody says why it ended; then let it do as many steps as fit, to be continued.

        A run that was killed left no density: VASP writes it when it ends.
        """
        tries, trace = self._count_try("killed"), read_scf(text_of(node.outputs.retrieved, "OSZICAR"))
        steps, detail = fitting_steps(trace), f"ended from outside after {trace.n_steps} steps"
        if tries == 1 and node.exit_status != CODES.ERROR_OUT_OF_WALLTIME.status:
            return self._again(450, detail, {})
        if tries > KILLED_TRIES or steps is None:
            return self._give_up(450, detail)
        self.ctx.is_shortened = True
        return self._again(450, detail, {"nelm": steps})

    @process_handler(priority=570, exit_codes=CODES.ERROR_ELECTRONIC_NOT_CONVERGED)
    def handle_shortened(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Continue a run that was made to end before its walltime."""
        if not self.ctx.is_shortened:
            return None
        detail = f"parts done without convergence: {self._count_try('continued')}"
        if self.ctx.tries["continued"] > CONTINUATIONS or not self._continue_from(node):
            return self._give_up(450, detail)
        return self._again(450, detail, {}, start=FROM_IT)

    @process_handler(priority=560, exit_codes=CODES.ERROR_ELECTRONIC_NOT_CONVERGED)
    def handle_scf(self, node: CalcJobNode) -> ProcessHandlerReport:
        """Weaker mixing, then another algorithm, then more steps; from the density there is, when it is of use."""
        tries, trace = self._count_try("scf"), read_scf(text_of(node.outputs.retrieved, "OSZICAR"))
        detail = f"the energy still changed by {trace.last_change:.1e} eV after {trace.n_steps} steps"
        if tries > len(SCF_REMEDIES):
            return self._give_up(410, detail)
        goes_on = density_is_useful(trace, len(node.inputs.structure.sites)) and self._continue_from(node)
        changes = SCF_REMEDIES[tries - 1](self.ctx.inputs.parameters)
        return self._again(410, detail, changes, start=FROM_IT if goes_on else BEFORE)

    @process_handler(priority=550)
    def handle_output(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Run once more when a file is missing or cut."""
        status = ONE_RETRY.get(node.exit_status or 0)
        if status is None:
            return None
        if self._count_try(f"output {status}") > 1:
            return self._give_up(status, node.exit_message)
        return self._again(status, node.exit_message, {})

    @process_handler(priority=540, exit_codes=ExitCode(0))
    def handle_moments(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """When a constrained moment flipped or collapsed, start from the density given; then without any.

        The density of the run itself would keep the moment as it is.
        """
        if "constraint" not in node.outputs:
            return self._give_up(470, "a run without the output `constraint`; is its parser another?")
        moments_ac = node.outputs.constraint.get_array("moments_mw_ac")
        flipped, collapsed = lost_moments(node.inputs.parameters.get_dict(), moments_ac)
        if not flipped and not collapsed:
            return None
        status, tries = 431 if flipped else 432, self._count_try("moment")
        detail = f"of atoms {', '.join(map(str, flipped or collapsed))}"
        if tries > MOMENT_TRIES:
            return self._give_up(status, detail)
        changes = moment_remedy(self.ctx.inputs.parameters, tries - 1)
        return self._again(status, detail, changes, start=GIVEN if tries == 1 else COLD)

    @process_handler(priority=0)
    def handle_anything_else(self, node: CalcJobNode) -> ProcessHandlerReport | None:
        """Give up on a fault that no handler knows."""
        if node.is_finished_ok:
            return None
        return self._give_up(470, f"{node.exit_status}: {node.exit_message}")

    def setup_handlers(self) -> None:
        """Prepare what handlers keep in the context."""
        self.ctx.tries, self.ctx.fault, self.ctx.is_shortened = {}, None, False

    def _count_try(self, name: str) -> int:
        """Return which try at a fault this is, from 1."""
        self.ctx.tries[name] = self.ctx.tries.get(name, 0) + 1
        return int(self.ctx.tries[name])

    def _continue_from(self, node: CalcJobNode) -> bool:
        """Let the next run start from the density of this one; tell whether there is one."""
        has_density = "CHGCAR" in list_valid_objects_in_remote(node.outputs.remote_folder)
        if has_density:
            self.ctx.start_folder = node.outputs.remote_folder
        return has_density

    def _again(
        self, status: int, detail: str | None, changes: dict[str, Any], *, start: str = BEFORE
    ) -> ProcessHandlerReport:
        """Run again with changes to the INCAR, from another density when it says so."""
        self.ctx.fault = [status, detail or ""]
        if start == COLD:
            self.ctx.start_folder = None
        if start == GIVEN:
            self.ctx.start_folder = self.inputs.get("restart_folder")
        self.ctx.inputs.parameters.update(changes)
        words = ", ".join(f"{key.upper()} {'longer' if key == 'magmom' else value}" for key, value in changes.items())
        self.report(f"{self._end().message}; again with {words or 'the same INCAR'}, start {start}")
        return ProcessHandlerReport(do_break=True)

    def _give_up(self, status: int, detail: str | None) -> ProcessHandlerReport:
        self.ctx.fault = [status, detail or ""]
        self.report(f"{self._end().message}; giving up")
        return ProcessHandlerReport(do_break=True, exit_code=self._end())

    def _end(self) -> ExitCode:
        """Return the exit code of the present fault."""
        status, detail = self.ctx.fault
        return getattr(self.exit_codes, EXIT_CODES[status][0]).format(detail=detail)


def define_exit_codes(spec: ProcessSpec) -> None:
    """Declare the exit codes of the handlers."""
    for status, (label, meaning) in EXIT_CODES.items():
        spec.exit_code(status, label, message=f"{meaning}: {{detail}}")
