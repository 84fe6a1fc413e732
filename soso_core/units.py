"""Physical constants in eV, Å, fs, K, μB and tesla.

All of them derive from the CODATA values that `ase.units` uses, so that dynamics here and in ASE agree.
"""

from ase import units

K_B = float(units.kB)
"""Boltzmann constant, eV/K."""
HBAR = float(units._hbar / units._e) * 1e15
"""Reduced Planck constant, eV fs."""
ATOMIC_MASS = float(units.fs) ** -2
"""Atomic mass unit, eV fs²/Å²."""
FS = float(units.fs)
"""One femtosecond in ASE's unit of time, Å sqrt(u/eV)."""
