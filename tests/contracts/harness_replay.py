"""The replay of a pool that holds what the contract asks for, labelled by a classical magnet with exact derivatives."""

import tempfile
from pathlib import Path

from label_contract import Harness, asked, iron_pair
from spin_cells import complete_dataset

from soso_core.formats import write_dataset

POOL = Path(tempfile.mkdtemp(prefix="soso-tests-")) / "pool.extxyz"
write_dataset(POOL, complete_dataset(asked(iron_pair()).values()))

HARNESS = Harness(settings={"dataset": str(POOL)})
