"""ABINIT: noncollinear PBE with norm-conserving pseudopotentials, moments held in direction by constrained DFT.

The settings and outputs that this relies on are those of ABINIT 9.6 (Gonze et al., J. Chem. Phys. 152, 124102 (2020)).
"""

from soso_core.engines.abinit.engine import check, label
from soso_core.engines.abinit.settings import AbinitSettings
from soso_core.engines.contract import Engine

__all__ = ["ENGINE", "AbinitSettings", "check", "label"]

ENGINE = Engine(AbinitSettings, check, label)
