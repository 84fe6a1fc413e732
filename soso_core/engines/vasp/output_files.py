"""The output files of a run of VASP: whether they are complete, and how the run ended.

VASP writes as it goes, so a run that was killed leaves files that can be read in part.  A truncated
number is still a number, so that no file is used before its last line is present.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from soso_core.errors import InputError

OUTCAR_END = "timing and accounting informations"
"""Last section of OUTCAR, written when VASP ends by itself."""

VASPRUN_END = "</modeling>"

NOT_REACHED = "EDIFF was not reached"
"""Message of VASP 6 in OUTCAR when the steps were used up."""

N_BANDS = re.compile(r"NBANDS\s*=\s*(\d+)")


def outcar_is_whole(outcar: str) -> bool:
    """Return whether VASP ended by itself."""
    return OUTCAR_END in outcar


def vasprun_is_whole(vasprun: str) -> bool:
    """Return whether vasprun.xml is complete."""
    return vasprun.rstrip().endswith(VASPRUN_END)


def number_of_bands(outcar: str) -> int | None:
    """Return NBANDS as VASP used it, None when OUTCAR does not list it."""
    match = N_BANDS.search(outcar)
    return int(match[1]) if match else None


def check_labels(quantities: Mapping[str, Any], n_atoms: int) -> None:
    """Raise InputError when the numbers from vasprun.xml are not those of a cell with so many atoms.

    `quantities` has `total_energies` (a mapping to eV), `forces` (a, 3) in eV/Å and `stress` (3, 3) in kB.
    """
    for name, shape in (("forces", (n_atoms, 3)), ("stress", (3, 3))):
        values = np.asarray(quantities[name], dtype=float)
        if values.shape != shape or not np.all(np.isfinite(values)):
            raise InputError(f"vasprun.xml: {name} have shape {values.shape}, not {shape}, or are not finite")
    for name, energy in quantities["total_energies"].items():
        if not np.isfinite(energy):
            raise InputError(f"vasprun.xml: {name} is {energy}")


def incar_problems(incar: Mapping[str, Any], kinds: Sequence[str]) -> list[str]:
    """Return the errors of an INCAR with constrained moments, a line each; `kinds` is in the order of POSCAR.

    Keys are lower case.  A kind in two blocks counts as two species for RWIGS and POTCAR.
    """
    n_species = sum(k == 0 or kinds[k - 1] != kind for k, kind in enumerate(kinds))
    counts = {"magmom": 3 * len(kinds), "m_constr": 3 * len(kinds), "rwigs": n_species}
    found = {key: _count(incar.get(key)) for key in counts}
    problems = [f"{key.upper()} has {found[key]} numbers, not {n}" for key, n in counts.items() if found[key] != n]
    if n_species != len(set(kinds)):
        problems.append("the atoms of a kind are not next to each other")
    if not incar.get("lnoncollinear"):
        problems.append("LNONCOLLINEAR is not set")
    if incar.get("i_constrained_m") not in (1, 2, 4):
        problems.append(f"I_CONSTRAINED_M is {incar.get('i_constrained_m')}, not 1, 2 or 4")
    if not float(incar.get("lambda", 0.0)) > 0.0:
        problems.append("LAMBDA is not positive")
    return problems


def _count(value: Any) -> int:
    """Return how many numbers VASP reads from a value; a text like `48*0.0` repeats."""
    if value is None:
        return 0
    words = value.split() if isinstance(value, str) else np.atleast_1d(value).tolist()
    return sum(int(word.split("*")[0]) if isinstance(word, str) and "*" in word else 1 for word in words)
