"""`soso.alternatives`: test whether more labels or another model form would reduce the error."""

from aiida.engine import CalcJobProcessSpec
from aiida.orm import Dict, Int

from soso_workflows.calculations.base import ONE_BLAS_THREAD, SosoCalculation
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel


class SosoAlternativesCalculation(SosoCalculation):
    """Run `soso compare-models`.  Exit codes: see `SosoCalculation`."""

    MODEL, DATASET, OUTPUT = "model.soso", "train.extxyz", "alternatives.json"
    WALLCLOCK_SECONDS = 4 * 3600
    ENVIRONMENT = ONE_BLAS_THREAD

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Inputs: model, dataset, seed.  Output: alternatives."""
        super().define(spec)
        spec.input("model", valid_type=SosoModel, help="the present form")
        spec.input("dataset", valid_type=SosoDataset, help="labels, every one with an energy")
        spec.input("seed", valid_type=Int, help="seed of every random draw of the fits")
        spec.output("alternatives", valid_type=Dict, help="`learning_curve`, `alternatives`: active.stopping.records")
        spec.inputs["metadata"]["options"]["parser_name"].default = "soso.alternatives"

    def command(self) -> list[str]:
        """Return the arguments of `soso`."""
        return ["compare-models", self.MODEL, self.DATASET, "-o", self.OUTPUT, "--seed", str(self.inputs.seed.value)]

    def copied_files(self) -> list[tuple[str, str, str]]:
        """Copy the model and the labels."""
        files = ((self.inputs.model, self.MODEL), (self.inputs.dataset, self.DATASET))
        return [(node.uuid, node.filename, name) for node, name in files]
