"""Configuration: positions of the atoms in a periodic cell and directions of their moments."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase.data import chemical_symbols

from soso_core.arrays import BoolArray, FloatArray, IntArray, frozen_floats
from soso_core.errors import InputError

SPIN_LENGTH_TOLERANCE = 1e-6
"""Largest accepted deviation of |e_i| from 1; files carry 7 to 9 digits."""

SMALLEST_VOLUME_PER_ATOM = 0.5
"""Å³; the densest solids have more than 5.  In smaller volumes the number of neighbours has no bound."""
LONGEST_CELL_VECTOR = 1e4
"""Å; cell lists of larger boxes overflow."""


@dataclass(frozen=True, eq=False)
class Configuration:
    """A periodic crystal cell with a unit spin on every magnetic atom.

    Parameters
    ----------
    numbers_a : (a,) int
        Atomic numbers.
    positions_ac : (a, 3) float, Å
    cell_vc : (3, 3) float, Å
        One lattice vector per row; the cell is periodic along all three.
    spins_ac : (a, 3) float
        Unit vectors (within 1e-6; renormalised exactly), or exactly zero for an atom that is not magnetic.

    Raises InputError, with atom and value, for other shapes and values, spins that are not unit vectors, and cells
    without volume.
    """

    numbers_a: IntArray
    positions_ac: FloatArray
    cell_vc: FloatArray
    spins_ac: FloatArray

    def __post_init__(self) -> None:
        numbers_a = _check_numbers(self.numbers_a)
        n_atoms = len(numbers_a)
        object.__setattr__(self, "numbers_a", numbers_a)
        object.__setattr__(self, "positions_ac", frozen_floats("position", self.positions_ac, (n_atoms, 3)))
        object.__setattr__(self, "cell_vc", frozen_floats("cell", self.cell_vc, (3, 3)))
        object.__setattr__(self, "spins_ac", _check_spins(self.spins_ac, n_atoms))
        self._check_size()

    def _check_size(self) -> None:
        if self.volume < 1e-6:
            raise InputError(f"cell volume is {self.volume:.3g} Å³; it must be positive")
        if self.volume < SMALLEST_VOLUME_PER_ATOM * len(self):
            raise InputError(f"cell volume is {self.volume:.3g} Å³ for {len(self)} atoms; are the units Å?")
        longest = float(np.max(np.linalg.norm(self.cell_vc, axis=1)))
        if longest > LONGEST_CELL_VECTOR:
            raise InputError(f"a cell vector is {longest:.3g} Å long; at most {LONGEST_CELL_VECTOR:g} Å are supported")

    def __len__(self) -> int:
        return len(self.numbers_a)

    @cached_property
    def volume(self) -> float:
        """Cell volume in Å³."""
        return float(abs(np.linalg.det(self.cell_vc)))

    @cached_property
    def is_magnetic_a(self) -> BoolArray:
        """(a,) True where an atom carries a spin."""
        return np.asarray(np.any(self.spins_ac != 0.0, axis=1))

    @property
    def n_magnetic(self) -> int:
        """Number of atoms that carry a spin."""
        return int(self.is_magnetic_a.sum())

    @property
    def n_energy_sites(self) -> int:
        """Number of sites that an energy is quoted per: the magnetic atoms, or all atoms when none is magnetic."""
        return self.n_magnetic or len(self)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Chemical symbol of every atom."""
        return tuple(chemical_symbols[number] for number in self.numbers_a)

    def with_spins(self, spins_ac: FloatArray) -> "Configuration":
        """Return a copy with the spins (a, 3).  Raises InputError as the constructor does."""
        return Configuration(self.numbers_a, self.positions_ac, self.cell_vc, spins_ac)

    def with_positions(self, positions_ac: FloatArray) -> "Configuration":
        """Return a copy with the positions (a, 3) in Å.  Raises InputError as the constructor does."""
        return Configuration(self.numbers_a, positions_ac, self.cell_vc, self.spins_ac)


def _check_numbers(numbers: IntArray) -> IntArray:
    array = np.array(numbers)
    if array.ndim != 1 or array.size == 0:
        raise InputError("a configuration needs at least one atom")
    if not np.issubdtype(array.dtype, np.integer) or array.min() < 1 or array.max() >= len(chemical_symbols):
        raise InputError(f"atomic numbers must be integers from 1 to {len(chemical_symbols) - 1}")
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array


def _check_spins(spins: FloatArray, n_atoms: int) -> FloatArray:
    raw_ac = frozen_floats("spin", spins, (n_atoms, 3))
    lengths_a = np.linalg.norm(raw_ac, axis=1)
    is_zero_a = ~np.any(raw_ac != 0.0, axis=1)
    bad = np.flatnonzero(~is_zero_a & (np.abs(lengths_a - 1.0) > SPIN_LENGTH_TOLERANCE))
    if len(bad):
        atom = int(bad[0])
        raise InputError(
            f"spin of atom {atom} has length {lengths_a[atom]:.8g} {tuple(raw_ac[atom].tolist())}; "
            "it must be 1 within 1e-6, or exactly zero for a non-magnetic atom"
        )
    # Vectors that have unit length within rounding stay unchanged, so that a file read back gives the same bits.
    needs_scaling_a = ~is_zero_a & (np.abs(lengths_a - 1.0) > 1e-15)
    unit_ac = raw_ac / np.where(needs_scaling_a, lengths_a, 1.0)[:, None]
    unit_ac.setflags(write=False)
    return unit_ac
