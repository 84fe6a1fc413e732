"""`soso.label.tight_binding`: the embedded electronic structure."""

from typing import Any

from ase import Atoms

from soso_core.engines.tight_binding.k_mesh import mesh_counts
from soso_core.engines.tight_binding.settings import TightBindingSettings
from soso_workchains.label_command import CommandLabelWorkChain


class TightBindingLabelWorkChain(CommandLabelWorkChain):
    """Label with `soso label tight-binding`: needs nothing but this package, and is a model, not DFT."""

    ENGINE = "tight-binding"
    CALCULATION = "soso.label.tight_binding"

    @classmethod
    def describe(cls, settings: dict[str, Any], cell: Atoms) -> dict[str, str]:
        """Return the settings and the k-points they give this cell."""
        counts = mesh_counts(cell.cell.array, TightBindingSettings(**settings))
        return {**super().describe(settings, cell), "k-points": " x ".join(str(count) for count in counts)}
