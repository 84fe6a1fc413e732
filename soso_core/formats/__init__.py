"""File formats: extended XYZ and structures through ASE, DeePMD-kit folders, EMBSET; atomic writing."""

from soso_core.formats.atomic_write import atomic_write, write_file
from soso_core.formats.deepmd import read_deepmd
from soso_core.formats.deepmd_write import write_deepmd
from soso_core.formats.embset import read_embset, write_embset
from soso_core.formats.extxyz import (
    format_extxyz,
    parse_extxyz,
    read_configurations,
    read_dataset,
    write_configurations,
    write_dataset,
)
from soso_core.formats.structure import read_structure, read_structure_atoms, validate_structure

__all__ = [
    "atomic_write",
    "format_extxyz",
    "parse_extxyz",
    "read_configurations",
    "read_dataset",
    "read_deepmd",
    "read_embset",
    "read_structure",
    "read_structure_atoms",
    "validate_structure",
    "write_configurations",
    "write_dataset",
    "write_deepmd",
    "write_embset",
    "write_file",
]
