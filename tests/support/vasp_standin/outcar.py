"""OUTCAR: what readers of the file look for, in the words of VASP."""

import numpy as np

from vasp_standin.fortran import fixed
from vasp_standin.oszicar import M_OVER_MW
from vasp_standin.run import Run
from vasp_standin.task import Task

VERSION = "6.4.3"
BANNER = f" vasp.{VERSION} (stand-in for tests, not VASP) complex\n"
NOT_ACHIEVED = """ -----------------------------------------------------------------------------
|                                                                             |
|           W    W    AA    RRRRR   N    N  II  N    N   GGGG   !!!           |
|                                                                             |
|     The electronic self-consistency was not achieved in the given           |
|     number of steps (NELM). The forces and other quantities evaluated       |
|     might not be reliable so examine the results carefully.                 |
|                                                                             |
 -----------------------------------------------------------------------------
"""
EV_PER_CUBIC_ANGSTROM_IN_KILOBAR = 1602.1766
ORBITALS = ("s", "p", "d")


def header(task: Task) -> str:
    """Return what is written before the first electronic step."""
    n_kpoints = f"{len(task.kpoints_kv):6d}"
    return (
        f"{BANNER}\n running on    1 total cores\n"
        f"   k-points           NKPTS = {n_kpoints}   k-points in BZ     NKDIM = {n_kpoints}"
        f"   number of bands    NBANDS= {task.nbands:6d}\n"
        f"   number of dos      NEDOS =    301   number of ions     NIONS = {sum(task.crystal.counts):6d}\n"
        f"   NELM   = {task.nelm:6d};   NELMIN=  2; NELMDL= -5     # of ELM steps \n"
        "   NSW    =      0    number of steps for IOM\n"
        "   IBRION =     -1    ionic relax: 0-MD 1-quasi-New 2-CG\n"
        f"   ISYM   = {task.incar.integer('ISYM', 0):6d}    0-nonsym 1-usesym 2-fastsym\n\n"
    )


def iterations(run: Run, n_steps: int) -> str:
    """Return the first electronic steps."""
    return "".join(
        f"\n{'-' * 39} Iteration {1:6d}({k + 1:4d})  {'-' * 39}\n\n"
        f"  free energy    TOTEN  = {run.free_energies_k[k]:18.8f} eV\n"
        for k in range(n_steps)
    )


def ending(task: Task, run: Run, seconds: float) -> str:
    """Return everything after the last electronic step."""
    words = "because EDIFF is reached" if run.is_converged else "EDIFF was not reached (unconverged)"
    reached = f"\n{'-' * 24} aborting loop {words} {'-' * 40}\n\n"
    return reached + magnetisation(task, run) + energies(run) + stress(run) + forces(task, run) + timing(seconds)


def magnetisation(task: Task, run: Run) -> str:
    """Return the total, and with LORBIT the three tables of the spheres."""
    total_c = M_OVER_MW * run.moments_ac.sum(axis=0)
    electrons = 8.0 * sum(task.crystal.counts)
    text = (
        f" number of electron {electrons:15.7f} magnetization {''.join(fixed(value, 16, 7) for value in total_c)}\n\n"
    )
    if task.incar.integer("LORBIT", 0) < 10:
        return text
    return text + "".join(sphere_table(axis, M_OVER_MW * run.moments_ac[:, k]) for k, axis in enumerate("xyz"))


def sphere_table(axis: str, moment_magnitudes_a: np.ndarray) -> str:
    """Return one table of the magnetisation in the spheres, all of it in d."""
    head = "# of ion" + "".join(f"{name:>8s}" for name in (*ORBITALS, "tot"))
    rows = "".join(
        f"{atom:5d}    {0:8.3f}{0:8.3f}{m:8.3f}{m:8.3f}\n" for atom, m in enumerate(moment_magnitudes_a, start=1)
    )
    sums, line = f"{0:8.3f}{0:8.3f}{moment_magnitudes_a.sum():8.3f}{moment_magnitudes_a.sum():8.3f}", "-" * 42
    return f"\n magnetization ({axis})\n\n{head}\n{line}\n{rows}{line}\ntot      {sums}\n\n"


def energies(run: Run) -> str:
    """Return the block of energies."""
    without = run.free_energy + run.evaluation.entropy
    return (
        "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n  ---------------------------------------------------\n"
        f"  free  energy   TOTEN  = {run.free_energy:18.8f} eV\n\n"
        f"  energy  without entropy= {without:18.8f}  energy(sigma->0) = {(run.free_energy + without) / 2:18.8f}\n\n"
    )


def stress(run: Run) -> str:
    """Return the line `in kB`: xx yy zz xy yz zx, positive when compressed."""
    kilobar_cc = stress_in_kilobar(run)
    values = kilobar_cc[[0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0]]
    return "  in kB  " + "".join(fixed(value, 12, 5) for value in values) + "\n\n"


def stress_in_kilobar(run: Run) -> np.ndarray:
    """Return VASP's stress (3, 3): minus the derivative of the energy, in kB."""
    return -EV_PER_CUBIC_ANGSTROM_IN_KILOBAR * run.evaluation.stress_cc


def forces(task: Task, run: Run) -> str:
    """Return the table of positions and forces."""
    rows = np.hstack([task.crystal.positions_ac, run.evaluation.forces_ac])
    text = "".join(
        "".join(fixed(value, 13, 5) + ("  " if k == 2 else "") for k, value in enumerate(r)) + "\n" for r in rows
    )
    line = " " + "-" * 83
    return f" POSITION                                       TOTAL-FORCE (eV/Angst)\n{line}\n{text}{line}\n\n"


def timing(seconds: float) -> str:
    """Return the end of the file."""
    rows = [
        ("Total CPU time used (sec)", seconds),
        ("User time (sec)", seconds),
        ("System time (sec)", 0.0),
        ("Elapsed time (sec)", seconds),
        ("Maximum memory used (kb)", 60000.0),
        ("Average memory used (kb)", 0.0),
    ]
    text = "".join(f"{name:>44s}: {value:12.3f}\n" for name, value in rows)
    title = " General timing and accounting informations for this job:"
    return f"\n\n{title}\n {'=' * 56}\n\n{text}\n"
