"""Conversion between ASE Atoms and the values of this package: the only module with the names of arrays."""

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import ArrayLike

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration
from soso_core.voigt import from_voigt, to_voigt

SPINS = "spins"
"""Column of `atoms.arrays` with unit vectors, zero for atoms without a spin."""


def configuration_from_atoms(atoms: Atoms) -> Configuration:
    """Return the Configuration of ASE Atoms with an array `spins` (a, 3).

    Raises InputError when spins are missing or invalid, or the cell is not periodic along all three directions.
    """
    check_periodic(atoms)
    if SPINS not in atoms.arrays:
        raise InputError(f"column '{SPINS}' is missing: unit vectors, zero without a spin (in a file {SPINS}:R:3)")
    return Configuration(atoms.numbers, atoms.positions, atoms.cell.array, atoms.arrays[SPINS])


def atoms_from_configuration(configuration: Configuration) -> Atoms:
    """Return periodic ASE Atoms with the array `spins`."""
    atoms = Atoms(
        numbers=configuration.numbers_a, positions=configuration.positions_ac, cell=configuration.cell_vc, pbc=True
    )
    atoms.set_array(SPINS, np.array(configuration.spins_ac))
    return atoms


def labelled_from_atoms(atoms: Atoms) -> LabelledConfiguration:
    """Return the labels of ASE Atoms; absent labels are None.

    Energy (eV), forces (eV/Å) and stress (eV/Å³) are results of `atoms.calc`; `moments` (μB), `exchange_fields`
    (eV/μB) and `target_spins` are arrays.  Raises InputError as `configuration_from_atoms` and for invalid labels.
    """
    results = atoms.calc.results if atoms.calc is not None else {}
    stress = results.get("stress")
    return LabelledConfiguration(
        configuration_from_atoms(atoms),
        energy=results.get("energy"),
        exchange_fields_ac=atoms.arrays.get("exchange_fields"),
        moment_magnitudes_a=atoms.arrays.get("moments"),
        forces_ac=results.get("forces"),
        stress_cc=None if stress is None else full_stress(stress),
        info={key: value.item() if isinstance(value, np.generic) else value for key, value in atoms.info.items()},
        target_spins_ac=atoms.arrays.get("target_spins"),
    )


def atoms_from_labelled(item: LabelledConfiguration) -> Atoms:
    """Return ASE Atoms with labels where `labelled_from_atoms` finds them."""
    atoms = atoms_from_configuration(item.configuration)
    atoms.info.update(item.info)
    columns = (
        ("moments", item.moment_magnitudes_a),
        ("exchange_fields", item.exchange_fields_ac),
        ("target_spins", item.target_spins_ac),
    )
    for name, values in columns:
        if values is not None:
            atoms.set_array(name, np.array(values))
    stress = None if item.stress_cc is None else to_voigt(item.stress_cc)
    results = {"energy": item.energy, "forces": item.forces_ac, "stress": stress}
    present = {key: value for key, value in results.items() if value is not None}
    if present:
        atoms.calc = SinglePointCalculator(atoms, **present)
    return atoms


def check_periodic(atoms: Atoms) -> None:
    """Raise InputError unless atoms are periodic along all three directions."""
    if not all(atoms.pbc):
        raise InputError(f"pbc is {atoms.pbc.tolist()}; only fully periodic cells are supported")


def full_stress(stress: ArrayLike) -> FloatArray:
    """Return the (3, 3) tensor of six components.  Raises InputError for another shape."""
    if np.shape(stress) != (6,):
        raise InputError(f"stress: shape {np.shape(stress)}, expected 9 numbers")
    return from_voigt(stress)
