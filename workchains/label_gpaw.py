"""`soso.label.gpaw`: constrained noncollinear density-functional theory with GPAW."""

from typing import Any

from ase import Atoms

from soso_core.engines.gpaw.k_mesh import mesh_counts
from soso_core.engines.gpaw.settings import GpawSettings
from soso_workchains.label_command import CommandLabelWorkChain


class GpawLabelWorkChain(CommandLabelWorkChain):
    """Label with `soso label gpaw`: GPAW has to be installed where that command runs."""

    ENGINE = "gpaw"
    CALCULATION = "soso.label.gpaw"

    @classmethod
    def describe(cls, settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
        """Return the settings and the k-points they give this cell."""
        counts = mesh_counts(cell.cell.array, GpawSettings(**settings))
        return {**super().describe(settings, cell), "k-points": " x ".join(str(count) for count in counts)}
