"""vasprun.xml: the parts that readers need, in VASP's layout."""

from itertools import starmap

import numpy as np

from vasp_standin.outcar import VERSION, stress_in_kilobar
from vasp_standin.run import Run
from vasp_standin.task import Task


def vasprun_text(task: Task, run: Run) -> str:
    """Return the file."""
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n <generator>\n'
        '  <i name="program" type="string">vasp </i>\n'
        f'  <i name="version" type="string">{VERSION} </i>\n'
        '  <i name="subversion" type="string">stand-in for tests, not VASP </i>\n </generator>\n'
        f"{kpoints(task)}{parameters(task)}{atoms(task)}{structure(task, 'initialpos')}"
        f"{calculation(task, run)}{structure(task, 'finalpos')}</modeling>\n"
    )


def varray(name: str, rows: np.ndarray, digits: int = 8) -> str:
    """Return a table of vectors."""
    text = "".join("   <v>" + "".join(f" {value:16.{digits}f}" for value in row) + " </v>\n" for row in rows)
    return f'  <varray name="{name}" >\n{text}  </varray>\n'


def kpoints(task: Task) -> str:
    """Return the points and their weights."""
    count = len(task.kpoints_kv)
    return (
        f" <kpoints>\n{varray('kpointlist', task.kpoints_kv)}"
        f"{varray('weights', np.full((count, 1), 1 / count))} </kpoints>\n"
    )


def parameters(task: Task) -> str:
    """Return the settings that are asked for."""
    values = {
        "NBANDS": task.nbands,
        "ISPIN": 1,
        "NELM": task.nelm,
        "NSW": 0,
        "IBRION": -1,
        "ISYM": task.incar.integer("ISYM", 0),
    }
    rows = "".join(f'   <i type="int" name="{name}">{value:6d}</i>\n' for name, value in values.items())
    ediff = task.incar.real("EDIFF", 1e-4)
    rows += f'   <i name="EDIFF">{ediff:16.8f}</i>\n   <i type="logical" name="LNONCOLLINEAR"> T  </i>\n'
    return f' <parameters>\n  <separator name="electronic" >\n{rows}  </separator>\n </parameters>\n'


def atoms(task: Task) -> str:
    """Return the atoms and their types."""
    types = [kind for kind, count in enumerate(task.crystal.counts, start=1) for _ in range(count)]
    rows = "".join(starmap(atom_row, zip(task.crystal.symbols_a, types, strict=True)))
    return (
        f" <atominfo>\n  <atoms>{len(types):8d} </atoms>\n  <types>{len(task.crystal.counts):8d} </types>\n"
        '  <array name="atoms" >\n   <dimension dim="1">ion</dimension>\n   <field type="string">element</field>\n'
        f'   <field type="int">atomtype</field>\n   <set>\n{rows}   </set>\n  </array>\n </atominfo>\n'
    )


def atom_row(symbol: str, kind: int) -> str:
    """Return one atom."""
    return f"    <rc><c>{symbol:2s}</c><c>{kind:4d}</c></rc>\n"


def structure(task: Task, name: str = "") -> str:
    """Return cell and positions."""
    attribute = f' name="{name}"' if name else ""
    return (
        f" <structure{attribute} >\n  <crystal>\n{varray('basis', task.crystal.cell_vc)}"
        f'   <i name="volume">{np.linalg.det(task.crystal.cell_vc):16.8f} </i>\n  </crystal>\n'
        f"{varray('positions', task.crystal.fractional_av)} </structure>\n"
    )


def calculation(task: Task, run: Run) -> str:
    """Return the one ionic step."""
    steps = "".join(
        f"  <scstep>\n{energies(energy, run.evaluation.entropy)}  </scstep>\n" for energy in run.free_energies_k
    )
    final = energies(run.free_energy, run.evaluation.entropy)
    return (
        f" <calculation>\n{steps}{structure(task)}{varray('forces', run.evaluation.forces_ac)}"
        f"{varray('stress', stress_in_kilobar(run))}{final} </calculation>\n"
    )


def energies(free: float, entropy: float) -> str:
    """Return free energy, energy without entropy, and the mean of both, which VASP extrapolates to."""
    values = {"e_fr_energy": free, "e_wo_entrp": free + entropy, "e_0_energy": free + entropy / 2}
    rows = "".join(f'    <i name="{name}">{value:16.8f} </i>\n' for name, value in values.items())
    return f"   <energy>\n{rows}   </energy>\n"
