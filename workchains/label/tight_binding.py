"""`soso.label.tight_binding`: labels from the embedded tight-binding engine."""

from typing import Any

import numpy as np
from ase import Atoms

from soso_core.configuration import Configuration
from soso_core.engines import load_engine
from soso_core.errors import locate_errors
from soso_workchains.label.command import CommandLabelWorkChain
from soso_workflows.calculations.label import TightBindingLabelCalculation


class TightBindingLabelWorkChain(CommandLabelWorkChain):
    """Label with `soso label tight-binding`, a model (not DFT) that needs only this package."""

    ENGINE = "tight-binding"
    CALCULATION = TightBindingLabelCalculation
    FIELD_TOLERANCE = 1e-3
    """Energy and fields are exact to the tolerance of the self-consistency."""

    @classmethod
    def check_cell(cls, settings: dict[str, Any], cell: Atoms, has_spin: list[bool], source: str) -> None:
        """Raise InputError for species without parameters and for atoms that are too close."""
        engine = load_engine(cls.ENGINE)
        spins_ac = np.outer(np.array(has_spin, dtype=float), [0.0, 0.0, 1.0])
        ferromagnet = Configuration(cell.numbers, cell.positions, cell.cell.array, spins_ac)
        with locate_errors(source):
            engine.check(ferromagnet, engine.settings_class(**settings))
