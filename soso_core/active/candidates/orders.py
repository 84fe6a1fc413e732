"""Magnetic orders that fit into a cell: spirals and collinear orders of commensurate wave vectors.

A wave vector is three integers n in units of the reciprocal vectors of the cell; the phase of an atom at fractional
coordinates s is 2π n·s.  Whole numbers make the order continue across the boundary of the cell.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np

from soso_core.active.candidates.directions import directions_around, uniform_directions
from soso_core.arrays import BoolArray, FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError

SAME_PHASE = 1e-4
"""Cosines of phases nearer than this are the same; positions in files carry 7 digits, cells have some 10 Å."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """The sites that orders are put on.

    fractions_ac (a, 3) of the magnetic atoms in the cell; sublattice_a (a,) which atom of the repeated structure each
    is a copy of; counts how often that structure is repeated along each vector.
    """

    fractions_ac: FloatArray
    sublattice_a: IntArray
    counts: tuple[int, int, int]

    @classmethod
    def of(cls, cell: Configuration, is_magnetic_a: BoolArray, counts: Sequence[int]) -> "Lattice":
        """Return that of a supercell, as `generators.supercell` lays it out."""
        fractions_ac = cell.positions_ac @ np.linalg.inv(cell.cell_vc)
        a, b, c = counts
        sublattice_a = np.arange(len(cell)) % (len(cell) // (a * b * c))
        return cls(fractions_ac[is_magnetic_a], sublattice_a[is_magnetic_a], (a, b, c))

    def phases(self, wave_v: Sequence[int] | IntArray) -> FloatArray:
        """Return the phases (a,) of a wave vector, those of the first atom being zero."""
        turns_a = (self.fractions_ac - self.fractions_ac[0]) @ np.asarray(wave_v, dtype=float)
        return np.asarray(2.0 * np.pi * turns_a)

    @cached_property
    def wave_vectors(self) -> IntArray:
        """Return all that differ, (k, 3): no two with the same phases, or opposite ones; not the ferromagnet's.

        Components go from -N to N, N being how often the structure is repeated: in between lie all for one atom, and
        with several atoms the first ones beyond, where their phases begin to differ.
        """
        ranges = [np.arange(-n, n + 1) for n in self.counts]
        all_kv = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
        shortest_first = np.argsort(np.sum(all_kv**2, axis=1), kind="stable")
        found: dict[bytes, IntArray] = {_pattern(np.zeros(len(self.fractions_ac))): all_kv[0]}
        for wave_v in all_kv[shortest_first]:
            found.setdefault(_pattern(self.phases(wave_v)), wave_v)
        return np.array(list(found.values())[1:], dtype=np.int64).reshape(-1, 3)


def _pattern(phases_a: FloatArray) -> bytes:
    """Return a key that two wave vectors share when their phases are the same, or opposite."""
    cosines_a, sines_a = (np.rint(f(phases_a) / SAME_PHASE).astype(np.int64) for f in (np.cos, np.sin))
    first = np.flatnonzero(sines_a)
    sign = np.sign(sines_a[first[0]]) if len(first) else 0
    return cosines_a.tobytes() + (sign * sines_a).tobytes()


def spiral(lattice: Lattice, wave_v: IntArray, axis_cosine: float, rng: np.random.Generator) -> FloatArray:
    """Return spins (a, 3) that turn about a random axis with the phases of a wave vector.

    `axis_cosine` is their cosine with the axis: 0 is a flat spiral, more a conical one.
    """
    first_c, second_c, axis_c = _frame(rng)
    phases_a = lattice.phases(wave_v)[:, None]
    flat_ac = np.cos(phases_a) * first_c + np.sin(phases_a) * second_c
    return np.asarray(np.sqrt(1.0 - axis_cosine**2) * flat_ac + axis_cosine * axis_c)


def ferromagnetic(lattice: Lattice, _rng: np.random.Generator) -> FloatArray:
    """Return signs (a,), all alike."""
    return np.ones(len(lattice.fractions_ac))


def antiferromagnetic(lattice: Lattice, rng: np.random.Generator) -> FloatArray:
    """Return signs (a,) of a random wave vector that has nothing but +1 and -1, as many of each.

    Raises InputError when none fits into the cell.
    """
    cosines = [np.cos(lattice.phases(wave_v)) for wave_v in lattice.wave_vectors]
    fitting = [c_a for c_a in cosines if np.all(np.abs(np.abs(c_a) - 1.0) < SAME_PHASE) and abs(c_a.sum()) < 0.5]
    if not fitting:
        raise InputError("orders: no antiferromagnetic order fits into the supercell; repeat the structure twice")
    return np.asarray(np.sign(fitting[rng.integers(len(fitting))]))


def ferrimagnetic(lattice: Lattice, rng: np.random.Generator) -> FloatArray:
    """Return signs (a,), one for each magnetic atom of the repeated structure, not all alike.

    Raises InputError when there is only one.
    """
    names = np.unique(lattice.sublattice_a)
    if len(names) < 2:
        raise InputError("orders: ferrimagnetic needs two or more magnetic atoms in the structure")
    down = rng.permutation(names)[: rng.integers(1, len(names))]
    return np.where(np.isin(lattice.sublattice_a, down), -1.0, 1.0)


def spin_density_wave(lattice: Lattice, rng: np.random.Generator) -> FloatArray:
    """Return signs (a,) of cos(phase + start), wave vector and start being random; lengths follow by themselves.

    Raises InputError when no wave vector fits into the cell.
    """
    waves_kv = lattice.wave_vectors
    check_waves(waves_kv)
    phases_a = lattice.phases(waves_kv[rng.integers(len(waves_kv))]) + 2.0 * np.pi * rng.random()
    return np.where(np.cos(phases_a) < 0.0, -1.0, 1.0)


def check_waves(waves_kv: IntArray) -> None:
    """Raise InputError when there is no wave vector."""
    if not len(waves_kv):
        raise InputError("no wave vector but that of the ferromagnet fits into the supercell; repeat the structure")


Signs = Callable[[Lattice, np.random.Generator], FloatArray]
ORDERS: Mapping[str, Signs] = MappingProxyType(
    {
        "ferromagnetic": ferromagnetic,
        "antiferromagnetic": antiferromagnetic,
        "ferrimagnetic": ferrimagnetic,
        "spin-density-wave": spin_density_wave,
    }
)
"""Collinear orders by name."""


def collinear(lattice: Lattice, order: str, rng: np.random.Generator) -> FloatArray:
    """Return spins (a, 3) along one random axis, with the signs of an order.  Raises InputError if it does not fit."""
    return np.asarray(ORDERS[order](lattice, rng)[:, None] * uniform_directions(1, rng))


def tilt_spins(spins_ac: FloatArray, tilt_degree: float, rng: np.random.Generator) -> FloatArray:
    """Return spins, each von Mises-Fisher around its own direction, of mean cosine cos(tilt)."""
    if tilt_degree == 0.0:
        return spins_ac
    return directions_around(spins_ac, float(np.cos(np.deg2rad(tilt_degree))), rng)


def _frame(rng: np.random.Generator) -> FloatArray:
    """Return three random unit vectors perpendicular to each other, (3, 3)."""
    frame_vc, upper_vc = np.linalg.qr(rng.standard_normal((3, 3)))
    return np.asarray((frame_vc * np.sign(np.diag(upper_vc))).T)
