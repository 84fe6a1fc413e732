"""ABINIT, if `make abinit` has installed it; few plane waves, of which derivatives of the energy are independent."""

from shutil import which

from label_contract import Harness, iron_pair

HARNESS = Harness(
    settings={"ecut_ev": 408.0, "k_mesh": [2, 2, 2]},
    cell=iron_pair(0.6),
    missing=lambda: None if which("abinit") else "ABINIT is not installed (make abinit)",
    slow=True,
)
