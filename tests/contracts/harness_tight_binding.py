"""The embedded engine."""

from label_contract import Harness

HARNESS = Harness(settings={"k_mesh": [3, 3, 3], "tolerance": 1e-7})
