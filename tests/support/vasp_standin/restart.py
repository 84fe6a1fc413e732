"""CHGCAR and WAVECAR: a density that remembers the moments and the λ it was made with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vasp_standin.crystal import Crystal
from vasp_standin.refusal import Refusal

GRID = 2  # points along each vector; small, as nothing reads them


@dataclass(frozen=True)
class Density:
    """Moments (a, 3) in μB and λ in eV/μB² of the run that wrote it."""

    moments_ac: np.ndarray
    lambda_: float


def write_density(path: Path, crystal: Crystal, density: Density) -> None:
    """Write a CHGCAR: the structure, four grids (charge and three magnetisations), the moments in the augmentation."""
    head = poscar_text(crystal, f"stand-in density, lambda = {density.lambda_:.6f}")
    grid = " ".join(["0.10000000000E+01"] * GRID**3)
    blocks = "".join(f"   {GRID}   {GRID}   {GRID}\n {grid}\n" for _ in range(4))
    rows = "".join(
        f"augmentation occupancies {atom:4d}   3\n" + " ".join(f"{value:.12E}" for value in moment_c) + "\n"
        for atom, moment_c in enumerate(density.moments_ac, start=1)
    )
    path.write_text(f"{head}\n{blocks}{rows}end of density\n")


def read_density(path: Path, n_atoms: int) -> Density:
    """Return what a CHGCAR holds; raise Refusal when it is absent, empty, cut or of another number of atoms."""
    lines = path.read_text().splitlines() if path.is_file() else []
    rows = [lines[k + 1] for k, line in enumerate(lines[:-1]) if line.startswith("augmentation occupancies")]
    if len(rows) != n_atoms or lines[-1] != "end of density":
        raise Refusal(f" ERROR: charge density could not be read from file {path.name} for ICHARG>10")
    lambda_ = float(lines[0].split("=")[1])
    return Density(np.array([row.split() for row in rows], dtype=float), lambda_)


def poscar_text(crystal: Crystal, title: str) -> str:
    """Return a POSCAR (or CONTCAR) in direct coordinates."""
    cell = "".join(" ".join(f"{value:22.16f}" for value in row_c) + "\n" for row_c in crystal.cell_vc)
    sites = "".join(" ".join(f"{value:20.16f}" for value in row_v) + "\n" for row_v in crystal.fractional_av)
    symbols = " ".join(f"{symbol:>4s}" for symbol in crystal.symbols)
    counts = " ".join(f"{count:5d}" for count in crystal.counts)
    return f"{title}\n   1.00000000000000\n{cell}{symbols}\n{counts}\nDirect\n{sites}"
