"""`soso.label.abinit`: noncollinear PBE by ABINIT."""

from soso_workchains.label.command import CommandLabelWorkChain
from soso_workflows.calculations.label import AbinitLabelCalculation


class AbinitLabelWorkChain(CommandLabelWorkChain):
    """Label with `soso label abinit`; ABINIT and its pseudopotentials must be where the job runs."""

    ENGINE = "abinit"
    CALCULATION = AbinitLabelCalculation
