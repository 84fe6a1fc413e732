"""`soso.label.<engine>`: label one configuration with an engine of the `soso` command."""

from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec
from aiida.orm import Dict

from soso_workflows.calculations.base import SosoCalculation, write_settings
from soso_workflows.data.dataset import SosoDataset


class SosoLabelCalculation(SosoCalculation):
    """Run `soso label ENGINE` on one configuration.  Exit codes: see `SosoCalculation`."""

    ENGINE = ""
    CONFIGURATION, OUTPUT = "configuration.extxyz", "labelled.extxyz"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Inputs: configuration, settings (optional).  Outputs: label, quality."""
        super().define(spec)
        spec.input("configuration", valid_type=SosoDataset, help="one configuration: cell, positions, unit spins")
        spec.input("settings", valid_type=Dict, required=False, help="keys of the engine's settings")
        spec.output("label", valid_type=SosoDataset, help="the configuration with its labels")
        spec.output("quality", valid_type=Dict, help="convergence, residuals and grade of the label")
        spec.inputs["metadata"]["options"]["parser_name"].default = f"soso.label.{cls.ENGINE.replace('-', '_')}"

    def command(self) -> list[str]:
        """Return the arguments of `soso`."""
        words = ["label", self.ENGINE, self.CONFIGURATION, "-o", self.OUTPUT]
        return [*words, "--settings", self.SETTINGS] if "settings" in self.inputs else words

    def write_inputs(self, folder: Folder) -> None:
        """Write the settings file, when there are settings."""
        if "settings" in self.inputs:
            write_settings(folder, self.inputs.settings.get_dict())

    def copied_files(self) -> list[tuple[str, str, str]]:
        """Copy the configuration."""
        node = self.inputs.configuration
        return [(node.uuid, node.filename, self.CONFIGURATION)]


class TightBindingLabelCalculation(SosoLabelCalculation):
    """Label with the embedded tight-binding engine."""

    ENGINE = "tight-binding"


class GpawLabelCalculation(SosoLabelCalculation):
    """Label with GPAW, which must be installed in the environment of the `soso` command."""

    ENGINE = "gpaw"


class AbinitLabelCalculation(SosoLabelCalculation):
    """Label with ABINIT, which `soso` starts and which must be installed where the job runs."""

    ENGINE = "abinit"
    WALLCLOCK_SECONDS = 86400
