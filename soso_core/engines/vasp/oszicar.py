"""The constraint tables of an OSZICAR file: energy of the penalty, moments, printed field.

Every step of the self-consistency prints `E_p`, `lambda` and a table `ion MW_int M_int`.  The line with `F=` ends an
ionic step; below it stand `E_p`, `lambda` and the table `ion lambda*MW_perp`, in which ions without constraint are left
out.  Sources: VASP's manual on I_CONSTRAINED_M, and files of VASP 6.6.

The file is written by Fortran: columns may touch, and an exponent of three digits loses its E (`0.12345-100`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.arrays import BoolArray, FloatArray, frozen_floats
from soso_core.errors import InputError

EXPONENTIAL = r"[-+]?\d?\.\d+(?:[EeDd][-+]\d{2}(?!\d)|[-+]\d{3}(?!\d)|[EeDd][-+]\d{3}(?![\d.]))"
FIXED = r"[-+]?\d+\.\d{3}(?!\d*[EeDd])"
IONIC_STEP = re.compile(r"\s*(\d+)\s+F\s*=")
PENALTY = re.compile(rf"\s*E_p\s*=\s*({EXPONENTIAL})\s+lambda\s*=\s*({EXPONENTIAL})\s*")
MOMENTS_HEADER = re.compile(r"\s*ion\s+MW_int\s+M_int\s*")
FIELDS_HEADER = re.compile(r"\s*ion\s+lambda\*MW_perp\s*")
MOMENTS_ROW = re.compile(rf"\s*({FIXED})" + rf"\s*({FIXED})" * 5 + r"\s*")
SCF_STEP = re.compile(rf"\s*[A-Za-z]{{2,5}}\s*:\s*(\d+)\s*{EXPONENTIAL}\s*({EXPONENTIAL})")
FIELDS_ROW = re.compile(rf"\s*(\d+)(?=[\s+-])\s*({EXPONENTIAL})\s*({EXPONENTIAL})\s*({EXPONENTIAL})\s*")

NO_MOMENT = 0.05
"""μB; by default, an absent ion at the end of a file with a larger moment means that the file is truncated."""


@dataclass(frozen=True)
class ScfTrace:
    """The last self-consistency cycle in OSZICAR: number of steps, and the last change of the energy in eV (signed)."""

    n_steps: int
    last_change: float


def read_scf(oszicar: str) -> ScfTrace:
    """Return the last self-consistency cycle in OSZICAR; without any, no steps and an infinite change."""
    steps = [match for match in map(SCF_STEP.match, oszicar.splitlines()) if match]
    return ScfTrace(int(steps[-1][1]), read_number(steps[-1][2])) if steps else ScfTrace(0, float("inf"))


@dataclass(frozen=True, eq=False)
class ConstraintTable:
    """The constraint at the end of one ionic step, atoms in VASP's order.

    `penalty_energy` is E_p in eV, part of VASP's energies; `lambda_` in eV/μB².  `moments_mw_ac` and `moments_m_ac`,
    (a, 3) in μB, are integrals over spheres with and without the weight of the constraint; they carry three decimals.
    `constraint_fields_ac`, (a, 3), is the table `lambda*MW_perp` as printed, zero for an ion it leaves out:
    the exchange field in eV/μB up to a factor that depends on VASP's version.  `is_constrained_a` marks the ions in
    it; `ionic_step` is its step of a relaxation, from 1.  `scf_change` is the last change of the energy in the
    self-consistency, eV; None when the file has none.
    """

    penalty_energy: float
    lambda_: float
    moments_mw_ac: FloatArray
    moments_m_ac: FloatArray
    constraint_fields_ac: FloatArray
    is_constrained_a: BoolArray
    ionic_step: int
    scf_change: float | None = None

    def __len__(self) -> int:
        return len(self.is_constrained_a)


def read_constraint(
    text: str, source: str = "OSZICAR", is_constrained_a: Sequence[bool] | BoolArray | None = None
) -> ConstraintTable:
    """Return the table of the last finished ionic step.

    `is_constrained_a` marks the ions with a constraint: the table must then list exactly those.  Without it, ions may
    be absent from the end of the last table of a file only when their moment is below NO_MOMENT.

    Raises InputError, in one line with `source`, when there is no finished step, when its tables are absent,
    truncated or malformed, or when they list other ions than expected.
    """
    lines = text.replace("\r\n", "\n").split("\n")[:-1]  # text after the last newline is a truncated line
    ends = [k for k, line in enumerate(lines) if IONIC_STEP.match(line)]
    if not ends:
        raise InputError(f"{source}: no finished ionic step (no line with F=)")
    start = ends[-2] if len(ends) > 1 else 0
    mw_ac, m_ac = _moments(lines[start : ends[-1]], source)
    penalty, strength, rows, is_cut = _fields(lines[ends[-1] + 1 :], source)
    constraint_fields_ac, is_listed_a = _place_rows(rows, len(mw_ac), source)
    if is_constrained_a is not None:
        _check_expected(is_listed_a, np.asarray(is_constrained_a, dtype=bool), source)
    elif is_cut:
        _check_tail(is_listed_a, mw_ac, source)
    match, trace = IONIC_STEP.match(lines[ends[-1]]), read_scf("\n".join(lines[start : ends[-1]]))
    is_listed_a.setflags(write=False)
    return ConstraintTable(
        penalty_energy=penalty,
        lambda_=strength,
        moments_mw_ac=frozen_floats("MW_int", mw_ac, mw_ac.shape),
        moments_m_ac=frozen_floats("M_int", m_ac, m_ac.shape),
        constraint_fields_ac=frozen_floats("lambda*MW_perp", constraint_fields_ac, constraint_fields_ac.shape),
        is_constrained_a=is_listed_a,
        ionic_step=int(match[1]) if match else 0,
        scf_change=abs(trace.last_change) if trace.n_steps else None,
    )


def _moments(lines: list[str], source: str) -> tuple[FloatArray, FloatArray]:
    """Return MW_int and M_int of the last step of the self-consistency."""
    heads = [k for k, line in enumerate(lines) if MOMENTS_HEADER.fullmatch(line)]
    if not heads:
        raise InputError(f"{source}: no table 'ion MW_int M_int' before the last F=; were the moments constrained?")
    rows: list[list[float]] = []
    for line in lines[heads[-1] + 1 :]:
        if _ends_table(line):
            break
        rows.append(_moments_row(line, len(rows) + 1, source))
    if not rows:
        raise InputError(f"{source}: the table 'ion MW_int M_int' is empty")
    table = np.array(rows)
    return table[:, :3], table[:, 3:]


def _moments_row(line: str, ion: int, source: str) -> list[float]:
    """Return the six numbers of a row; its ion is known, so that a number may touch it."""
    stripped = line.strip()
    found = MOMENTS_ROW.fullmatch(stripped.removeprefix(str(ion))) if stripped.startswith(str(ion)) else None
    if not found:
        raise InputError(f"{source}: not the row of ion {ion} in 'ion MW_int M_int': {stripped[:60]!r}")
    return [float(number) for number in found.groups()]


def _fields(lines: list[str], source: str) -> tuple[float, float, list[tuple[int, list[float]]], bool]:
    """Return E_p, lambda, the rows of the table below F=, and whether the file ends with it."""
    block = [line for line in lines[: _next_step(lines)] if line.strip()]
    penalty = PENALTY.fullmatch(block[0]) if block else None
    if penalty is None or len(block) < 2 or not FIELDS_HEADER.fullmatch(block[1]):
        raise InputError(
            f"{source}: no table 'ion lambda*MW_perp' after the last F=; "
            "the file is truncated or not from a constrained run"
        )
    rows = [_fields_row(line, source) for line in block[2:]]
    strength = read_number(penalty[2])
    if strength <= 0.0:
        raise InputError(f"{source}: lambda is {penalty[2]}; it must be positive")
    return read_number(penalty[1]), strength, rows, _next_step(lines) == len(lines)


def _next_step(lines: list[str]) -> int:
    """Return where the first table ends: at a line that is blank or begins with a letter, or with the file."""
    heads = [k for k, line in enumerate(lines) if FIELDS_HEADER.fullmatch(line)]
    after_table = range(heads[0] + 1, len(lines)) if heads else ()
    return next((k for k in after_table if _ends_table(lines[k])), len(lines))


def _ends_table(line: str) -> bool:
    return not line.strip() or line.lstrip()[0].isalpha()


def _fields_row(line: str, source: str) -> tuple[int, list[float]]:
    found = FIELDS_ROW.fullmatch(line)
    if not found:
        raise InputError(f"{source}: not a row of 'ion lambda*MW_perp': {line.strip()[:60]!r}")
    return int(found[1]), [read_number(word) for word in found.groups()[1:]]


def read_number(word: str) -> float:
    """Return the value of a Fortran number, whose exponent of three digits has no E."""
    return float(re.sub(r"(?<=\d)([-+]\d{3})$", r"E\1", word.upper().replace("D", "E")))


def _place_rows(rows: list[tuple[int, list[float]]], n_ions: int, source: str) -> tuple[FloatArray, BoolArray]:
    ions = [ion for ion, _ in rows]
    if ions != sorted(set(ions)) or (ions and not 1 <= ions[0] <= ions[-1] <= n_ions):
        raise InputError(f"{source}: ions {ions[:8]} in 'ion lambda*MW_perp' of a cell with {n_ions} ions")
    constraint_fields_ac, is_listed_a = np.zeros((n_ions, 3)), np.zeros(n_ions, dtype=bool)
    for ion, values in rows:
        constraint_fields_ac[ion - 1], is_listed_a[ion - 1] = values, True
    return constraint_fields_ac, is_listed_a


def _check_expected(is_listed_a: BoolArray, is_expected_a: BoolArray, source: str) -> None:
    if is_expected_a.shape != is_listed_a.shape:
        raise InputError(f"{source}: {len(is_listed_a)} ions, expected {len(is_expected_a)}")
    wrong = np.flatnonzero(is_listed_a != is_expected_a)
    if len(wrong):
        ion = int(wrong[0])
        problem = "is absent from" if is_expected_a[ion] else "has no constraint but is listed in"
        raise InputError(f"{source}: ion {ion + 1} {problem} 'ion lambda*MW_perp'")


def _check_tail(is_listed_a: BoolArray, mw_ac: FloatArray, source: str) -> None:
    """Raise InputError for a table at the end of a file that may be incomplete."""
    n_listed = int(np.flatnonzero(is_listed_a)[-1]) + 1 if is_listed_a.any() else 0
    magnitudes_a = np.linalg.norm(mw_ac[n_listed:], axis=1)
    if np.any(magnitudes_a > NO_MOMENT):
        ion = n_listed + 1 + int(np.argmax(magnitudes_a > NO_MOMENT))
        raise InputError(f"{source}: 'ion lambda*MW_perp' ends before ion {ion}, which has a moment: truncated file")
