"""`soso.label.vasp`: the contract of an engine, for VASP with constrained moments."""

from pathlib import Path
from typing import Any

from aiida.orm import AbstractCode, Bool, Data, Dict, Str, StructureData
from aiida.plugins import WorkflowFactory
from ase import Atoms

from soso_core.settings import read_yaml
from soso_workchains.label.contract import Preparation
from soso_workchains.vasp.checks import check_cell_settings, find_profile_problems, load_field_scale
from soso_workchains.vasp.ramp import VaspRampWorkChain
from soso_workflows.data.sources import MEASURE
from soso_workflows.vasp.dry_run import describe_vasp
from soso_workflows.vasp.settings import complete_settings, species_settings

PROTOCOLS = Path(__file__).parents[1] / "protocols" / "label_vasp.yaml"


class VaspLabelWorkChain(VaspRampWorkChain):
    """Label with a ramp of constrained runs of VASP; this class turns the settings of a campaign into its inputs."""

    OWN_CODE = "VASP (noncollinear), e.g. vasp@cluster"
    MEASURED = ("field_scale",)

    @classmethod
    def validate_settings(cls, values: dict[str, Any], source: str) -> dict[str, Any]:
        """Return the keys of VaspLabelSettings, checked.  Raises InputError in one line."""
        return complete_settings(values, read_yaml(PROTOCOLS), source)

    @classmethod
    def check_cell(cls, settings: dict[str, Any], cell: Atoms, has_spin: list[bool], source: str) -> None:
        """Refuse settings that are incomplete for this cell, or lack field_scale."""
        check_cell_settings(settings, species_settings(settings), cell.get_chemical_symbols(), has_spin, source)

    @classmethod
    def missing_prerequisites(cls, settings: dict[str, Any], cell: Atoms) -> list[str]:
        """Return the problems of POTCAR family, scheduler options and the node of the field scale."""
        return find_profile_problems(settings, sorted(set(cell.get_chemical_symbols())))

    @classmethod
    def inputs_from_settings(cls, settings: dict[str, Any], code: AbstractCode) -> dict[str, Data]:
        """Return the inputs; `field_scale` is absent while it has to be measured."""
        elements = {**dict.fromkeys(settings["rwigs_angstrom"]), **settings["potential_mapping"]}
        inputs: dict[str, Data] = {
            "code": code,
            "settings": Dict(settings["settings"]),
            "species": Dict(species_settings(settings).model_dump(mode="json")),
            "potential_mapping": Dict({symbol: name or symbol for symbol, name in elements.items()}),
            "options": Dict(settings["options"]),
            "clean_workdir": Bool(settings["clean_workdir"]),
        }
        if settings["potential_family"]:
            inputs["potential_family"] = Str(settings["potential_family"])
        if settings["field_scale"] not in (None, MEASURE):
            inputs["field_scale"] = load_field_scale(settings["field_scale"])
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
        """Return the cost of finished labels of the same kind, and an estimate for `n_labels`."""
        return super().estimate(settings["settings"], cell, n_labels)
