"""GPAW, if `make gpaw` has installed it."""

from importlib.util import find_spec

from label_contract import Harness, iron_pair

HARNESS = Harness(
    settings={"k_mesh": [2, 2, 2]},
    cell=iron_pair(0.6),
    missing=lambda: None if find_spec("gpaw") else "GPAW is not installed (make gpaw)",
    slow=True,
)
