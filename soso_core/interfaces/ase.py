"""ASE calculator of a fitted model, for relaxation, dynamics and phonons, and conversions of ASE Atoms."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.model import CompiledModel
from soso_core.compiled.verlet import VerletList
from soso_core.formats.atoms import SPINS, atoms_from_configuration, configuration_from_atoms
from soso_core.gp.model.fitted import FittedModel
from soso_core.gp.model.model_file import load_model
from soso_core.voigt import to_voigt

__all__ = ["SosoCalculator", "atoms_from_configuration", "configuration_from_atoms"]


class SosoCalculator(Calculator):
    """ASE calculator of a fitted model: energy (eV), forces (eV/Å), stress (eV/Å³), moments and fields.

    Parameters
    ----------
    model : CompiledModel, FittedModel, or path of a model file
    skin : Å, of the neighbour list that is kept between steps
    n_threads : threads for one evaluation
    accuracy : of the compiled model, when `model` is not compiled

    Spins are read from `atoms.arrays["spins"]`; ASE evaluates again when they change.  Further properties of
    `get_property`: `effective_fields` B_i = -∂E/∂e_i (a, 3), eV, transverse to the spins; `exchange_fields`
    h_i = B_i/m_i (a, 3), eV/μB; `magmoms` m_i (a,), μB.  Raises InputError, in one line, for atoms without spins and
    for exchange fields of a species without moment magnitudes.
    """

    implemented_properties = [
        "energy",
        "free_energy",
        "forces",
        "stress",
        "magmoms",
        "effective_fields",
        "exchange_fields",
    ]

    def __init__(
        self,
        model: CompiledModel | FittedModel | Path | str,
        *,
        skin: float = 0.3,
        n_threads: int = 1,
        accuracy: Accuracy | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(**keywords)  # type: ignore[no-untyped-call]  # ASE is not typed
        if isinstance(model, (str, Path)):
            model = load_model(model)
        self.compiled = CompiledModel.of(model, accuracy) if isinstance(model, FittedModel) else model
        self.skin = skin
        self.n_threads = n_threads
        self.neighbours: VerletList | None = None

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Return the changes since the last evaluation, those of spins included."""
        changes = list(super().check_state(atoms, tol))  # type: ignore[no-untyped-call]
        none = np.empty(0)  # for atoms without spins
        if self.atoms and not np.array_equal(self.atoms.arrays.get(SPINS, none), atoms.arrays.get(SPINS, none)):
            changes.append(SPINS)
        return changes

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Evaluate all properties; the neighbour list of the last call is used while it is valid."""
        super().calculate(atoms, list(properties), list(system_changes))  # type: ignore[no-untyped-call]
        assert self.atoms is not None
        configuration = configuration_from_atoms(self.atoms)
        if self.neighbours is None:
            self.neighbours = self.compiled.neighbours(configuration, self.skin)
        self.neighbours = self.neighbours.update(configuration.positions_ac, configuration.cell_vc)
        predicted = self.compiled.predict(configuration, self.neighbours, self.n_threads)
        self.results = {
            "energy": predicted.energy,
            "free_energy": predicted.energy,
            "forces": predicted.forces_ac,
            "stress": to_voigt(predicted.stress_cc),
            "effective_fields": predicted.effective_fields_ac,
        }
        if {"magmoms", "exchange_fields"} & set(properties):
            magnitudes_a = self.compiled.model.moment_magnitudes(configuration)
            inverse_a = np.divide(1.0, magnitudes_a, out=np.zeros(len(magnitudes_a)), where=magnitudes_a > 0.0)
            self.results["magmoms"] = magnitudes_a
            self.results["exchange_fields"] = predicted.effective_fields_ac * inverse_a[:, None]
