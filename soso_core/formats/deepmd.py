"""Reader of DeePMD-kit 3 folders with spins (`deepspin`): `type.raw`, `type_map.raw`, `set.*/*.npy`.

One folder is one system: frames with the same atoms in the same order.  `spin` holds moment vectors in μB,
`force_mag` is -∂E/∂m in eV/μB, `virial` is minus the volume times the stress, in eV.
Source: "Spin data format in PyTorch/DP" and "System" of the DeePMD-kit manual, version 3.  The manual gives eV/Å
for `force_mag`; the code of its spin model differentiates by the vector in `spin.npy`, hence eV/μB.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.errors import InputError, first_line, locate_errors, reading
from soso_core.labels import LabelledConfiguration
from soso_core.voigt import symmetrise

WIDTHS = {"coord": 3, "spin": 3, "force": 3, "force_mag": 3}
"""Numbers per atom of the arrays per atom."""
FRAME_WIDTHS = {"box": 9, "energy": 1, "virial": 9}
"""Numbers per frame of the other arrays."""
REQUIRED = ("coord", "box", "spin")


def read_deepmd(path: Path | str) -> Dataset:
    """Read a system folder, or every system folder below `path` in the order of their names.

    Raises InputError, in one line that names the file, for missing or malformed files, open boundaries, missing spins
    and pickled arrays.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"cannot read {folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    systems = [folder] if (folder / "type.raw").exists() else sorted(p.parent for p in folder.rglob("type.raw"))
    if not systems:
        raise InputError(f"cannot read {folder}: it is no DeePMD-kit data: no type.raw in it or below it")
    return Dataset(tuple(item for system in systems for item in _read_system(system)))


def _read_system(folder: Path) -> Iterator[LabelledConfiguration]:
    if (folder / "nopbc").exists():
        raise InputError(f"{folder}: nopbc exists; only fully periodic cells are supported")
    numbers_a = _read_numbers(folder)
    sets = sorted(item for item in folder.glob("set.*") if item.is_dir())
    if not sets:
        raise InputError(f"{folder}: no folder set.*; only the npy form is supported")
    for item in sets:
        yield from _read_set(item, numbers_a)


def _read_numbers(folder: Path) -> IntArray:
    """Return the atomic numbers (a,) of a system."""
    types = _read_words(folder / "type.raw")
    names = _read_words(folder / "type_map.raw")
    if not all(word.isdecimal() and int(word) < len(names) for word in types):
        raise InputError(f"{folder / 'type.raw'}: not a list of numbers below {len(names)}")
    symbols = [names[int(word)] for word in types]
    unknown = sorted(set(symbols) - set(atomic_numbers))
    if unknown or not symbols:
        raise InputError(f"{folder}: " + (f"{unknown[0][:40]!r} is not an element" if unknown else "no atoms"))
    return np.array([atomic_numbers[symbol] for symbol in symbols], dtype=np.int64)


def _read_words(file: Path) -> list[str]:
    with reading(file):
        return file.read_text(encoding="utf8").split()


def _read_set(folder: Path, numbers_a: IntArray) -> Iterator[LabelledConfiguration]:
    if (folder / "real_atom_types.npy").exists():
        raise InputError(f"{folder}: mixed types (real_atom_types.npy) are not supported; convert to deepmd/npy")
    arrays = {}
    for name in (*WIDTHS, *FRAME_WIDTHS):
        file = folder / f"{name}.npy"
        if file.exists() or name in REQUIRED:
            arrays[name] = _load(file, WIDTHS.get(name, 0) * len(numbers_a) or FRAME_WIDTHS[name])
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"{folder}: files differ in their number of frames: {counts}")
    for k in range(counts["coord"]):
        with locate_errors(f"{folder}, frame {k}"):
            yield _build_label(numbers_a, {name: array[k] for name, array in arrays.items()})


def _load(file: Path, width: int) -> FloatArray:
    """Return (k, width) numbers, one row per frame."""
    with reading(file), file.open("rb") as handle:
        try:
            array = np.load(handle, allow_pickle=False)
        except Exception as error:  # NumPy's parser raises many classes; each means the same to a user
            raise InputError(f"cannot read {file}: {first_line(error)}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InputError(f"{file}: not an array of numbers")
    if array.ndim == 0 or array.size != len(array) * width:
        raise InputError(f"{file}: shape {array.shape}, expected {width} numbers per frame")
    return array.reshape(len(array), width).astype(np.float64)


def _build_label(numbers_a: IntArray, row: dict[str, FloatArray]) -> LabelledConfiguration:
    shape = (len(numbers_a), 3)
    spins_ac, moment_magnitudes_a = split_moments(row["spin"].reshape(shape))
    where = Configuration(numbers_a, row["coord"].reshape(shape), row["box"].reshape(3, 3), spins_ac)
    return LabelledConfiguration(
        where,
        energy=float(row["energy"][0]) if "energy" in row else None,
        exchange_fields_ac=row["force_mag"].reshape(shape) if "force_mag" in row else None,
        moment_magnitudes_a=moment_magnitudes_a,
        forces_ac=row["force"].reshape(shape) if "force" in row else None,
        stress_cc=symmetrise(-row["virial"].reshape(3, 3) / where.volume) if "virial" in row else None,
    )


def split_moments(moments_ac: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return unit spins (a, 3) and magnitudes (a,) in μB of moment vectors; a zero vector stays zero.

    Raises InputError for a vector that is not finite.
    """
    bad = np.flatnonzero(~np.all(np.isfinite(moments_ac), axis=1))
    if len(bad):
        raise InputError(f"moment of atom {bad[0]} is {tuple(moments_ac[bad[0]].tolist())}; it must be finite")
    magnitudes_a = np.linalg.norm(moments_ac, axis=1)
    return moments_ac / np.where(magnitudes_a == 0.0, 1.0, magnitudes_a)[:, None], magnitudes_a
