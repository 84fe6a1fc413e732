"""Cells that spins are put into: repeated, strained, of another volume, atoms displaced."""

from collections.abc import Sequence

import numpy as np

from soso_core.active.candidates.settings import GeneratorSettings
from soso_core.arrays import BoolArray, FloatArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError


def deform(cell: Configuration, generator: GeneratorSettings, rng: np.random.Generator) -> Configuration:
    """Return the same spins in a cell that is strained, of another volume, with its atoms displaced."""
    stretch_cc = np.eye(3) + symmetric_strain(generator.strain, rng)
    positions_ac = cell.positions_ac @ stretch_cc
    positions_ac = positions_ac + generator.displacement_angstrom * rng.standard_normal(positions_ac.shape)
    small, large = generator.volume_range
    factor = 1.0 if small == large == 1.0 else rng.uniform(small, large) ** (1.0 / 3.0)
    return Configuration(cell.numbers_a, factor * positions_ac, factor * cell.cell_vc @ stretch_cc, cell.spins_ac)


def symmetric_strain(deviation: float, rng: np.random.Generator) -> FloatArray:
    """Return a symmetric strain (3, 3), each of its six components normal with the given standard deviation."""
    upper_cc = np.triu(deviation * rng.standard_normal((3, 3)))
    return np.asarray(upper_cc + np.triu(upper_cc, 1).T)


def supercell(structure: Configuration, counts: Sequence[int]) -> Configuration:
    """Return the structure repeated along its lattice vectors."""
    shifts_kc = np.array(list(np.ndindex(*counts)), dtype=float) @ structure.cell_vc
    positions_kac = structure.positions_ac[None] + shifts_kc[:, None]
    return Configuration(
        np.tile(structure.numbers_a, len(shifts_kc)),
        positions_kac.reshape(-1, 3),
        structure.cell_vc * np.array(counts, dtype=float)[:, None],
        np.tile(structure.spins_ac, (len(shifts_kc), 1)),
    )


def magnetic_atoms(cell: Configuration, magnetic_species: Sequence[str] | None) -> BoolArray:
    """Return (a,) whether each atom carries a spin.  Raises InputError for a symbol that is not in the structure."""
    symbols_a = np.array(cell.symbols)
    wanted = sorted(set(cell.symbols)) if magnetic_species is None else magnetic_species
    for symbol in wanted:
        if symbol not in cell.symbols:
            present = ", ".join(sorted(set(cell.symbols)))
            raise InputError(f"magnetic_species: no {symbol!r} in the structure, which has {present}")
    if not wanted:
        raise InputError("magnetic_species is empty: no atom would carry a spin")
    return np.isin(symbols_a, list(wanted))
