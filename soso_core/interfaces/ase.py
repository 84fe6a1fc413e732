"""An ASE calculator on a fitted model, for whatever ASE can do with one: relaxation, dynamics, phonons."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from soso_core.arrays import FloatArray
from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.model import CompiledModel
from soso_core.compiled.verlet import VerletList
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.gp.model.fitted import FittedModel
from soso_core.gp.model.model_file import load_model
from soso_core.species import species_indices
from soso_core.voigt import to_voigt

SPINS = "spins"
"""Column of `atoms.arrays` with unit vectors, zero for atoms without a spin."""


class SosoCalculator(Calculator):
    """Energy (eV), forces (eV/Å), stress (eV/Å³), moment lengths and exchange fields of atoms with spins.

    Parameters
    ----------
    model : CompiledModel, FittedModel, or path of a model file
    skin : Å, of the neighbour list that is kept between steps
    n_threads : threads for one evaluation
    accuracy : of the compiled form, when `model` is not compiled

    Spins are read from `atoms.arrays["spins"]`; a change of spins counts as a change.  Beside what ASE knows,
    `get_property` gives `spin_gradient` (∂E/∂e, eV, transverse) and `exchange_fields` (-∂E/∂m, eV/μB); `magmoms`
    are the lengths |m| in μB.  Fields need a length for every magnetic species.  Raises InputError, in one line.
    """

    implemented_properties = [
        "energy",
        "free_energy",
        "forces",
        "stress",
        "magmoms",
        "spin_gradient",
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
        """Return what has changed since the last evaluation; spins are something that can."""
        changes = list(super().check_state(atoms, tol))  # type: ignore[no-untyped-call]
        if self.atoms is not None and not _same_spins(self.atoms, atoms):
            changes.append(SPINS)
        return changes

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Evaluate everything at once; the neighbour list of the last call is used while it holds."""
        super().calculate(atoms, list(properties), list(system_changes))  # type: ignore[no-untyped-call]
        assert self.atoms is not None
        configuration = configuration_of(self.atoms)
        if self.neighbours is None:
            self.neighbours = self.compiled.neighbours(configuration, self.skin)
        self.neighbours = self.neighbours.updated(configuration.positions_ac, configuration.cell_vc)
        predicted = self.compiled.predict(configuration, self.neighbours, self.n_threads)
        self.results = {
            "energy": predicted.energy,
            "free_energy": predicted.energy,
            "forces": predicted.forces_ac,
            "stress": to_voigt(predicted.stress_cc),
            "spin_gradient": -predicted.effective_fields_ac,
        }
        if {"magmoms", "exchange_fields"} & set(properties):
            lengths_a = moment_lengths(self.compiled.model, configuration)
            per_length_a = np.divide(1.0, lengths_a, out=np.zeros(len(lengths_a)), where=lengths_a > 0.0)
            self.results["magmoms"] = lengths_a
            self.results["exchange_fields"] = predicted.effective_fields_ac * per_length_a[:, None]


def configuration_of(atoms: Atoms) -> Configuration:
    """Return atoms with spins as a Configuration.  Raises InputError when spins are missing, or not periodic."""
    if not atoms.pbc.all():
        raise InputError("atoms must be periodic along all three directions; set atoms.pbc = True")
    if SPINS not in atoms.arrays:
        raise InputError(f'atoms have no spins; set atoms.arrays["{SPINS}"] to unit vectors (zero: no spin)')
    return Configuration(atoms.numbers, atoms.positions, atoms.cell.array, atoms.arrays[SPINS])


def moment_lengths(model: FittedModel, configuration: Configuration) -> FloatArray:
    """Return |m| of every atom, (a,) μB, zero without a spin: as learnt, or else the mean of the species in the data.

    Raises InputError when the model knows none of a species.
    """
    lengths_a, _ = model.predict_moments(configuration)
    if lengths_a is None:
        means_a = model.moments_s[species_indices(configuration, model.basis.species)]
        lengths_a = np.where(configuration.is_magnetic_a, means_a, 0.0)
    if not np.isfinite(lengths_a).all():
        unknown = configuration.symbols[int(np.flatnonzero(~np.isfinite(lengths_a))[0])]
        raise InputError(f"the model knows no moment lengths of {unknown}: there were none in the data of the fit")
    return lengths_a


def _same_spins(before: Atoms, now: Atoms) -> bool:
    if (SPINS in before.arrays) != (SPINS in now.arrays):
        return False
    return SPINS not in now.arrays or np.array_equal(before.arrays[SPINS], now.arrays[SPINS])
