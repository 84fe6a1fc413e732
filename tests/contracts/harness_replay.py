"""The replay of a pool with the cells of the contract, labelled by a classical magnet with exact derivatives."""

import tempfile
from pathlib import Path

from label_contract import Harness, iron_pair, requested_cells
from spin_cells import complete_dataset

from soso_core.formats import write_dataset

POOL = Path(tempfile.mkdtemp(prefix="soso-tests-")) / "pool.extxyz"
write_dataset(POOL, complete_dataset(requested_cells(iron_pair()).values()))

HARNESS = Harness(settings={"dataset": str(POOL)})
