"""The contract for engines of the `soso` command: one command, one job."""

from typing import Any, ClassVar

from aiida.engine import ProcessSpec
from aiida.orm import AbstractCode, Data, Dict, ProcessNode
from ase import Atoms

from soso_core.engines import load_engine
from soso_core.engines.k_mesh import MeshSettings, mesh_counts
from soso_core.settings import parse_settings
from soso_workchains.label.contract import LabelWorkChain
from soso_workflows.calculations.label import SosoLabelCalculation
from soso_workflows.data.dataset import SosoDataset


class CommandLabelWorkChain(LabelWorkChain):
    """Label with `soso label ENGINE`; a subclass names the engine and its calculation."""

    ENGINE = ""
    CALCULATION: ClassVar[type[SosoLabelCalculation]]

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the code and the settings of the engine."""
        super().define(spec)
        spec.input("code", valid_type=AbstractCode, help="the `soso` command")
        spec.input("settings", valid_type=Dict, required=False, help="keys of the engine's settings")

    @classmethod
    def validate_settings(cls, values: dict[str, Any], source: str) -> dict[str, Any]:
        """Return the given keys, checked.  Raises InputError in one line."""
        checked = parse_settings(load_engine(cls.ENGINE).settings_class, values, source)
        return checked.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def inputs_from_settings(cls, settings: dict[str, Any], code: AbstractCode) -> dict[str, Data]:
        """Return `code` and `settings`."""
        return {"code": code, "settings": Dict(settings)}

    @classmethod
    def describe(cls, settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
        """Return the settings and the k-points they give this cell."""
        facts, checked = super().describe(settings, cell), load_engine(cls.ENGINE).settings_class(**settings)
        if not isinstance(checked, MeshSettings):
            return facts
        counts = mesh_counts(cell.cell.array, checked.k_spacing_per_angstrom, checked.k_mesh)
        return {**facts, "k-points": " x ".join(map(str, counts))}

    def submit_engine(self) -> ProcessNode:
        """Submit the CalcJob."""
        names = [name for name in ("code", "configuration", "settings") if name in self.inputs]
        return self.submit(self.CALCULATION, **{name: self.inputs[name] for name in names})

    def collect_label(self, engine: ProcessNode) -> tuple[SosoDataset, Dict]:
        """Return the two outputs of the CalcJob."""
        return engine.outputs.label, engine.outputs.quality
