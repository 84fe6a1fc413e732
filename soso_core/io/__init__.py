"""Files: extended XYZ through ASE, models as npz with a JSON header, atomic writing."""

from soso_core.io.atomic_write import atomic_write
from soso_core.io.extxyz import read_configurations, read_dataset, write_configurations, write_dataset

__all__ = ["atomic_write", "read_configurations", "read_dataset", "write_configurations", "write_dataset"]
