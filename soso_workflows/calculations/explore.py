"""`soso.explore`: make candidates and choose the next batch."""

from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec
from aiida.orm import Dict, Int, StructureData

from soso_workflows.calculations.base import ONE_BLAS_THREAD, SosoCalculation, write_settings
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel


class SosoExploreCalculation(SosoCalculation):
    """Run `soso explore`, or `soso generate` when there is no model yet.  Exit codes: see `SosoCalculation`."""

    MODEL, STRUCTURE, KNOWN, OUTPUT = "model.soso", "POSCAR", "known.extxyz", "candidates.extxyz"
    ENVIRONMENT = ONE_BLAS_THREAD

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Inputs: structure, n_select, seed, exploration; optional user_files, model, known.

        Output: candidates.
        """
        super().define(spec)
        spec.input("structure", valid_type=StructureData, help="the cell that is repeated and disordered")
        spec.input("exploration", valid_type=Dict, help="keys of `active.candidates.settings.ExplorationSettings`")
        spec.input_namespace(
            "user_files",
            valid_type=SosoDataset,
            dynamic=True,
            required=False,
            help="configurations of the user, under the names that `exploration` has for them, without .extxyz",
        )
        spec.input("n_select", valid_type=Int, help="how many configurations to choose")
        spec.input("seed", valid_type=Int, help="seed of every random draw")
        spec.input("model", valid_type=SosoModel, required=False, help="scores the candidates; none: first batch")
        spec.input("known", valid_type=SosoDataset, required=False, help="existing labels, not chosen again")
        spec.output("candidates", valid_type=SosoDataset, help="the chosen configurations, without labels")
        spec.inputs["metadata"]["options"]["parser_name"].default = "soso.explore"

    def command(self) -> list[str]:
        """Return the arguments of `soso`."""
        verb = ["explore", self.MODEL] if "model" in self.inputs else ["generate"]
        return [*verb, self.SETTINGS, "-o", self.OUTPUT]

    def write_inputs(self, folder: Folder) -> None:
        """Write the structure (POSCAR keeps all digits) and the settings."""
        with folder.open(self.STRUCTURE, "w", encoding="utf8") as handle:
            self.inputs.structure.get_ase().write(handle, format="vasp", direct=True)
        values = self.inputs.exploration.get_dict()
        values.update(structure=self.STRUCTURE, n_select=self.inputs.n_select.value, seed=self.inputs.seed.value)
        if "known" in self.inputs:
            values["known"] = self.KNOWN
        write_settings(folder, values)

    def copied_files(self) -> list[tuple[str, str, str]]:
        """Copy the model and the known labels, when there are such, and the user's files."""
        files = self.inputs.get("user_files", {})
        copied = [(node.uuid, node.filename, f"{name}.extxyz") for name, node in sorted(files.items())]
        for name, target in (("model", self.MODEL), ("known", self.KNOWN)):
            if name in self.inputs:
                copied.append((self.inputs[name].uuid, self.inputs[name].filename, target))
        return copied
