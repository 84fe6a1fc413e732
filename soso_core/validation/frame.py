"""RawFrame: one configuration as a file has it, invalid numbers included."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from soso_core.arrays import BoolArray, FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.validation.finding import Finding, Kind

STRUCTURE = ("positions", "cell", "spins")
"""A configuration needs all of these; the other arrays are labels."""


@dataclass(frozen=True, eq=False)
class RawFrame:
    """One frame as read; a label that is absent or unusable is None.

    Parameters
    ----------
    index : position in the file, from 0
    atoms : the frame itself
    numbers_a : (a,) int
    positions, cell, spins : (a, 3), (3, 3), (a, 3) float; Å, Å, -; zero when unusable
    fields, forces : (a, 3) float or None; eV/μB, eV/Å
    moments : (a,) float or None, μB
    energy : eV or None
    moment_kind : definition of the moment magnitudes in the file (`MW_int`, `M_int`, ...), or None
    is_usable : whether positions, cell and spins are usable
    """

    index: int
    atoms: Atoms
    numbers_a: IntArray
    positions: FloatArray
    cell: FloatArray
    spins: FloatArray
    moments: FloatArray | None
    fields: FloatArray | None
    forces: FloatArray | None
    energy: float | None
    moment_kind: str | None
    is_usable: bool = True

    def __len__(self) -> int:
        return len(self.numbers_a)

    @property
    def is_magnetic_a(self) -> BoolArray:
        """(a,) True where an atom has a spin."""
        return np.asarray(np.any(self.spins != 0.0, axis=1))

    @property
    def magnitudes_a(self) -> FloatArray:
        """(a,) positive moment magnitudes of magnetic atoms, μB; zero for all other atoms."""
        moments_a = np.zeros(len(self)) if self.moments is None else self.moments
        return np.where(self.is_magnetic_a & (moments_a > 0.0), moments_a, 0.0)

    @property
    def unit_spins_ac(self) -> FloatArray:
        """(a, 3) spins scaled to unit length; zero for atoms without a spin."""
        return scale_to_unit(self.spins)

    @property
    def configuration(self) -> Configuration:
        """A usable frame as a Configuration, its spins scaled to unit length."""
        return Configuration(self.numbers_a, self.positions, self.cell, self.unit_spins_ac)


def scale_to_unit(vectors_ac: FloatArray) -> FloatArray:
    """Return vectors (a, 3) scaled to unit length; zero vectors stay zero."""
    largest_a = np.max(np.abs(vectors_ac), axis=1, keepdims=True)  # scaled first: squares may over- or underflow
    scaled_ac = vectors_ac / np.where(largest_a > 0.0, largest_a, 1.0)
    lengths_a = np.linalg.norm(scaled_ac, axis=1, keepdims=True)
    return scaled_ac / np.where(lengths_a > 0.0, lengths_a, 1.0)


def raw_frame(index: int, atoms: Atoms) -> tuple[RawFrame, list[Finding]]:
    """Return a frame and findings on numbers that are not finite, wrong shapes, missing spins and open boundaries.

    Labels that are unusable become None.
    """
    n_atoms = len(atoms)
    results = atoms.calc.results if atoms.calc is not None else {}
    given: dict[str, tuple[Any, tuple[int, ...]]] = {
        "positions": (atoms.positions, (n_atoms, 3)),
        "cell": (atoms.cell.array, (3, 3)),
        "spins": (atoms.arrays.get("spins"), (n_atoms, 3)),
        "moments": (atoms.arrays.get("moments"), (n_atoms,)),
        "fields": (atoms.arrays.get("exchange_fields"), (n_atoms, 3)),
        "forces": (results.get("forces"), (n_atoms, 3)),
        "energy": (results.get("energy", atoms.info.get("energy")), ()),
        "stress": (results.get("stress"), (6,)),
    }
    usable: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, (values, shape) in given.items():
        usable[name], found = _numbers(index, name, values, shape)
        findings += found
    findings += _structure(index, atoms)
    bad = {item.array for item in findings}
    usable["energy"] = None if usable["energy"] is None else float(usable["energy"])
    for name in STRUCTURE:
        usable[name] = np.zeros(given[name][1]) if usable[name] is None else usable[name]
    del usable["stress"]  # only checked
    kind = atoms.info.get("moment_kind")
    frame = RawFrame(
        index=index,
        atoms=atoms,
        numbers_a=np.asarray(atoms.numbers, dtype=np.int64),
        moment_kind=str(kind) if kind is not None else None,
        is_usable=not bad & {*STRUCTURE, "pbc"},
        **usable,
    )
    return frame, findings


def _numbers(index: int, name: str, values: Any, shape: tuple[int, ...]) -> tuple[Any, list[Finding]]:
    """Return an array of finite numbers, or None with the finding."""
    if values is None:
        return None, []
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None, [Finding(Kind.UNUSABLE, f"{name} is not a number: {str(values)[:40]!r}", index, array=name)]
    if array.shape != shape:
        return None, [Finding(Kind.UNUSABLE, f"{name} has shape {array.shape}, expected {shape}", index, array=name)]
    bad = np.argwhere(~np.isfinite(array))
    if not len(bad):
        return array, []
    place = tuple(int(k) for k in bad[0])
    atom = place[0] if shape and name not in ("cell", "stress") else None
    value = float(array[place])
    others = "" if len(bad) == 1 else f", and {len(bad) - 1} more of its numbers are not finite"
    return None, [Finding(Kind.UNUSABLE, f"{name} is {value}{others}", index, atom, value, name)]


def worst_of(count: int) -> str:
    """Return the end of a text that describes the worst of `count` atoms."""
    return "" if count == 1 else f" (worst of {count} atoms)"


def _structure(index: int, atoms: Atoms) -> Iterator[Finding]:
    if not all(atoms.pbc):
        text = f"pbc is {atoms.pbc.tolist()}; only fully periodic cells are supported"
        yield Finding(Kind.NOT_PERIODIC, text, index, array="pbc")
    if "spins" not in atoms.arrays:
        yield Finding(Kind.SPINS_MISSING, "column 'spins' is missing", index, array="spins")
