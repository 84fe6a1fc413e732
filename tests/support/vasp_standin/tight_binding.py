"""The second model: the embedded electronic structure of the package, iron only, seconds a call."""

import numpy as np
from ase.data import atomic_numbers

from soso_core.configuration import Configuration
from soso_core.engines.tight_binding.engine import label
from soso_core.engines.tight_binding.settings import TightBindingSettings
from soso_core.labels import LabelledConfiguration
from vasp_standin.classical import Evaluation
from vasp_standin.crystal import Crystal

SETTINGS = {"tolerance": 1e-9, "k_spacing_per_angstrom": 0.5}
ENTROPY_PER_ATOM = 0.002  # eV; the engine's energy is the free one


class TightBindingModel:
    """The embedded engine on one crystal, seen as the classical model is; the last directions are not solved twice."""

    def __init__(self, crystal: Crystal) -> None:
        self.crystal = crystal
        self.settings = TightBindingSettings.model_validate(SETTINGS)
        self.last: tuple[bytes, LabelledConfiguration] | None = None

    def moments(self, directions_ac: np.ndarray) -> np.ndarray:
        """Return the lengths (a,) in μB."""
        return np.asarray(self._label(directions_ac).moment_magnitudes_a)

    def spin_gradient(self, directions_ac: np.ndarray) -> np.ndarray:
        """Return `-∂E/∂e` (a, 3), eV, transverse."""
        return np.asarray(self._label(directions_ac).effective_fields_ac)

    def evaluate(self, directions_ac: np.ndarray) -> Evaluation:
        """Return everything that is printed."""
        done = self._label(directions_ac)
        return Evaluation(
            energy=float(done.energy),
            entropy=ENTROPY_PER_ATOM * len(directions_ac),
            effective_fields_ac=np.asarray(done.effective_fields_ac),
            forces_ac=np.asarray(done.forces_ac),
            stress_cc=np.asarray(done.stress_cc),
            moment_magnitudes_a=np.asarray(done.moment_magnitudes_a),
        )

    def _label(self, directions_ac: np.ndarray) -> LabelledConfiguration:
        name = directions_ac.tobytes()
        if self.last is None or self.last[0] != name:
            numbers_a = np.array([atomic_numbers[symbol] for symbol in self.crystal.symbols_a])
            cell = Configuration(numbers_a, self.crystal.positions_ac, self.crystal.cell_vc, directions_ac)
            self.last = name, label(cell, self.settings)
        return self.last[1]
