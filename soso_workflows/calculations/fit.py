"""`soso.fit`: fit a model to a dataset."""

from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec
from aiida.orm import Dict, Int

from soso_workflows.calculations.base import SosoCalculation, write_settings
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel


class SosoFitCalculation(SosoCalculation):
    """Run `soso fit`.  Exit codes: see `SosoCalculation`."""

    DATASET, OUTPUT = "train.extxyz", "model.soso"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Inputs: dataset, seed, settings (FitSettings; left out: chosen from the data).  Output: model."""
        super().define(spec)
        spec.input("dataset", valid_type=SosoDataset, help="labelled configurations to train on")
        spec.input("seed", valid_type=Int, help="seed of every random draw of the fit")
        spec.input("settings", valid_type=Dict, required=False, help="keys of soso_core.gp.settings.FitSettings")
        spec.output("model", valid_type=SosoModel, help="the fitted model")
        spec.inputs["metadata"]["options"]["parser_name"].default = "soso.fit"

    def command(self) -> list[str]:
        """Return the words after `soso`."""
        words = ["fit", self.DATASET, "-o", self.OUTPUT, "--seed", str(self.inputs.seed.value)]
        return [*words, "--settings", self.SETTINGS] if "settings" in self.inputs else words

    def write_inputs(self, folder: Folder) -> None:
        """Write the settings file, when there are settings."""
        if "settings" in self.inputs:
            write_settings(folder, self.inputs.settings.get_dict())

    def copied_files(self) -> list[tuple[str, str, str]]:
        """Copy the dataset."""
        dataset = self.inputs.dataset
        return [(dataset.uuid, dataset.filename, self.DATASET)]
