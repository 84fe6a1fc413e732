"""OSZICAR, to the column."""

import numpy as np

from vasp_standin.fortran import exponent, fixed
from vasp_standin.run import Run

M_OVER_MW = 1.45  # moment in the sphere over the weighted moment of the constraint
TITLE = "       N       E                     dE             d eps       ncg     rms          rms(c)\n"


def oszicar_text(run: Run) -> str:
    """Return the file: one block an electronic step, the line of the ionic step, the table of the constraint."""
    blocks = [moments_block(run) + step_line(run, k) for k in range(len(run.free_energies_k))]
    return TITLE + "".join(blocks) + ionic_line(run) + "\n" + penalty_line(run) + field_table(run)


def penalty_line(run: Run) -> str:
    """Return E_p and lambda."""
    return f" E_p ={exponent(run.penalty, 13, 5)}  lambda ={exponent(run.constraint.lambda_, 11, 3)}\n"


def moments_block(run: Run) -> str:
    """Return what stands before the line of an electronic step."""
    rows = "".join(
        f"{atom:3d}{triple(mw_c)}  {triple(M_OVER_MW * mw_c)}\n" for atom, mw_c in enumerate(run.moments_ac, start=1)
    )
    return (
        f"\n{penalty_line(run)}<lVp>={exponent(2 * run.penalty, 13, 5)}\n DBL ={exponent(-run.penalty, 13, 5)}\n"
        f" ion        MW_int                 M_int\n{rows}"
    )


def triple(vector_c: np.ndarray) -> str:
    """Return three numbers of seven columns."""
    return "".join(fixed(value, 7, 3) for value in vector_c)


def step_line(run: Run, k: int) -> str:
    """Return the line of one electronic step."""
    energy = run.free_energies_k[k]
    change = energy - (run.free_energies_k[k - 1] if k else 0.0)
    density = exponent(0.8 * abs(change) ** 0.5, 13, 3) if k > 3 else ""
    return (
        f"DAV: {k + 1:3d}{exponent(energy, 23, 12)}{exponent(change, 15, 5)}{exponent(0.9 * change, 15, 5)}"
        f"{1000 + 7 * k:6d}{exponent(abs(change) ** 0.5, 12, 3)}{density}\n"
    )


def ionic_line(run: Run) -> str:
    """Return the line of the ionic step."""
    total_c = M_OVER_MW * run.moments_ac.sum(axis=0)
    magnetisation = "".join(fixed(value, 11, 4) for value in total_c)
    extrapolated = run.free_energy + run.evaluation.entropy / 2
    return (
        f"   1 F= {exponent(run.free_energy, 14, 8)} E0= {exponent(extrapolated, 14, 8)}"
        f"  d E ={exponent(run.evaluation.entropy, 12, 6)}  mag={magnetisation}\n"
    )


def field_table(run: Run) -> str:
    """Return the table lambda*MW_perp; an ion that is not held is not in it."""
    field_ac = run.constraint.printed_field(run.moments_ac)
    rows = [
        f"{atom:3d}" + "".join(exponent(value, 14, 5) for value in field_c) + "\n"
        for atom, (field_c, is_held) in enumerate(zip(field_ac, run.constraint.is_held_a, strict=True), start=1)
        if is_held
    ]
    return " ion             lambda*MW_perp\n" + "".join(rows)
