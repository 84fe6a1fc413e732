"""INCAR of one step of the ramp.  Keys are lower case.  Source: VASP's manual."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.moments import start_magnitudes
from soso_core.engines.vasp.order import vasp_order
from soso_core.engines.vasp.settings import SpeciesSettings, VaspSettings
from soso_core.errors import InputError

ISMEAR: Mapping[str, int] = {"fermi": -1, "gaussian": 0, "methfessel-paxton": 1}
DECIMALS = 8
"""Of directions and moments; VASP prints three decimals of a moment."""


def incar(
    configuration: Configuration,
    settings: VaspSettings,
    species: SpeciesSettings,
    lambda_: float,
    is_restart: bool,
    magnitudes_a: FloatArray | None = None,
) -> dict[str, Any]:
    """Return the tags for a configuration in VASP's order, constrained with strength `lambda_` (eV/μB²).

    `magnitudes_a` (a,), μB, are |MW_int| as a model predicts them: moments start from magnitudes in their proportion,
    with the mean that `species` gives each element; without them all atoms of an element start from the same one.
    An atom without spin starts from zero and is not constrained.

    Raises InputError when atoms are not grouped, or a value of an element is missing.
    """
    order = vasp_order(configuration.symbols)
    if np.any(order.ours_a != np.arange(len(configuration))):
        raise InputError("atoms of the same element are not adjacent; order them with arrange_for_vasp")
    check_species(configuration.symbols, configuration.is_magnetic_a.tolist(), species)
    starts_a = scale_start_magnitudes(configuration, species, magnitudes_a)
    targets_a = starts_a if magnitudes_a is None else np.asarray(magnitudes_a)
    moments_ac = configuration.spins_ac * starts_a[:, None]
    targets_ac = configuration.spins_ac * (targets_a[:, None] if settings.constraint_kind == 2 else 1.0)
    return {
        **_electronic(settings, len(configuration)),
        **_mixing(settings, is_restart),
        "lnoncollinear": True,
        "magmom": _flat(moments_ac),
        "i_constrained_m": settings.constraint_kind,
        "m_constr": _flat(targets_ac),
        "lambda": lambda_,
        "rwigs": [species.rwigs_angstrom[symbol] for symbol in order.species],
        "isym": 0,  # a symmetry of the lattice is not one of the moments
        "istart": 0,
        "icharg": 1 if is_restart else 2,
        "lcharg": True,  # for the next run; orbitals are large and are not kept
        "lwave": False,
        **settings.extra_incar,
    }


def make_ferromagnet(atoms: Atoms, species: SpeciesSettings) -> Configuration:
    """Return a cell in which every element with an initial moment has a spin along z."""
    has_spin_a = np.isin(atoms.get_chemical_symbols(), list(species.initial_moments_muB))
    spins_ac = np.where(has_spin_a[:, None], [0.0, 0.0, 1.0], 0.0)
    return Configuration(atoms.numbers, atoms.positions, atoms.cell.array, spins_ac)


def check_species(symbols: tuple[str, ...], has_spin: list[bool], species: SpeciesSettings) -> None:
    """Raise InputError when an element has no radius, or an element with a spin no moment."""
    for symbol in dict.fromkeys(symbols):
        if symbol not in species.rwigs_angstrom:
            raise InputError(f"rwigs_angstrom has no {symbol}; give the RWIGS of its POTCAR (the value in Å)")
    for symbol in dict.fromkeys(s for s, has in zip(symbols, has_spin, strict=True) if has):
        if symbol not in species.initial_moments_muB:
            raise InputError(f"initial_moments_muB has no {symbol}, which carries a spin")


def scale_start_magnitudes(
    configuration: Configuration, species: SpeciesSettings, magnitudes_a: FloatArray | None = None
) -> FloatArray:
    """Return the (a,) moment magnitudes in μB at the start; zero without a spin.

    |MW_int| is smaller than the moment of an atom by a factor that depends on RWIGS, so only proportions are used.
    """
    starts_a = start_magnitudes(configuration, species.initial_moments_muB)
    if magnitudes_a is None:
        return starts_a
    for symbol in set(configuration.symbols):
        alike_a = configuration.is_magnetic_a & np.isin(configuration.symbols, symbol)
        if alike_a.any():
            starts_a[alike_a] *= magnitudes_a[alike_a] / np.mean(magnitudes_a[alike_a])
    return starts_a


def _electronic(settings: VaspSettings, n_atoms: int) -> dict[str, Any]:
    return {
        "encut": settings.cutoff_ev,
        "prec": settings.precision.capitalize(),
        "ismear": ISMEAR[settings.smearing_method],
        "sigma": settings.smearing_ev,
        "ediff": float(f"{settings.energy_tolerance_ev_per_atom * n_atoms:.3g}"),
        "nelmin": settings.min_scf_steps,
        "nelm": settings.max_scf_steps,
        "algo": settings.algorithm.capitalize(),
        "lasph": True,  # the gradient of the density within the spheres is not spherical
        "lmaxmix": settings.lmaxmix,
        "lorbit": 11,
        "nsw": 0,
        "ibrion": -1,
        "isif": 2,
    }


def _mixing(settings: VaspSettings, is_restart: bool) -> dict[str, Any]:
    mixing = settings.mixing_restart if is_restart else settings.mixing_cold
    return {
        "amix": mixing.amix,
        "bmix": mixing.bmix_per_angstrom,
        "amix_mag": mixing.amix_mag,
        "bmix_mag": mixing.bmix_mag_per_angstrom,
    }


def _flat(vectors_ac: FloatArray) -> list[float]:
    return [float(value) + 0.0 for value in np.round(vectors_ac, DECIMALS).ravel()]
