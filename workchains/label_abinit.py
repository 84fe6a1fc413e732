"""`soso.label.abinit`: noncollinear PBE by ABINIT."""

from typing import Any

from ase import Atoms

from soso_core.engines.abinit.input_file import mesh_counts
from soso_core.engines.abinit.settings import AbinitSettings
from soso_workchains.label_command import CommandLabelWorkChain


class AbinitLabelWorkChain(CommandLabelWorkChain):
    """Label with `soso label abinit`; ABINIT and its pseudopotentials must be where the job runs."""

    ENGINE = "abinit"
    CALCULATION = "soso.label.abinit"

    @classmethod
    def describe(cls, settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
        """Return the settings and the k-points they give this cell."""
        counts = mesh_counts(cell.cell.array, AbinitSettings(**settings))
        return {**super().describe(settings, cell), "k-points": " x ".join(str(count) for count in counts)}
