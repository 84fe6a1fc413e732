"""POSCAR, POTCAR and KPOINTS."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vasp_standin.refusal import Refusal

TITEL = re.compile(r"^ *TITEL *= *(?:PAW|US)\S* +([A-Z][a-z]?)", re.MULTILINE)


@dataclass(frozen=True)
class Crystal:
    """Cell in Å (rows are vectors), fractional positions, and the groups of like atoms in the order of the file."""

    cell_vc: np.ndarray
    fractional_av: np.ndarray
    symbols: tuple[str, ...]  # one a group
    counts: tuple[int, ...]

    @property
    def positions_ac(self) -> np.ndarray:
        """Cartesian positions, Å."""
        return self.fractional_av @ self.cell_vc

    @property
    def symbols_a(self) -> list[str]:
        """The element of each atom."""
        return [symbol for symbol, count in zip(self.symbols, self.counts, strict=True) for _ in range(count)]


def read_poscar(path: Path) -> Crystal:
    """Return the crystal of a file; raise Refusal when VASP would stop."""
    if not path.is_file():
        raise Refusal(" ERROR: there must be 1 or 3 items on line 2 of POSCAR")
    lines = path.read_text().splitlines()
    try:
        scale, cell_vc = float(lines[1].split()[0]), np.array([line.split()[:3] for line in lines[2:5]], dtype=float)
        symbols = tuple(re.sub(r"[^A-Za-z].*", "", word) for word in lines[5].split())
        counts = tuple(int(word) for word in lines[6].split())
        first = 8 if lines[7].strip()[:1] in "Ss" else 7
        rows_ac = np.array([line.split()[:3] for line in lines[first + 1 : first + 1 + sum(counts)]], dtype=float)
    except (ValueError, IndexError):
        raise Refusal(" ERROR: POSCAR could not be read") from None
    if rows_ac.shape != (sum(counts), 3) or len(symbols) != len(counts):
        raise Refusal(" ERROR: POSCAR holds fewer ions than it names")
    scale = scale if scale > 0 else (-scale / abs(np.linalg.det(cell_vc))) ** (1 / 3)
    cell_vc = scale * cell_vc
    if np.linalg.det(cell_vc) <= 0:
        raise Refusal(" ERROR: the triple product of the basis vectors is negative exchange two basis vectors")
    is_cartesian = lines[first].strip()[:1] in "CcKk"
    fractional_av = scale * rows_ac @ np.linalg.inv(cell_vc) if is_cartesian else rows_ac
    return Crystal(cell_vc, fractional_av, symbols, counts)


def check_potcar(path: Path, crystal: Crystal) -> None:
    """Raise Refusal when the POTCAR does not hold one whole section for each group of the POSCAR, in its order."""
    if not path.is_file():
        raise Refusal(" ERROR: no POTCAR found, STOPPING")
    *sections, rest = path.read_text().split("End of Dataset")
    if len(sections) != len(crystal.counts) or rest.strip():
        raise Refusal(" ERROR: number of potentials on File POTCAR incompatible with number of species")
    for section, symbol in zip(sections, crystal.symbols, strict=True):
        titel = TITEL.search(section)
        if titel is None or "END of PSCTR-controll parameters" not in section:
            raise Refusal(" ERROR: a section of POTCAR could not be read")
        if titel[1] != symbol:
            raise Refusal(
                " ERROR: the type information on POSCAR and POTCAR are incompatible\n"
                f" POTCAR: {titel[1]} POSCAR: {symbol}"
            )


def read_kpoints(path: Path, cell_vc: np.ndarray, spacing: float) -> np.ndarray:
    """Return the k-points (k, 3) in reciprocal coordinates: of the file, or by KSPACING when there is none."""
    if not path.is_file():
        lengths_v = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell_vc), axis=0)
        return mesh(np.maximum(1, np.ceil(lengths_v / spacing)).astype(int), np.zeros(3))
    lines = path.read_text().splitlines()
    try:
        count, style = int(lines[1].split()[0]), lines[2].strip()[:1]
        if count > 0:
            return np.array([line.split()[:3] for line in lines[3 : 3 + count]], dtype=float).reshape(count, 3)
        divisions_v = np.array(lines[3].split()[:3], dtype=int).reshape(3)
        shift_v = np.array((lines[4:5] or ["0 0 0"])[0].split()[:3], dtype=float).reshape(3)
    except (ValueError, IndexError):
        raise Refusal(" Error reading KPOINTS file") from None
    if style not in "GgMm" or divisions_v.min() < 1:
        raise Refusal(" Error reading KPOINTS file")
    return mesh(divisions_v, shift_v + (0.5 * (1 - divisions_v % 2) if style in "Mm" else 0.0))


def mesh(divisions_v: np.ndarray, shift_v: np.ndarray) -> np.ndarray:
    """Return every point of a regular mesh; no symmetry is used (ISYM 0)."""
    return (np.indices(tuple(divisions_v)).reshape(3, -1).T + shift_v) / divisions_v
