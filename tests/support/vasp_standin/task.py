"""The input as a whole: read, checked, and what VASP would refuse refused."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vasp_standin.crystal import Crystal, check_potcar, read_kpoints, read_poscar
from vasp_standin.incar import Incar, read_incar
from vasp_standin.refusal import Refusal
from vasp_standin.restart import Density, read_density

NOT_MODELLED = " ERROR (stand-in): {} is not modelled here"


@dataclass(frozen=True)
class Task:
    """Everything one run needs."""

    incar: Incar
    crystal: Crystal
    kpoints_kv: np.ndarray
    magmoms_ac: np.ndarray
    targets_ac: np.ndarray  # unit vectors, zero where nothing is held
    rwigs_s: np.ndarray
    lambda_: float
    density: Density | None  # of the run this one continues

    @property
    def nelm(self) -> int:
        """Largest number of electronic steps."""
        return self.incar.integer("NELM", 60)

    @property
    def nbands(self) -> int:
        """Number of bands: NBANDS, or what VASP might choose."""
        return self.incar.integer("NBANDS", 12 * sum(self.crystal.counts))


def read_task(folder: Path) -> Task:
    """Return the task in a folder; raise Refusal when VASP would stop."""
    incar, crystal = read_incar(folder / "INCAR"), read_poscar(folder / "POSCAR")
    check_potcar(folder / "POTCAR", crystal)
    check_modelled(incar)
    n_atoms = sum(crystal.counts)
    return Task(
        incar=incar,
        crystal=crystal,
        kpoints_kv=read_kpoints(folder / "KPOINTS", crystal.cell_vc, incar.real("KSPACING", 0.5)),
        magmoms_ac=incar.numbers("MAGMOM", 3 * n_atoms).reshape(-1, 3),
        targets_ac=unit(incar.numbers("M_CONSTR", 3 * n_atoms).reshape(-1, 3)),
        rwigs_s=checked_rwigs(incar, len(crystal.counts)),
        lambda_=incar.real("LAMBDA", 0.0),
        density=starting_density(folder, incar, crystal),
    )


def check_modelled(incar: Incar) -> None:
    """Raise Refusal for what the stand-in cannot do, so that no test relies on it."""
    if not incar.logical("LNONCOLLINEAR", False) and not incar.logical("LSORBIT", False):
        raise Refusal(NOT_MODELLED.format("a collinear calculation (LNONCOLLINEAR = .FALSE.)"))
    if incar.integer("I_CONSTRAINED_M", 0) not in (1, 4):
        raise Refusal(NOT_MODELLED.format(f"I_CONSTRAINED_M = {incar.integer('I_CONSTRAINED_M', 0)}"))
    if incar.integer("ISYM", 2) > 0:
        raise Refusal(NOT_MODELLED.format("symmetry (ISYM above 0), which would symmetrise the moments,"))
    if incar.integer("NSW", 0) > 0:
        raise Refusal(NOT_MODELLED.format("ionic motion (NSW)"))


def checked_rwigs(incar: Incar, n_types: int) -> np.ndarray:
    """Return the radii in Å; raise Refusal unless there is a positive one for each type."""
    rwigs_s = incar.numbers("RWIGS", n_types)
    if (rwigs_s <= 0).any():
        raise Refusal(" ERROR: RWIGS must be positive for constrained moments")
    return rwigs_s


def starting_density(folder: Path, incar: Incar, crystal: Crystal) -> Density | None:
    """Return the density to continue from (ICHARG 1 or 11), or None; raise Refusal when it is not there or broken."""
    default = 0 if incar.integer("ISTART", 0) > 0 else 2
    icharg = incar.integer("ICHARG", default)
    if icharg in (1, 11):
        return read_density(folder / "CHGCAR", sum(crystal.counts))
    if icharg == 0:
        return read_density(folder / "WAVECAR", sum(crystal.counts))
    return None


def unit(vectors_ac: np.ndarray) -> np.ndarray:
    """Return the vectors with unit length, zero vectors left as they are."""
    lengths_a1 = np.linalg.norm(vectors_ac, axis=1, keepdims=True)
    return np.divide(vectors_ac, lengths_a1, out=np.zeros_like(vectors_ac), where=lengths_a1 > 1e-12)
