"""`soso.label.gpaw`: constrained noncollinear density-functional theory with GPAW."""

from soso_core.engines.gpaw.k_mesh import mesh_counts
from soso_workchains.label.command import CommandLabelWorkChain
from soso_workflows.calculations.label import GpawLabelCalculation


class GpawLabelWorkChain(CommandLabelWorkChain):
    """Label with `soso label gpaw`: GPAW has to be installed where that command runs."""

    ENGINE = "gpaw"
    CALCULATION = GpawLabelCalculation
    MESH_COUNTS = staticmethod(mesh_counts)
