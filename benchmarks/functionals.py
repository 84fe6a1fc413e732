"""Collinear bcc iron by GPAW in LDA and PBE: the numbers of the page on GPAW.  Some three minutes; needs `make gpaw`.

python benchmarks/functionals.py
"""

from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.build import bulk
from gpaw.new.ase_interface import GPAW

LATTICES = {"LDA": (2.70, 2.76, 2.82, 2.88), "PBE": (2.77, 2.82, 2.87, 2.92)}
LATTICE = 2.83
"""Å, where the two are compared with the same cell."""


class Result(NamedTuple):
    """Energy (eV), moments in the spheres and of the cell (μB)."""

    energy: float
    moment_magnitudes_a: np.ndarray
    moment: float


def calculate(atoms: Atoms, functional: str, points: int, start_a: list[float]) -> Result:
    """Return a collinear ground state."""
    atoms.set_initial_magnetic_moments(start_a)
    atoms.calc = GPAW(
        mode={"name": "pw", "ecut": 450},
        xc=functional,
        kpts={"size": (points,) * 3, "gamma": False},
        occupations={"name": "fermi-dirac", "width": 0.1},
        convergence={"energy": 1e-5},
        txt=None,
    )
    return Result(atoms.get_potential_energy(), atoms.get_magnetic_moments(), atoms.calc.get_magnetic_moment())


def minimum(lattices, energies):
    """Return lattice constant (Å) and bulk modulus (GPa) from a cubic through the energies of the primitive cell."""
    cubic = np.polynomial.Polynomial.fit(lattices, energies, 3)
    stationary = [x.real for x in cubic.deriv().roots() if abs(x.imag) < 1e-9 and cubic.deriv(2)(x.real) > 0.0]
    lattice = min(stationary, key=lambda x: abs(x - np.mean(lattices)))
    return lattice, cubic.deriv(2)(lattice) * 2.0 / (9.0 * lattice) * 160.2177


def main() -> None:
    """Print a line for each functional."""
    for functional, lattices in LATTICES.items():
        found = [calculate(bulk("Fe", "bcc", a=a), functional, 10, [2.3]) for a in lattices]
        lattice, modulus = minimum(lattices, [item.energy for item in found])
        moment = np.interp(lattice, lattices, [item.moment for item in found])
        print(f"{functional}: a = {lattice:.3f} Å, B = {modulus:.0f} GPa, {moment:.2f} μB an atom")
        pair = bulk("Fe", "bcc", a=LATTICE, cubic=True)
        same = calculate(pair.copy(), functional, 8, [2.3, 2.3])
        opposite = calculate(pair.copy(), functional, 8, [2.0, -2.0])
        print(
            f"  at {LATTICE} Å: spheres {same.moment_magnitudes_a[0]:.2f} μB,"
            f" antiferromagnet {opposite.moment_magnitudes_a[0]:.2f} μB"
        )
        print(f"  antiferromagnet minus ferromagnet {0.5 * (opposite.energy - same.energy):.3f} eV an atom")


if __name__ == "__main__":
    main()
