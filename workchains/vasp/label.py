"""`soso.label.vasp`: the contract, fulfilled by VASP with constrained moments."""

from pathlib import Path
from typing import Any

from aiida.common.exceptions import NotExistent
from aiida.engine import ExitCode, ProcessSpec, append_, while_
from aiida.orm import AbstractCode, Bool, CalcJobNode, Data, Dict, ProcessNode, Str, StructureData, load_node
from aiida.plugins import WorkflowFactory
from ase import Atoms

from soso_core.engines.ramp import Action
from soso_core.engines.vasp.incar import check_species
from soso_core.engines.vasp.settings import SpeciesSettings, VaspSettings
from soso_core.errors import InputError, located
from soso_core.settings import parse_settings, read_yaml
from soso_workchains.label.contract import LabelWorkChain, Preparation
from soso_workchains.vasp.handlers import EXIT_CODES, define_exit_codes
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.sources import MEASURE, NODE
from soso_workflows.vasp import functions
from soso_workflows.vasp import settings as vasp_settings
from soso_workflows.vasp.calculation import ConstrainedVaspCalculation
from soso_workflows.vasp.dry_run import describe_vasp

PROTOCOLS = Path(__file__).parents[1] / "protocols" / "label_vasp.yaml"

LOST = {
    Action.FLIPPED.value: "ERROR_MOMENT_FLIPPED",
    Action.COLLAPSED.value: "ERROR_MOMENT_COLLAPSED",
    Action.OFF_TARGET.value: "ERROR_OFF_TARGET",
    Action.UNUSABLE.value: "ERROR_ENGINE_FAILED",
}
GOES_ON = (None, Action.NEXT.value, Action.REPEAT.value)


class VaspLabelWorkChain(LabelWorkChain):
    """Label with a ramp of constrained runs, each from the charge density of the one before.

    What comes next after a run is decided by `soso_core.engines.ramp`; faults within a run are the business
    of `soso.vasp.constrained`, whose exit codes (410 to 470) become those of the label.  Of its own are 433, the
    strongest constraint did not hold the directions, and 434, configuration and settings do not fit.
    """

    OWN_CODE = "VASP (noncollinear), e.g. vasp@cluster"
    MEASURED = ("field_scale",)

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
        spec.outline(cls.prepare, while_(cls.goes_on)(cls.run_engine, cls.inspect_engine), cls.collect)

    @classmethod
    def checked_settings(cls, values: dict[str, Any], source: str) -> dict[str, Any]:
        """Return the keys of VaspLabelSettings, checked.  Raises InputError in one line."""
        return vasp_settings.checked(values, read_yaml(PROTOCOLS), source)

    @classmethod
    def check_cell(cls, settings: dict[str, Any], cell: Atoms, has_spin: list[bool], source: str) -> None:
        """Refuse settings that lack something for this cell, or leave the field scale open."""
        if settings["field_scale"] is None:
            raise InputError(f"{source}: {vasp_settings.FIELD_SCALE_WANTED}")
        if not settings["potential_family"]:
            raise InputError(
                f"{source}: potential_family is missing; `aiida-vasp potcar listfamilies` shows those there are"
            )
        with located(source):
            check_species(tuple(cell.get_chemical_symbols()), has_spin, vasp_settings.species_settings(settings))

    @classmethod
    def lacks(cls, settings: dict[str, Any], cell: Atoms) -> list[str]:
        """Return what is wrong with the POTCAR family, the options of the scheduler and the node of the field scale."""
        return [
            *vasp_settings.missing_potentials(settings, sorted(set(cell.get_chemical_symbols()))),
            *_wrong_options(settings["options"]),
            *_wrong_scale(settings["field_scale"]),
        ]

    @classmethod
    def inputs_from_settings(cls, settings: dict[str, Any], code: AbstractCode) -> dict[str, Data]:
        """Return the inputs; `field_scale` is absent while it has to be measured."""
        elements = {**dict.fromkeys(settings["rwigs_angstrom"]), **settings["potential_mapping"]}
        inputs: dict[str, Data] = {
            "code": code,
            "settings": Dict(settings["settings"]),
            "species": Dict(vasp_settings.species_settings(settings).model_dump(mode="json")),
            "potential_mapping": Dict({symbol: name or symbol for symbol, name in elements.items()}),
            "options": Dict(settings["options"]),
            "clean_workdir": Bool(settings["clean_workdir"]),
        }
        if settings["potential_family"]:
            inputs["potential_family"] = Str(settings["potential_family"])
        scale = settings["field_scale"]
        if scale is not None and scale != MEASURE:
            inputs["field_scale"] = _given_scale(scale)
        return inputs

    @classmethod
    def preparation(cls, inputs: dict[str, Any], structure: StructureData) -> Preparation | None:
        """Return the measurement of the field scale, when it is not known."""
        if "field_scale" in inputs:
            return None
        measurement = WorkflowFactory("soso.vasp.field_scale")
        return Preparation(measurement, {"structure": structure, "label": inputs}, ("field_scale",))

    @classmethod
    def describe(cls, settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
        """Return the protocol, the k-mesh and the INCAR of the first step."""
        return describe_vasp(settings, cell)

    @classmethod
    def estimate(cls, settings: dict[str, Any], cell: Atoms, n_labels: int) -> dict[str, str]:
        """Return what a label of the same kind has cost, and what `n_labels` will."""
        return super().estimate(settings["settings"], cell, n_labels)

    def prepare(self) -> ExitCode | None:
        """Check that cell and settings fit, then arrange the atoms and write the first INCAR."""
        target = self.inputs.configuration.get_dataset()[0].configuration
        try:
            parse_settings(VaspSettings, self.inputs.settings.get_dict(), "settings")  # they may be of an older version
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

    def goes_on(self) -> bool:
        """Whether another step follows."""
        is_well = not self.ctx.engines or self.ctx.engines[-1].is_finished_ok
        return is_well and self.ctx.ramp.get_dict().get("action") in GOES_ON

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
            WorkflowFactory("soso.vasp.constrained"),
            structure=self.ctx.arranged["structure"],
            kpoints=self.ctx.arranged["kpoints"],
            settings=self.ctx.arranged["plugin_settings"],
            parameters=self.ctx.parameters,
            calc={"metadata": {"options": {**DEFAULT_OPTIONS, **options}}},
            metadata={"call_link_label": f"step_{number:02d}"},
            **inputs,
        )

    def inspect_engine(self) -> None:
        """Judge the step that ended; one that failed ends the ramp."""
        self.ctx.engine = self.ctx.engines[-1]
        if not self.ctx.engine.is_finished_ok:
            return
        names = ("configuration", "settings", "species", "field_scale")
        judged = functions.judge_step(
            **{name: self.inputs[name] for name in names}, ramp=self.ctx.ramp, **self._outputs_of_runs()
        )
        self.ctx.ramp, self.ctx.parameters = judged["ramp"], judged.get("parameters")
        book = self.ctx.ramp.get_dict()
        self.report(f"step {len(self.ctx.engines) - 1}: {book['action']} ({book['reason']})")

    def collect(self) -> ExitCode | None:
        """Return the label, or the exit code that says why there is none."""
        book, engine = self.ctx.ramp.get_dict(), self.ctx.engine
        if engine.is_finished_ok and book["action"] in LOST:
            code: ExitCode = self.exit_codes[LOST[book["action"]]].format(detail=book["reason"])
            return code
        if engine.exit_status in EXIT_CODES:
            strength = engine.inputs.parameters["incar"]["lambda"]
            said = f"{engine.process_label}<{engine.pk}> at lambda {strength:g}: {engine.exit_message}"
            return ExitCode(engine.exit_status, said)
        return super().collect()

    def collect_label(self, engine: ProcessNode) -> tuple[SosoDataset, Dict]:
        """Return label and quality from the runs of the ramp."""
        names = ("configuration", "settings", "field_scale")
        made = functions.make_label(
            **{name: self.inputs[name] for name in names}, ramp=self.ctx.ramp, **self._outputs_of_runs()
        )
        return made["label"], made["quality"]

    def on_terminated(self) -> None:
        """Remove charge densities from the cluster once the label is there."""
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


DEFAULT_OPTIONS = {
    "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 1},
    "max_wallclock_seconds": 24 * 3600,
}
"""Of the scheduler, where the campaign says nothing."""


def _wrong_options(given: dict[str, Any]) -> list[str]:
    """Return, one line each, which options of the scheduler AiiDA does not know or take."""
    known = ConstrainedVaspCalculation.spec().inputs["metadata"]["options"]
    said = []
    for name, value in given.items():
        if name not in known:
            said.append(f"options: unknown key '{name}'; AiiDA knows {', '.join(sorted(known))}")
        elif error := known[name].validate(value):
            said.append(f"options.{name}: {' '.join(str(error.message).split())}")
    return said


def _wrong_scale(scale: float | str | None) -> list[str]:
    """Return in one line that the node of a measurement is not there or is none."""
    if not isinstance(scale, str) or scale == MEASURE:
        return []
    try:
        _given_scale(scale)
    except InputError as error:
        return [str(error)]
    return []


def _given_scale(scale: float | str) -> Dict:
    """Return the node of a field scale that is known: a number, or a stored measurement."""
    if isinstance(scale, str):
        try:
            node = load_node(scale.removeprefix(NODE))
        except (NotExistent, ValueError):
            raise InputError(f"field_scale: there is no node {scale.removeprefix(NODE)}") from None
        if not isinstance(node, Dict) or "field_scale" not in node.get_dict():
            raise InputError(f"field_scale: node {node.pk} is no measurement (a Dict with field_scale)")
        return node
    return Dict({"field_scale": scale, "source": "given in the campaign"})


def _clean(job: CalcJobNode) -> None:
    """Empty the folder of a job; a cluster that cannot be reached is no reason to lose a label."""
    try:
        job.outputs.remote_folder._clean()
    except (OSError, KeyError, NotExistent):
        job.logger.warning("its folder on the computer could not be removed")
