"""EMBSET files of Magesty.jl: energies, moment vectors and fields on one lattice, which is in a separate file.

A block has one line with the energy in eV, then a line for every atom: its number from 1, three components of the
moment in μB, three of the field in eV/μB.  Empty lines and lines that begin with `#` are skipped; a comment precedes
every block.  The field is interpreted as -∂E/∂m.  Source: `read_embset` and the fixtures of Magesty.jl.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.errors import InputError, locate_errors, reading
from soso_core.formats.atomic_write import write_file
from soso_core.formats.deepmd import split_moments
from soso_core.formats.extxyz import parse_number
from soso_core.labels import LabelledConfiguration

HEADING = "energy (eV); atom, moment (Bohr magnetons), field -dE/dm (eV per Bohr magneton)"
SAME_PLACE = 1e-6
"""Å; files carry 6 to 9 decimals."""


def read_embset(path: Path | str, structure: Configuration) -> Dataset:
    """Read labels from a file; `structure` gives lattice and elements, its atoms in the order of the file.

    An atom with zero moment is not magnetic.  Raises InputError that names the line.
    """
    file = Path(path)
    lines = _lines(file)
    size = len(structure) + 1
    if not lines:
        raise InputError(f"{file} is empty")
    items: list[LabelledConfiguration] = []
    for start in range(0, len(lines), size):
        block = lines[start : start + size]
        where = f"{file}, line {block[0][0]} (configuration {len(items)})"
        energy = _energy(where, block[0][1], len(structure))
        if len(block) < size:
            raise InputError(f"{file} is truncated: configuration {len(items)} lacks {size - len(block)} lines")
        rows = np.array([_row(f"{file}, line {number}", words, a + 1) for a, (number, words) in enumerate(block[1:])])
        with locate_errors(where):
            spins_ac, magnitudes_a = split_moments(rows[:, :3])
            items.append(LabelledConfiguration(structure.with_spins(spins_ac), energy, rows[:, 3:], magnitudes_a))
    return Dataset(tuple(items))


def write_embset(path: Path | str, dataset: Iterable[LabelledConfiguration]) -> None:
    """Write a file atomically, with all digits.

    Raises InputError for a configuration without energy, moments or fields, or on another lattice than the first.
    """
    items = list(dataset)
    write_file(path, "".join(_block(k, item, items[0].configuration) for k, item in enumerate(items)))


def check_same_lattice(one: Configuration, other: Configuration) -> None:
    """Raise InputError unless atoms, positions and cell are the same within 1e-6 Å."""
    if not np.array_equal(one.numbers_a, other.numbers_a):
        raise InputError("the atoms differ; an EMBSET file has one lattice")
    for a, b in ((one.cell_vc, other.cell_vc), (one.positions_ac, other.positions_ac)):
        difference = float(np.max(np.abs(a - b)))
        if difference > SAME_PLACE:
            raise InputError(f"cell or positions differ by {difference:.3g} Å; an EMBSET file has one lattice")


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """Return number and words of every line that is neither empty nor a comment."""
    with reading(file):
        text = file.read_text(encoding="utf8")
    numbered = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, words) for number, words in numbered if words and not words[0].startswith("#")]


def _energy(where: str, words: list[str], n_atoms: int) -> float:
    if len(words) != 1:
        raise InputError(
            f"{where}: expected an energy, found {len(words)} words; is a structure of {n_atoms} atoms the right one?"
        )
    return parse_number(words[0], where)


def _row(where: str, words: list[str], atom: int) -> list[float]:
    if len(words) != 7:
        raise InputError(f"{where}: {len(words)} words, expected 7: atom, moment (3), field (3)")
    if words[0] != str(atom):
        raise InputError(f"{where}: atom {words[0][:20]!r}, expected {atom}")
    return [parse_number(word, where) for word in words[1:]]


def _block(k: int, item: LabelledConfiguration, first: Configuration) -> str:
    if item.energy is None or item.moment_magnitudes_a is None or item.exchange_fields_ac is None:
        raise InputError(f"configuration {k}: an EMBSET file needs energy, moments and exchange_fields")
    with locate_errors(f"configuration {k}"):
        check_same_lattice(item.configuration, first)
    moments_ac = item.configuration.spins_ac * item.moment_magnitudes_a[:, None]
    rows = np.hstack([moments_ac, item.exchange_fields_ac]).tolist()
    lines = [f"{a:5d} " + " ".join(f"{value: .16e}" for value in row) for a, row in enumerate(rows, 1)]
    return "\n".join([f"# {k + 1}, {HEADING}", f"{item.energy:.17g}", *lines]) + "\n"
