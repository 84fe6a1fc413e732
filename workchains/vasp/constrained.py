"""`soso.vasp.constrained`: run VASP with constrained moments until it converges or all remedies have failed."""

from types import FunctionType

from aiida.engine import ExitCode, ProcessSpec
from aiida.orm import Bool, Int
from aiida_vasp.workchains.v2.vasp import VaspWorkChain, list_valid_objects_in_remote

from soso_core.engines.vasp.output_files import incar_problems
from soso_workchains.vasp.handlers import VaspHandlers, define_exit_codes
from soso_workflows.vasp.calculation import ConstrainedVaspCalculation

MAX_ITERATIONS = 12
"""More than any sequence of remedies has steps, so that the exit code is that of the failure."""


class ConstrainedVaspWorkChain(VaspHandlers, VaspWorkChain):
    """Run VASP for one label.  Inputs and outputs are those of aiida-vasp, and the output `constraint`.

    Exit status 0 means that a run converged, its vasprun.xml and its table of the constraint are complete, and no
    constrained moment flipped or collapsed.
    """

    _process_class = ConstrainedVaspCalculation

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Change two defaults, and give every failure its own exit code."""
        super().define(spec)
        spec.inputs["max_iterations"].default = lambda: Int(MAX_ITERATIONS)
        spec.inputs["keep_last_workdir"].default = lambda: Bool(True)
        spec.exit_code(310, "ERROR_BAD_INPUT", message="VASP would reject the input: {detail}")
        define_exit_codes(spec)

    @classmethod
    def get_process_handlers(cls) -> list[FunctionType]:
        """Return the handlers of this class without those of aiida-vasp; see `docs/topics/vasp_handlers.md`."""
        inherited = {handler.__name__ for handler in VaspWorkChain.get_process_handlers()}
        return [handler for handler in super().get_process_handlers() if handler.__name__ not in inherited]

    def setup(self) -> None:
        """Prepare the context."""
        super().setup()
        self.setup_handlers()
        self.ctx.start_folder = self.inputs.get("restart_folder")

    def init_inputs(self) -> ExitCode | None:
        """Return the exit code of inputs that VASP would reject, before anything is submitted."""
        code = super().init_inputs()
        if code is not None:
            return code
        self.ctx.use_orbitals = self.ctx.inputs.parameters.get("istart") != 0
        problems = incar_problems(self.ctx.inputs.parameters, [site.kind_name for site in self.inputs.structure.sites])
        return self.exit_codes.ERROR_BAD_INPUT.format(detail="; ".join(problems)) if problems else None

    def prepare_inputs(self) -> None:
        """Set the density from which the next run starts.

        This replaces the method of aiida-vasp, which compares a class with `isinstance` and so never restarts.
        """
        inputs, folder = self.ctx.inputs, self.ctx.start_folder
        files = set(list_valid_objects_in_remote(folder)) if folder is not None else set()
        inputs.parameters.update(start_parameters(files, self.ctx.use_orbitals))
        inputs.pop("restart_folder", None)
        if "CHGCAR" in files:
            inputs.restart_folder = folder
        elif folder is not None:
            self.report(f"there is no density in {folder}; starting from atoms")

    def inspect_process(self) -> ExitCode | None:
        """Return the exit code of the last failure, instead of a general one, when the runs are used up."""
        code = super().inspect_process()
        used_up = self.exit_codes.ERROR_MAXIMUM_ITERATIONS_EXCEEDED
        return self._failure_code() if code is not None and code.status == used_up.status and self.ctx.failure else code


def start_parameters(files: set[str], use_orbitals: bool) -> dict[str, int]:
    """Return ICHARG and ISTART for a start from the files of another run."""
    if "CHGCAR" not in files:
        return {"icharg": 2, "istart": 0}
    return {"icharg": 1, "istart": int(use_orbitals and "WAVECAR" in files)}
