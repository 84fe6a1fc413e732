"""`soso.label.gpaw`: constrained noncollinear density-functional theory with GPAW."""

from soso_workchains.label.command import CommandLabelWorkChain
from soso_workflows.calculations.label import GpawLabelCalculation


class GpawLabelWorkChain(CommandLabelWorkChain):
    """Label with `soso label gpaw`: GPAW must be installed in the environment of that command."""

    ENGINE = "gpaw"
    CALCULATION = GpawLabelCalculation
