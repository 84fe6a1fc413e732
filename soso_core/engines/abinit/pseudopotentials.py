"""The pseudopotential file of a species, and the data in its header."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ase.data import atomic_numbers

from soso_core.configuration import Configuration
from soso_core.engines.abinit.settings import AbinitSettings
from soso_core.errors import InputError, reading

PSP8 = 8
"""ABINIT's number of the format of optimised norm-conserving (ONCV) files."""

PBE_CODES = frozenset({11, -101130})
"""PBE in the header: ABINIT's own number, and the pair 101, 130 of libxc."""

PREFERRED = "Pseudodojo_nc_sr_04_pbe_standard"
"""Folder whose file is preferred when Debian has several for an element."""


@dataclass(frozen=True)
class Pseudopotential:
    """One file, checked: norm-conserving, PBE, of this element."""

    symbol: str
    path: Path
    n_electrons: int


def pseudopotentials_of(configuration: Configuration, settings: AbinitSettings) -> dict[str, Pseudopotential]:
    """Return the file of every species of a configuration.  Raises InputError as `find_pseudopotential` does."""
    return {symbol: find_pseudopotential(symbol, settings) for symbol in dict.fromkeys(configuration.symbols)}


def find_pseudopotential(symbol: str, settings: AbinitSettings) -> Pseudopotential:
    """Return the file that the settings name for a species, or the one in their folder.

    Raises InputError when there is none or more than one, or when the named file is not a norm-conserving PBE one.
    """
    if symbol in settings.pseudopotentials:
        return read_pseudopotential(symbol, settings.pseudopotentials[symbol])
    folder = settings.pseudopotential_folder
    found = []
    for path in sorted(folder.rglob("*.psp8")):
        with suppress(InputError):
            found.append(read_pseudopotential(symbol, path))
    preferred = [entry for entry in found if entry.path.parent.name == PREFERRED] or found
    if len(preferred) == 1:
        return preferred[0]
    if not found:
        raise InputError(
            f"no norm-conserving PBE pseudopotential (psp8) of {symbol} in {folder}; name one: "
            f"pseudopotentials: {{{symbol}: FILE}}"
        )
    names = ", ".join(str(entry.path) for entry in preferred)
    raise InputError(f"several pseudopotentials of {symbol}: {names}; name one: pseudopotentials: {{{symbol}: FILE}}")


def read_pseudopotential(symbol: str, path: Path) -> Pseudopotential:
    """Return a file named by the user, checked.  Raises InputError in one line."""
    first, element, kind = _header(path)
    if "<?xml" in first or "<psml" in first or "<paw" in first or _integers(kind)[:1] in ([7], [17]):
        raise InputError(f"{path}: PAW and PSML files give wrong fields in ABINIT; use a norm-conserving PBE psp8 file")
    numbers, codes = _integers(element), _integers(kind)
    if len(numbers) < 2 or len(codes) < 2 or codes[0] != PSP8:
        raise InputError(f"{path} is not a norm-conserving pseudopotential in the psp8 format")
    if codes[1] not in PBE_CODES:
        raise InputError(f"{path}: its functional has the number {codes[1]}; only PBE (11 or -101130) is supported")
    if numbers[0] != atomic_numbers[symbol]:
        raise InputError(f"{path}: a pseudopotential of the element with number {numbers[0]}, wanted for {symbol}")
    return Pseudopotential(symbol, path, numbers[1])


def _header(path: Path) -> tuple[str, str, str]:
    """Return the first three lines: title; atomic number and electrons; format and functional."""
    with reading(path), path.open(encoding="utf8", errors="replace") as handle:
        return handle.readline(), handle.readline(), handle.readline()


def _integers(line: str) -> list[int]:
    """Return the leading numbers of a line, rounded."""
    values: list[int] = []
    for word in line.split():
        try:
            values.append(round(float(word)))
        except (ValueError, OverflowError):
            break
    return values
