"""`soso.label.tight_binding`: the embedded electronic structure."""

from soso_core.engines.tight_binding.k_mesh import mesh_counts
from soso_workchains.label_command import CommandLabelWorkChain


class TightBindingLabelWorkChain(CommandLabelWorkChain):
    """Label with `soso label tight-binding`: needs nothing but this package, and is a model, not DFT."""

    ENGINE = "tight-binding"
    CALCULATION = "soso.label.tight_binding"
    MESH_COUNTS = staticmethod(mesh_counts)
    FIELD_TOLERANCE = 1e-3
    """Energy and fields are exact to the tolerance of the self-consistency."""
