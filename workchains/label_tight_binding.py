"""`soso.label.tight_binding`: the contract, fulfilled by the embedded electronic structure."""

from typing import Any

from aiida.engine import ProcessSpec
from aiida.orm import AbstractCode, Data, Dict, ProcessNode
from aiida.plugins import CalculationFactory
from ase import Atoms

from soso_core.engines.tight_binding.k_mesh import mesh_counts
from soso_core.engines.tight_binding.settings import TightBindingSettings
from soso_core.settings import parse_settings
from soso_workchains.label import LabelWorkChain
from soso_workflows.data.dataset import SosoDataset


class TightBindingLabelWorkChain(LabelWorkChain):
    """Label with `soso label tight-binding`: needs nothing but this package, and is a model, not DFT."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the code and the settings of the engine."""
        super().define(spec)
        spec.input("code", valid_type=AbstractCode, help="the `soso` command")
        spec.input("settings", valid_type=Dict, required=False, help="keys of TightBindingSettings")

    @classmethod
    def checked_settings(cls, values: dict[str, Any], source: str) -> dict[str, Any]:
        """Return the keys that were given, checked.  Raises InputError in one line."""
        return parse_settings(TightBindingSettings, values, source).model_dump(mode="json", exclude_unset=True)

    @classmethod
    def inputs_from_settings(cls, settings: dict[str, Any], code: AbstractCode) -> dict[str, Data]:
        """Return `code` and `settings`."""
        return {"code": code, "settings": Dict(settings)}

    @classmethod
    def describe(cls, settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
        """Return the settings and the k-points they give this cell."""
        counts = mesh_counts(cell.cell.array, TightBindingSettings(**settings))
        return {**super().describe(settings, cell), "k-points": " x ".join(str(count) for count in counts)}

    def submit_engine(self) -> ProcessNode:
        """Submit the CalcJob."""
        names = [name for name in ("code", "configuration", "settings") if name in self.inputs]
        return self.submit(
            CalculationFactory("soso.label.tight_binding"), **{name: self.inputs[name] for name in names}
        )

    def collect_label(self, engine: ProcessNode) -> tuple[SosoDataset, Dict]:
        """Return the two outputs of the CalcJob as they are."""
        return engine.outputs.label, engine.outputs.quality
