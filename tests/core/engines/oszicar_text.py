"""Write OSZICAR files as VASP's Fortran does, for tests of the reader."""

import os
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("SOSO_SHARED_DATA", ROOT.parent / "shared" / "data"))
"""Published files that are no part of the project."""


def fortran_e(value, width=14, decimals=5):
    """Format as E14.5: mantissa below 1, and no letter E once the exponent has three digits."""
    if value == 0.0:
        return f"{'-' if np.signbit(value) else ''}0.{'0' * decimals}E+00".rjust(width)
    mantissa, exponent = f"{abs(value):.{decimals - 1}E}".split("E")
    digits, power = mantissa.replace(".", ""), int(exponent) + 1
    tail = f"E{power:+03d}" if abs(power) < 100 else f"{power:+04d}"
    return (("-" if value < 0 else "") + "0." + digits + tail).rjust(width)


def moments_block(step):
    """Return the output of one step of the self-consistency."""
    rows = [
        f"{ion:3d}" + "".join(f"{x:7.3f}" for x in mw) + "  " + "".join(f"{x:7.3f}" for x in m)
        for ion, (mw, m) in enumerate(zip(step["mw"], step["m"], strict=True), 1)
    ]
    head = [
        penalty_line(step),
        "<lVp>=  0.00000E+00",
        " DBL =  0.00000E+00",
        " ion        MW_int                 M_int",
    ]
    return ["", *head, *rows, "DAV:   1    -0.367150642421E+02    0.69702E-05   -0.20063E-05  9968   0.558E-02"]


def penalty_line(step):
    return f" E_p ={fortran_e(step['penalty'], 13)}  lambda ={fortran_e(step['lambda'], 11, 3)}"


def ionic_step(number, step, width=14):
    """Return one ionic step; ions whose field is None are left out of the last table."""
    fields = [(ion, field) for ion, field in enumerate(step["fields"], 1) if field is not None]
    rows = [f"{ion:3d}" + "".join(fortran_e(x, width) for x in field) for ion, field in fields]
    energies = f"{number:4d} F= -.36715064E+02 E0= -.36715794E+02  d E =0.218952E-02  mag=     0.0003     0.0005"
    tail = ["", penalty_line(step), " ion             lambda*MW_perp", *rows]
    return [*moments_block(step), *moments_block(step), energies, *tail]


def oszicar(steps, width=14):
    """Return the whole file; 12 columns a number make them touch."""
    head = "       N       E                     dE             d eps       ncg     rms          rms(c)"
    return "\n".join([head, *(line for k, step in enumerate(steps, 1) for line in ionic_step(k, step, width))]) + "\n"
