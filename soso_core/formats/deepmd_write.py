"""Writer of DeePMD-kit 3 folders with spins, in the layout of soso_core.formats.deepmd.

Frames with the same atoms in the same order form a system.  A new `set.*` begins where the present labels change,
because a file of a set covers all its frames.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from soso_core.arrays import FloatArray
from soso_core.errors import InputError
from soso_core.formats.atomic_folder import atomic_folder
from soso_core.formats.deepmd import FRAME_WIDTHS, WIDTHS
from soso_core.labels import LabelledConfiguration

MARK = "soso.json"
"""Marks a folder written by soso; other folders are never overwritten."""
MARK_TEXT = json.dumps({"format": "soso-deepmd", "version": 1}) + "\n"
KNOWN_FILES = {MARK, "type.raw", "type_map.raw", *(f"{name}.npy" for name in (*WIDTHS, *FRAME_WIDTHS))}

Frames = Sequence[LabelledConfiguration]


def write_deepmd(path: Path | str, dataset: Iterable[LabelledConfiguration]) -> None:
    """Write a folder atomically: `path` itself for one system, folders below it for several.

    Arrays are float64 with all digits.  Frames keep their order within a system.  The format has no place for `info`
    and for the moment of an atom without a spin.  Raises InputError for spins without moment magnitudes, and when
    `path` exists and was not written by this function.
    """
    frames = list(dataset)
    for k, item in enumerate(frames):
        if item.moment_magnitudes_a is None and item.configuration.n_magnetic:
            raise InputError(f"configuration {k}: DeePMD-kit needs the column 'moments' (μB)")
    systems = _systems(frames)
    with atomic_folder(path, is_ours) as folder:
        (folder / MARK).write_text(MARK_TEXT, encoding="utf8")
        for name, members in systems.items():
            _write_system(folder / name if len(systems) > 1 else folder, members)


def is_ours(folder: Path) -> bool:
    """Return whether `write_deepmd` wrote a folder and it contains no other file."""
    try:
        marked = (folder / MARK).read_text(encoding="utf8") == MARK_TEXT
    except (OSError, UnicodeDecodeError):
        return False
    return marked and all(item.name in KNOWN_FILES for item in folder.rglob("*") if not item.is_dir())


def _systems(frames: Frames) -> dict[str, list[LabelledConfiguration]]:
    """Return frames by system, named by formula, in the order they first appear."""
    by_atoms: dict[tuple[int, ...], list[LabelledConfiguration]] = {}
    for item in frames:
        by_atoms.setdefault(tuple(item.configuration.numbers_a.tolist()), []).append(item)
    named: dict[str, list[LabelledConfiguration]] = {}
    for count, (numbers, members) in enumerate(by_atoms.items()):
        formula = Atoms(numbers=numbers).get_chemical_formula("metal")
        # The number keeps the order, and distinguishes systems with the same formula.
        named[f"{_pad_number(count, len(by_atoms))}_{formula}"] = members
    return named


def _write_system(folder: Path, frames: Frames) -> None:
    folder.mkdir(exist_ok=True)
    numbers_a = frames[0].configuration.numbers_a
    kinds = sorted(set(numbers_a.tolist()))
    _write_lines(folder / "type.raw", [str(kinds.index(number)) for number in numbers_a])
    _write_lines(folder / "type_map.raw", [chemical_symbols[number] for number in kinds])
    sets = [list(members) for _, members in groupby(frames, lambda item: [name for name, _ in _arrays(item)])]
    for count, members in enumerate(sets):
        target = folder / f"set.{_pad_number(count, len(sets))}"
        target.mkdir()
        rows = [dict(_arrays(item)) for item in members]
        for name in rows[0]:
            np.save(target / f"{name}.npy", np.stack([row[name].ravel() for row in rows]), allow_pickle=False)


def _pad_number(count: int, total: int) -> str:
    """Return a number with three digits, or as many as `total` needs, so that names sort by number."""
    return str(count).zfill(max(3, len(str(total - 1))))


def _write_lines(file: Path, lines: Sequence[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf8")


def _arrays(item: LabelledConfiguration) -> Iterator[tuple[str, FloatArray]]:
    """Yield the arrays of a frame with the names of their files."""
    where = item.configuration
    yield "coord", where.positions_ac
    yield "box", where.cell_vc
    magnitudes_a = np.zeros(len(where)) if item.moment_magnitudes_a is None else item.moment_magnitudes_a
    yield "spin", where.spins_ac * magnitudes_a[:, None]
    if item.energy is not None:
        yield "energy", np.array([item.energy])
    if item.exchange_fields_ac is not None:
        yield "force_mag", item.exchange_fields_ac
    if item.forces_ac is not None:
        yield "force", item.forces_ac
    if item.stress_cc is not None:
        yield "virial", -where.volume * item.stress_cc
