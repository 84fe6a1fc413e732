"""Changes to the INCAR of a run that did not converge, lost a moment, or was killed.

Every function takes an INCAR with lower-case keys and returns the keys to change.  None of the changes alters the
converged solution.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.engines.vasp.oszicar import ScfTrace

VASP_MIXING = {"amix": 0.4, "amix_mag": 1.6, "bmix": 1.0, "bmix_mag": 1.0}
"""VASP's defaults for magnetic systems."""

VASP_STEPS = 60
"""VASP's default of NELM."""

MOST_STEPS = 400
"""Largest NELM: a cycle that stagnates after so many steps does not profit from more of them."""

MIXING_FACTOR = 0.4
"""From VASP's 0.4 to 0.16, from the 0.05 of a ramp to 0.02: a clear step that keeps the cycle moving."""

LINEAR_BMIX = 0.0001
"""Kerker's parameter that makes the mixing linear (VASP's manual on mixing of magnetic systems)."""

USEFUL_CHANGE = 0.1
"""eV per atom; a cycle whose energy still changes by more has a worse density than its first one."""

FITTING_STEPS = 0.8
"""NELM of the next run over the steps before the wall time, so that VASP has time to write its files."""

LEAST_STEPS = 4
"""Smallest useful NELM, as each restart loses the history of the mixer."""

COLLAPSED_FRACTION = 0.1
"""A moment below this fraction of the requested magnitude has collapsed; its direction has no meaning."""

LARGER_START = 1.5
"""A moment that starts too large shrinks to its magnitude; one that starts too small can vanish."""


def weaker_mixing(incar: Mapping[str, Any]) -> dict[str, Any]:
    """Mix less of the new density, linearly, and allow for the steps that this costs."""
    changes: dict[str, Any] = {
        key: round(MIXING_FACTOR * float(incar.get(key) or VASP_MIXING[key]), 6) for key in ("amix", "amix_mag")
    }
    changes |= {key: min(LINEAR_BMIX, float(incar.get(key) or VASP_MIXING[key])) for key in ("bmix", "bmix_mag")}
    return {**changes, **_steps(incar, 1.5)}


def other_algorithm(incar: Mapping[str, Any]) -> dict[str, Any]:
    """Minimise the energy directly; after that, return to the blocked Davidson iteration."""
    return {"algo": "normal" if str(incar.get("algo", "normal")).lower() in ("all", "a") else "all"}


def more_steps(incar: Mapping[str, Any]) -> dict[str, Any]:
    """Allow twice the steps."""
    return _steps(incar, 2.0)


SCF_REMEDIES = (weaker_mixing, other_algorithm, more_steps)
"""In this order, each in addition to those before."""


def _steps(incar: Mapping[str, Any], factor: float) -> dict[str, int]:
    now = int(incar.get("nelm") or VASP_STEPS)
    return {"nelm": max(now, min(MOST_STEPS, round(factor * now)))}


def density_is_useful(trace: ScfTrace, n_atoms: int) -> bool:
    """Return whether the density of a cycle that did not converge is a better start than the previous one."""
    return abs(trace.last_change) < USEFUL_CHANGE * n_atoms


def fitting_steps(trace: ScfTrace) -> int | None:
    """Return the NELM with which a killed run would have ended in time, None when that is too small."""
    steps = int(FITTING_STEPS * trace.n_steps)
    return steps if steps >= LEAST_STEPS else None


def moment_remedy(incar: Mapping[str, Any], n_tries: int) -> dict[str, Any]:
    """Start again with weaker mixing; the second time with larger moments and the direct minimisation as well."""
    changes = weaker_mixing(incar)
    if n_tries == 0:
        return changes
    larger = (LARGER_START * numbers(incar["magmom"])).round(6).tolist()
    return {**changes, **other_algorithm(incar), "magmom": larger}


def lost_moments(incar: Mapping[str, Any], moments_ac: FloatArray) -> tuple[list[int], list[int]]:
    """Return the atoms, from 1, whose moment flipped, and those whose moment collapsed.

    Only atoms with a constraint count: those with a direction in `m_constr`.  `moments_ac` is MW_int, (a, 3), μB.
    """
    target_ac = vectors(incar["m_constr"])
    requested_a = np.linalg.norm(vectors(incar["magmom"]), axis=1)
    is_constrained_a = np.linalg.norm(target_ac, axis=1) > 0.0
    is_collapsed_a = np.linalg.norm(moments_ac, axis=1) < COLLAPSED_FRACTION * requested_a
    is_flipped_a = np.sum(target_ac * moments_ac, axis=1) < 0.0
    flipped = np.flatnonzero(is_constrained_a & is_flipped_a & ~is_collapsed_a) + 1
    return flipped.tolist(), (np.flatnonzero(is_constrained_a & is_collapsed_a) + 1).tolist()


def vectors(value: str | Sequence[float]) -> FloatArray:
    """Return 3N numbers of an INCAR as (a, 3)."""
    return numbers(value).reshape(-1, 3)


def numbers(value: str | Sequence[float]) -> FloatArray:
    """Return the numbers of an INCAR value, a list or a text in which `48*0.0` repeats."""
    if not isinstance(value, str):
        return np.asarray(value, dtype=float)
    parts = [word.split("*") if "*" in word else ("1", word) for word in value.split()]
    return np.array([float(number) for count, number in parts for _ in range(int(count))])
