"""The command: one run in the present folder."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from vasp_standin import outcar
from vasp_standin.environment import read_environment
from vasp_standin.faults import fault_of_call, run_key, uniform
from vasp_standin.oszicar import TITLE, ionic_line, oszicar_text, step_line
from vasp_standin.refusal import Refusal
from vasp_standin.restart import Density, poscar_text, write_density
from vasp_standin.run import Run, magnetic, perform
from vasp_standin.task import Task, read_task
from vasp_standin.vasprun import vasprun_text

FIRST_LINE = "THIS IS NOT VASP: a stand-in for tests of aiida-soso, its numbers mean nothing"
ZHEGV = " Error EDDDAV: Call to ZHEGV failed. Returncode =   7   1   8"
TABLE_HEAD = " ion             lambda*MW_perp\n"


def main(folder: Path) -> int:
    """Run in a folder and return the exit status of the shell."""
    print(f"{FIRST_LINE}\n running on    1 total cores\n{outcar.BANNER}", flush=True)
    environment = read_environment()
    try:
        task = read_task(folder)
    except Refusal as refusal:
        (folder / "OUTCAR").write_text(outcar.BANNER)
        print(f"{refusal}\n\n I REFUSE TO CONTINUE WITH THIS SICK JOB ... BYE!!! \n", flush=True)
        return 1
    key = run_key(task.crystal.cell_vc, task.crystal.fractional_av, task.targets_ac, np.array(task.lambda_))
    fault = fault_of_call(environment, key, task.lambda_)
    run = perform(task, environment, fault, victim(task, key))
    if fault in ("walltime", "zhegv"):
        return break_off(folder, task, run, fault)
    write_files(folder, task, run, time.process_time())
    damage(folder, fault, uniform(environment.seed, key, "cut"))
    print(standard_output(run, len(run.free_energies_k)) + ionic_line(run), flush=True)
    return 0


def standard_output(run: Run, n_steps: int) -> str:
    """Return what is printed of the electronic steps, and the warning when they did not do."""
    warning = "" if run.is_converged or n_steps < len(run.free_energies_k) else outcar.NOT_ACHIEVED
    return TITLE + "".join(step_line(run, k) for k in range(n_steps)) + warning


def victim(task: Task, key: str) -> int:
    """Return the atom that faults of the moments hit: a magnetic one, held if any is."""
    is_held_a = magnetic(task) & (np.linalg.norm(task.targets_ac, axis=1) > 0)
    candidates = np.flatnonzero(is_held_a if is_held_a.any() else np.ones_like(is_held_a))
    return int(candidates[int(uniform(key, "victim") * len(candidates))])


def write_files(folder: Path, task: Task, run: Run, seconds: float) -> None:
    """Write everything a whole run leaves."""
    steps = outcar.iterations(run, len(run.free_energies_k))
    (folder / "OUTCAR").write_text(outcar.header(task) + steps + outcar.ending(task, run, seconds))
    (folder / "OSZICAR").write_text(oszicar_text(run))
    (folder / "vasprun.xml").write_text(vasprun_text(task, run))
    (folder / "CONTCAR").write_text(poscar_text(task.crystal, "stand-in"))
    density = Density(run.moments_ac, task.lambda_)
    for name, tag in (("CHGCAR", "LCHARG"), ("WAVECAR", "LWAVE")):
        if task.incar.logical(tag, True):
            write_density(folder / name, task.crystal, density)


def break_off(folder: Path, task: Task, run: Run, fault: str) -> int:
    """Leave what a run leaves that ends in the middle of its electronic steps; a density it was given stays."""
    half = max(1, len(run.free_energies_k) // 2)
    (folder / "OUTCAR").write_text(outcar.header(task) + outcar.iterations(run, half))
    (folder / "OSZICAR").write_text(oszicar_text(run).split(step_line(run, half))[0])
    (folder / "vasprun.xml").write_text(vasprun_text(task, run).split(" <calculation>")[0] + " <calculation>\n")
    for name in ("CHGCAR", "WAVECAR", "CONTCAR"):
        (folder / name).touch()
    print(standard_output(run, half), flush=True)
    if fault == "zhegv":
        print(ZHEGV, flush=True)
        return 1
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("not reached")


def damage(folder: Path, fault: str, where: float) -> None:
    """Cut or remove a file; `where` in [0, 1) says how far into the part that is cut."""
    if fault == "vasprun":
        cut(folder / "vasprun.xml", where)
    if fault == "oszicar":
        cut(folder / "OSZICAR", where, after=TABLE_HEAD)
    if fault in ("no_oszicar", "outcar"):
        (folder / fault.removeprefix("no_").upper()).unlink()


def cut(path: Path, where: float, after: str = "") -> None:
    """Keep the beginning of a file, up to a place in what follows the text `after`; at least the last byte is lost."""
    text = path.read_text()
    first = text.rindex(after) + len(after) if after else 0
    path.write_text(text[: first + int(where * (len(text) - first))])


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
