"""Files: extended XYZ and structures through ASE, DeePMD-kit folders, EMBSET, models as npz, atomic writing."""

from soso_core.io.atomic_write import atomic_write
from soso_core.io.deepmd import read_deepmd
from soso_core.io.deepmd_write import write_deepmd
from soso_core.io.embset import read_embset, write_embset
from soso_core.io.extxyz import read_configurations, read_dataset, write_configurations, write_dataset
from soso_core.io.model_file import load_model, save_model
from soso_core.io.structure import read_structure

__all__ = [
    "atomic_write",
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
