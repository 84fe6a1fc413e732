"""Files: extended XYZ and structures through ASE, DeePMD-kit folders, EMBSET, models as npz, atomic writing."""

from typing import TYPE_CHECKING, Any

from soso_core.io.atomic_write import atomic_write
from soso_core.io.deepmd import read_deepmd
from soso_core.io.deepmd_write import write_deepmd
from soso_core.io.embset import read_embset, write_embset
from soso_core.io.extxyz import read_configurations, read_dataset, write_configurations, write_dataset
from soso_core.io.structure import checked_structure, read_structure

if TYPE_CHECKING:
    from soso_core.io.model_file import load_model, save_model

__all__ = [
    "atomic_write",
    "checked_structure",
    "load_model",
    "read_configurations",
    "read_dataset",
    "read_deepmd",
    "read_embset",
    "read_structure",
    "save_model",
    "write_configurations",
    "write_dataset",
    "write_deepmd",
    "write_embset",
]


def __getattr__(name: str) -> Any:
    """Load what models need, compiled kernels among it, when it is asked for: a job that labels has no use for it."""
    if name in ("load_model", "save_model"):
        from soso_core.io import model_file

        return getattr(model_file, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
