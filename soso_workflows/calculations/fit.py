"""`soso.fit`: fit a model to a dataset."""

from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec
from aiida.orm import Dict, Int

from soso_workflows.calculations.base import ONE_BLAS_THREAD, SosoCalculation, write_settings
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel


class SosoFitCalculation(SosoCalculation):
    """Run `soso fit`; with `model`, `soso fit --update`.  Exit codes: see `SosoCalculation`."""

    DATASET, OLD, OUTPUT = "train.extxyz", "old.soso", "model.soso"
    ENVIRONMENT = ONE_BLAS_THREAD

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Inputs: dataset, seed; settings (FitSettings; left out: chosen from the data) or model.  Output: model."""
        super().define(spec)
        spec.input("dataset", valid_type=SosoDataset, help="labelled configurations to train on")
        spec.input("seed", valid_type=Int, help="seed of every random draw of the fit")
        spec.input("settings", valid_type=Dict, required=False, help="keys of soso_core.gp.model.settings.FitSettings")
        spec.input(
            "model",
            valid_type=SosoModel,
            required=False,
            help="model to update; keeps its hyperparameters",
        )
        spec.output("model", valid_type=SosoModel, help="the fitted model")
        spec.inputs["metadata"]["options"]["parser_name"].default = "soso.fit"

    def command(self) -> list[str]:
        """Return the arguments of `soso`."""
        words = ["fit", self.DATASET, "-o", self.OUTPUT, "--seed", str(self.inputs.seed.value)]
        if "model" in self.inputs:
            words += ["--update", self.OLD]
        return [*words, "--settings", self.SETTINGS] if "settings" in self.inputs else words

    def write_inputs(self, folder: Folder) -> None:
        """Write the settings file, when there are settings."""
        if "settings" in self.inputs:
            write_settings(folder, self.inputs.settings.get_dict())

    def copied_files(self) -> list[tuple[str, str, str]]:
        """Copy the dataset, and the model to update."""
        files = {"dataset": self.DATASET, "model": self.OLD}
        nodes = {name: self.inputs[name] for name in files if name in self.inputs}
        return [(node.uuid, node.filename, files[name]) for name, node in nodes.items()]
