"""Numbers from ABINIT's main output: a pure function of its text.

A text without its last line is rejected.  "Calculation completed." proves nothing: ABINIT also prints it when
self-consistency failed.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from ase.units import Bohr, Hartree

from soso_core.arrays import FloatArray
from soso_core.errors import SosoError
from soso_core.voigt import symmetrise

END = re.compile(
    r"^ Calculation completed\.\n(?:.*\n)?\+Overall time at end \(sec\) : cpu=[ \d.]+ wall=[ \d.]+\n\Z", re.M
)
DATASET = re.compile(r"^== DATASET +\d+ ", re.M)
STEP = re.compile(r"^ ETOT *(\d+) *(\S+) +(\S+) +(\S+) +(\S+)(?: +\S+)*$", re.M)
CONVERGED = re.compile(r"^ At SCF step +(\d+) +vres2 += +(\S+) < tolvrs= +(\S+) =>converged\.$", re.M)
FAILED = re.compile(r"^ +nstep= *\d+ was not enough SCF cycles to converge", re.M)
YAML_ROW = re.compile(r"- \[(.*)\]$")
TOTAL = re.compile(r"^total_energy +: +(\S+)$", re.M)
MOMENTS = "Integrated electronic and magnetization densities in atomic spheres:"
GRADIENTS = "Gradient with respect to target (=torque)"
RULE = "-" * 69
THREE_DIGIT_EXPONENT = re.compile(r"(?<=\d)([+-]\d{3})$")
"""Fortran drops the E before an exponent of three digits."""

SAME_ENERGY_HARTREE = 1e-6
"""The last step and the summary print the same energy; they differ by less than their printed precision."""


class AbinitError(SosoError):
    """ABINIT crashed, or its output is not that of a finished run."""


@dataclass(frozen=True)
class AbinitOutput:
    """Numbers of one run, in ABINIT's order of atoms, which is that of its input.

    `energy` (eV) is the electronic free energy, without any energy of the constraint; forces (a, 3) in eV/Å and
    stress (3, 3) in eV/Å³, tension positive, are its derivatives.  `moments_ac` (a, 3) in μB are integrals over
    spheres.  `gradients_ac` (a, 3) in eV/μB is `+∂E/∂m`, zero when no moment was constrained.
    """

    is_converged: bool
    iterations: int
    residual: float
    energy: float
    energy_change: float
    moments_ac: FloatArray
    gradients_ac: FloatArray
    forces_ac: FloatArray
    stress_cc: FloatArray


def parse_output(text: str, n_atoms: int, is_constrained: bool = True) -> AbinitOutput:
    """Return the numbers of a complete main output; `is_constrained`: whether a moment was constrained.

    Raises AbinitError for a text that is truncated, lacks a part, contradicts itself, or holds another number of
    atoms.
    """
    if END.search(text) is None:
        raise AbinitError("ABINIT's output is incomplete: its last line is missing")
    if len(DATASET.findall(text)) != 1:
        raise AbinitError("ABINIT's output does not hold exactly one dataset")
    is_converged, iterations, residual = _convergence(text)
    last = STEP.findall(text)[-1]
    energy = _number(_only(TOTAL, text, "total energy"))
    if is_converged and abs(energy - _number(last[1])) > SAME_ENERGY_HARTREE:
        raise AbinitError(f"ABINIT's output contradicts itself: energies {last[1]} and {energy} Hartree")
    return AbinitOutput(
        is_converged=is_converged,
        iterations=iterations,
        residual=residual,
        energy=energy * Hartree,
        energy_change=abs(_number(last[2])) * Hartree,
        moments_ac=_sphere_table(text, MOMENTS, n_atoms),
        gradients_ac=_sphere_table(text, GRADIENTS, n_atoms) * Hartree if is_constrained else np.zeros((n_atoms, 3)),
        forces_ac=_yaml_rows(text, "cartesian_forces: # hartree/bohr", n_atoms) * (Hartree / Bohr),
        stress_cc=symmetrise(_yaml_rows(text, "cartesian_stress_tensor: # hartree/bohr^3", 3)) * (Hartree / Bohr**3),
    )


def last_step(text: str) -> int:
    """Return the number of self-consistency steps in a text that may be truncated; 0 when there is none."""
    return max((int(match[0]) for match in STEP.findall(text)), default=0)


def error_message(log: str) -> str:
    """Return ABINIT's own error in one line, from its log; empty when there is none."""
    match = re.search(r"^--- !(?:ERROR|BUG)\n(?:.*\n)*?message: \|\n((?:.*\n)*?)\.\.\.$", log, re.M)
    return " ".join(match[1].split()) if match else ""


def _convergence(text: str) -> tuple[bool, int, float]:
    """Return whether the run converged, its steps, and the last residual of the potential."""
    steps = STEP.findall(text)
    if not steps or [int(step[0]) for step in steps] != list(range(1, len(steps) + 1)):
        raise AbinitError("ABINIT's output lacks steps of the self-consistency")
    residual = _number(steps[-1][4])
    found = CONVERGED.findall(text)
    if not found or FAILED.search(text):
        return False, len(steps), residual
    step, reached, wanted = found[0]
    if len(found) != 1 or int(step) != len(steps) or not _number(reached) <= _number(wanted):
        raise AbinitError("ABINIT's output contradicts itself: its line of convergence is not that of its last step")
    return True, len(steps), residual


def _sphere_table(text: str, title: str, n_atoms: int) -> FloatArray:
    """Return (a, 3) the columns x, y, z of the only table with this title."""
    if text.count(title) != 1:
        raise AbinitError(f"ABINIT's output does not hold exactly one table '{title}'")
    parts = text.partition(title)[2].split(RULE, 2)
    is_whole = len(parts) == 3 and len(parts[0].splitlines()) == 2  # the rule follows the title directly
    rows = [line.split() for line in parts[1].splitlines()[3:-1]] if is_whole else []
    if [row[0] for row in rows if row] != [str(atom + 1) for atom in range(n_atoms)]:
        raise AbinitError(f"the table '{title}' in ABINIT's output does not hold {n_atoms} atoms")
    if any(len(row) < 6 for row in rows):
        raise AbinitError(f"a row of the table '{title}' in ABINIT's output is not complete")
    return np.array([[_number(word) for word in row[3:6]] for row in rows])


def _yaml_rows(text: str, key: str, n_rows: int) -> FloatArray:
    """Return (n_rows, 3) the numbers under a key of the summary of results."""
    _, _, rest = text.partition("--- !ResultsGS\n")
    summary, _, _ = rest.partition("\n...\n")
    _, _, block = summary.partition(f"\n{key}\n")
    matches = takewhile(bool, map(YAML_ROW.match, block.splitlines()))
    rows = [match[1].replace(",", " ").split() for match in matches if match]
    if summary.count(f"\n{key}\n") != 1 or len(rows) != n_rows or any(len(row) != 3 for row in rows):
        raise AbinitError(f"ABINIT's output does not hold '{key}' once, with {n_rows} rows")
    return np.array([[_number(word) for word in row] for row in rows])


def _only(pattern: re.Pattern[str], text: str, item: str) -> str:
    found = pattern.findall(text)
    if len(found) != 1:
        raise AbinitError(f"ABINIT's output does not hold exactly one {item}")
    return str(found[0])


def _number(word: str) -> float:
    with suppress(ValueError):
        value = float(THREE_DIGIT_EXPONENT.sub(r"E\1", word))
        if np.isfinite(value):
            return value
    raise AbinitError(f"ABINIT's output holds '{word}' where a number is due")
