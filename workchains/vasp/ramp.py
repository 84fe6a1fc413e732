"""The constrained runs behind one label, each from the charge density of the one before."""

from aiida.common.exceptions import NotExistent
from aiida.engine import ExitCode, ProcessSpec, append_, while_
from aiida.orm import AbstractCode, Bool, CalcJobNode, Data, Dict, ProcessNode, Str

from soso_core.engines.ramp import Action
from soso_core.engines.vasp.incar import check_species
from soso_core.engines.vasp.settings import SpeciesSettings, VaspSettings
from soso_core.errors import InputError
from soso_core.settings import parse_settings
from soso_workchains.label.contract import LabelWorkChain
from soso_workchains.vasp.constrained import ConstrainedVaspWorkChain
from soso_workchains.vasp.handlers import EXIT_CODES, define_exit_codes
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.vasp import functions

FAILURES = {
    Action.FLIPPED.value: "ERROR_MOMENT_FLIPPED",
    Action.COLLAPSED.value: "ERROR_MOMENT_COLLAPSED",
    Action.OFF_TARGET.value: "ERROR_OFF_TARGET",
    Action.UNUSABLE.value: "ERROR_ENGINE_FAILED",
}
"""Exit codes of the actions that end a ramp without a label."""
CONTINUING = (None, Action.NEXT.value, Action.REPEAT.value)
"""Actions that another step follows; None before the first step."""

DEFAULT_OPTIONS = {
    "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1},
    "max_wallclock_seconds": 24 * 3600,
}
"""Options of the scheduler that a campaign may override."""


class VaspRampWorkChain(LabelWorkChain):
    """Run the ramp and collect its label.

    `soso_core.engines.ramp` decides on the next step.  Failures within a step belong to `soso.vasp.constrained`,
    whose exit codes (410 to 470) become those of the label.  Additional exit codes: 433, the strongest constraint did
    not hold the directions; 434, configuration and settings do not fit.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the inputs of VASP and the ramp."""
        super().define(spec)
        spec.input("code", valid_type=AbstractCode, help="VASP, the noncollinear executable (vasp_ncl)")
        spec.input("settings", valid_type=Dict, help="keys of soso_core.engines.vasp.settings.VaspSettings")
        spec.input("species", valid_type=Dict, help="keys of soso_core.engines.vasp.settings.SpeciesSettings")
        spec.input("potential_family", valid_type=Str, help="label of the POTCAR family")
        spec.input("potential_mapping", valid_type=Dict, help="POTCAR of each element, e.g. Fe: Fe_pv")
        spec.input("field_scale", valid_type=Dict, help="field_scale (c in -∂E/∂e = c |MW_int| printed) and source")
        spec.input("options", valid_type=Dict, required=False, help="options of the scheduler")
        spec.input("clean_workdir", valid_type=Bool, default=lambda: Bool(True), help="remove densities at the end")
        define_exit_codes(spec)
        spec.exit_code(433, "ERROR_OFF_TARGET", message="{detail}")
        spec.exit_code(434, "ERROR_DOES_NOT_FIT", message="{detail}")
        spec.outline(cls.prepare, while_(cls.should_run_step)(cls.run_engine, cls.inspect_engine), cls.collect)

    def prepare(self) -> ExitCode | None:
        """Check that cell and settings fit, then order the atoms and write the first INCAR."""
        target = self.inputs.configuration.get_dataset()[0].configuration
        try:
            parse_settings(VaspSettings, self.inputs.settings.get_dict(), "settings")  # stored by an older version?
            species = SpeciesSettings(**self.inputs.species.get_dict())
            check_species(target.symbols, target.is_magnetic_a.tolist(), species)
        except InputError as error:
            return self.exit_codes.ERROR_DOES_NOT_FIT.format(detail=str(error))
        if target.n_magnetic == 0:
            return self.exit_codes.ERROR_DOES_NOT_FIT.format(detail="no atom has a spin")
        common = {name: self.inputs[name] for name in ("configuration", "settings")}
        self.ctx.arranged = functions.arrange(**common)
        step = functions.first_step(**common, species=self.inputs.species)
        self.ctx.ramp, self.ctx.parameters = step["ramp"], step["parameters"]
        self.ctx.engines = []
        return None

    def should_run_step(self) -> bool:
        """Return whether another step follows."""
        is_well = not self.ctx.engines or self.ctx.engines[-1].is_finished_ok
        return is_well and self.ctx.ramp.get_dict().get("action") in CONTINUING

    def run_engine(self) -> dict[str, ProcessNode]:
        """Submit the next step and wait."""
        return self.to_context(engines=append_(self.submit_engine()))

    def submit_engine(self) -> ProcessNode:
        """Submit one step of the ramp."""
        names = ("code", "potential_family", "potential_mapping")
        inputs = {name: self.inputs[name] for name in names}
        kept = self.ctx.ramp["kept"]
        if kept:
            inputs["restart_folder"] = self.ctx.engines[kept[-1]].outputs.remote_folder
        options = self.inputs.options.get_dict() if "options" in self.inputs else {}
        number = len(self.ctx.engines)
        return self.submit(
            ConstrainedVaspWorkChain,
            structure=self.ctx.arranged["structure"],
            kpoints=self.ctx.arranged["kpoints"],
            settings=self.ctx.arranged["plugin_settings"],
            parameters=self.ctx.parameters,
            calc={"metadata": {"options": {**DEFAULT_OPTIONS, **options}}},
            metadata={"call_link_label": f"step_{number:02d}"},
            **inputs,
        )

    def inspect_engine(self) -> None:
        """Judge the finished step; one that failed ends the ramp."""
        self.ctx.engine = self.ctx.engines[-1]
        if not self.ctx.engine.is_finished_ok:
            return
        names = ("configuration", "settings", "species", "field_scale")
        judged = functions.judge_step(
            **{name: self.inputs[name] for name in names}, ramp=self.ctx.ramp, **self._outputs_of_runs()
        )
        self.ctx.ramp, self.ctx.parameters = judged["ramp"], judged.get("parameters")
        ramp_log = self.ctx.ramp.get_dict()
        self.report(f"step {len(self.ctx.engines) - 1}: {ramp_log['action']} ({ramp_log['reason']})")

    def collect(self) -> ExitCode | None:
        """Return the label, or the exit code that gives the reason why there is none."""
        ramp_log, engine = self.ctx.ramp.get_dict(), self.ctx.engine
        if engine.is_finished_ok and ramp_log["action"] in FAILURES:
            code: ExitCode = self.exit_codes[FAILURES[ramp_log["action"]]].format(detail=ramp_log["reason"])
            return code
        if engine.exit_status in EXIT_CODES:
            strength = engine.inputs.parameters["incar"]["lambda"]
            detail = f"{engine.process_label}<{engine.pk}> at lambda {strength:g}: {engine.exit_message}"
            return ExitCode(engine.exit_status, detail)
        return super().collect()

    def collect_label(self, engine: ProcessNode) -> tuple[SosoDataset, Dict]:
        """Return label and quality from the runs of the ramp."""
        names = ("configuration", "settings", "field_scale")
        made = functions.make_label(
            **{name: self.inputs[name] for name in names}, ramp=self.ctx.ramp, **self._outputs_of_runs()
        )
        return made["label"], made["quality"]

    def on_terminated(self) -> None:
        """Remove charge densities from the cluster once the label is complete."""
        super().on_terminated()
        if not self.inputs.clean_workdir.value or not self.node.is_finished_ok:
            return
        for job in self.node.called_descendants:
            if isinstance(job, CalcJobNode):
                _clean(job)

    def _outputs_of_runs(self) -> dict[str, Data]:
        return {
            f"{name}_{number:02d}": engine.outputs[name]
            for number, engine in enumerate(self.ctx.engines)
            for name in ("misc", "constraint")
        }


def _clean(job: CalcJobNode) -> None:
    """Empty the folder of a job; a cluster that cannot be reached does not invalidate the label."""
    try:
        job.outputs.remote_folder._clean()
    except (OSError, KeyError, NotExistent):
        job.logger.warning("its folder on the computer could not be removed")
