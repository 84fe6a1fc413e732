"""The files of a finished run of VASP, as small as aiida-vasp's parser allows, around a given OSZICAR."""

from pathlib import Path

import numpy as np
from ase import Atoms

FREE_ENERGY, EXTRAPOLATED = -16.25, -16.2

SHARED = next(
    (path / "shared/data/vasp_oszicar" for path in Path(__file__).parents if (path / "shared/data").is_dir()), None
)
"""Real files, in a folder beside the project; None when there is none."""

OUTCAR = """ vasp.6.4.2 (stand-in for tests)
   NBANDS=     24
   NELM   =     {nelm};   NELMIN=  2; NELMDL= -5     # of ELM steps
   IBRION =     -1    ionic relax: 0-MD 1-quasi-New 2-CG
   NSW    =      0    number of steps for IOM
--------------------------------------- Iteration      1({steps:4d})  ---------------------------------------
{note}
 General timing and accounting informations for this job:
                  Total CPU time used (sec):       12.0
                         Elapsed time (sec):       13.0
"""

VASPRUN = """<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator><i name="program" type="string">vasp </i><i name="version" type="string">6.4.2  </i></generator>
 <kpoints><varray name="kpointlist"><v> 0.0 0.0 0.0 </v></varray><varray name="weights"><v> 1.0 </v></varray></kpoints>
 <parameters><separator name="electronic"><i type="int" name="NBANDS"> 24</i>
  <separator name="electronic convergence"><i type="int" name="NELM"> {nelm}</i></separator>
  <separator name="electronic spin"><i type="int" name="ISPIN"> 1</i></separator></separator>
  <separator name="ionic"><i type="int" name="NSW"> 0</i></separator></parameters>
 <atominfo><array name="atoms"><set>{species}</set></array></atominfo>
 <structure name="initialpos">{structure}</structure>
 <calculation>
  {scsteps}
  <structure>{structure}</structure>
  <varray name="forces">{forces}</varray>
  <varray name="stress">{stress}</varray>
  <energy>{energies}</energy>
 </calculation>
 <structure name="finalpos">{structure}</structure>
</modeling>
"""


def outcar(steps: int = 20, nelm: int = 60, note: str = " aborting loop because EDIFF is reached") -> str:
    """Return an OUTCAR that came to its end after so many electronic steps."""
    return OUTCAR.format(steps=steps, nelm=nelm, note=note)


def vasprun(atoms: Atoms, forces_ac: np.ndarray, steps: int = 20, nelm: int = 60) -> str:
    """Return a vasprun.xml with these forces and the energies above."""
    values = {"e_fr_energy": FREE_ENERGY, "e_wo_entrp": -16.15, "e_0_energy": EXTRAPOLATED}
    energies = "".join(f'<i name="{name}"> {value:.8f} </i>' for name, value in values.items())
    basis, points = _rows(atoms.cell.array), _rows(atoms.get_scaled_positions())
    return VASPRUN.format(
        nelm=nelm,
        species="".join(f"<rc><c>{symbol}</c><c> 1</c></rc>" for symbol in atoms.get_chemical_symbols()),
        structure=f'<crystal><varray name="basis">{basis}</varray></crystal><varray name="positions">{points}</varray>',
        scsteps=f"<scstep><energy>{energies}</energy></scstep>" * steps,
        forces=_rows(forces_ac),
        stress=_rows(10.0 * np.eye(3)),
        energies=energies,
    )


def contcar(atoms: Atoms) -> str:
    """Return a CONTCAR, kinds grouped."""
    symbols = list(dict.fromkeys(atoms.get_chemical_symbols()))
    counts = [atoms.get_chemical_symbols().count(symbol) for symbol in symbols]
    head = ["cell", "1.0", *_lines(atoms.cell.array), " ".join(symbols), " ".join(map(str, counts)), "Direct"]
    return "\n".join([*head, *_lines(atoms.get_scaled_positions())]) + "\n"


def oszicar(moments_ac: np.ndarray, constraint_fields_ac: np.ndarray, lambda_: float = 10.0, steps: int = 20) -> str:
    """Return an OSZICAR that converged to these moments (μB) and printed these fields."""
    penalty = f" E_p =  {_fortran(1e-6)}  lambda =  {_fortran(lambda_, 3)}\n"
    moments = "".join(f"{k:3d}{_fixed(m)}   {_fixed(1.4 * m)}\n" for k, m in enumerate(moments_ac, 1))
    fields = "".join(
        f"{k:3d}" + "".join(f"  {_fortran(x)}" for x in f) + "\n" for k, f in enumerate(constraint_fields_ac, 1)
    )
    cycle = "".join(
        f"\n{penalty}<lVp>=  0.00000E+00\n DBL =  0.00000E+00\n ion        MW_int                 M_int\n{moments}"
        f"DAV: {step:3d}    {_fortran(FREE_ENERGY, 12)}   {_fortran(-(10.0 ** (1 - step / 2)))}   -0.1E-06  99 0.1E-3\n"
        for step in range(1, steps + 1)
    )
    end = f"   1 F= {_fortran(FREE_ENERGY, 8)} E0= {_fortran(EXTRAPOLATED, 8)}  d E =-.1E-01  mag= 0.0 0.0 4.0\n\n"
    return f"       N       E\n{cycle}{end}{penalty} ion             lambda*MW_perp\n{fields}"


def _fortran(value: float, digits: int = 5) -> str:
    """Return a number as Fortran's E format prints it: no digit but 0 before the point."""
    if value == 0.0:
        return f"0.{'0' * digits}E+00"
    mantissa, exponent = f"{abs(value):.{digits - 1}E}".split("E")
    return f"{'-' if value < 0 else ''}0.{mantissa.replace('.', '')}E{int(exponent) + 1:+03d}"


def _fixed(values_c: np.ndarray) -> str:
    return "".join(f"{value:7.3f}" for value in values_c)


def _rows(values: np.ndarray) -> str:
    return "".join(f"<v> {line} </v>" for line in _lines(values))


def _lines(values: np.ndarray) -> list[str]:
    return [" ".join(f"{value:.8f}" for value in row) for row in values]
