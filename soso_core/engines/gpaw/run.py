"""The interface to GPAW; no other module imports it."""

from importlib.util import find_spec
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import Ha

from soso_core.configuration import Configuration
from soso_core.engines.gpaw.attempts import Attempt
from soso_core.engines.gpaw.settings import GpawSettings
from soso_core.engines.gpaw.state import State
from soso_core.engines.k_mesh import mesh_counts
from soso_core.engines.moments import start_magnitudes
from soso_core.errors import ConvergenceError, InputError
from soso_core.formats.atoms import atoms_from_configuration

N_LAST_STEPS = 3
"""Steps that give the change of the energy, as in GPAW's own criterion."""

MISSING = "gpaw is not installed; install it with `make gpaw` (Debian), or as described in docs/topics/gpaw.md"


def check_installed() -> None:
    """Raise InputError with the command that installs GPAW when it is missing."""
    if find_spec("gpaw") is None:
        raise InputError(MISSING)


def valence_electrons(configuration: Configuration) -> int:
    """Return the number of valence electrons of all atoms.  Raises InputError for an element without set-up."""
    from gpaw.setup_data import SetupData

    count = 0
    for symbol in set(configuration.symbols):
        try:
            setup = SetupData(symbol, "LDA")
        except FileNotFoundError:
            raise InputError(f"gpaw has no LDA set-up of {symbol}") from None
        count += int(setup.Nv) * configuration.symbols.count(symbol)
    return count


def calculate(configuration: Configuration, attempt: Attempt, settings: GpawSettings) -> State:
    """Return the state at the end of one attempt.  Raises ConvergenceError when it does not converge."""
    import gpaw

    atoms = atoms_from_configuration(configuration)
    calculator = _calculator(configuration, attempt, settings)
    energies: list[float] = []
    calculator.hooks["scf_step"] = lambda context: energies.append(context.energies.total_free)
    atoms.calc = calculator
    try:
        _converge(atoms, calculator, attempt)
    except (gpaw.ConvergenceError, np.linalg.LinAlgError):
        raise ConvergenceError(f"no self-consistency after {len(energies)} steps") from None
    except ValueError as error:  # GPAW raises a plain ValueError for a diverged density
        if "NaN" not in str(error):
            raise
        raise ConvergenceError(f"the density diverged after {len(energies)} steps") from None
    return State(
        energy=float(calculator.get_potential_energy(atoms, force_consistent=True)),
        moments_ac=np.array(calculator.dft.density.calculate_magnetic_moments()[1]),
        forces_ac=np.array(calculator.get_forces(atoms)),
        energies_s=Ha * np.array(energies[-N_LAST_STEPS:]),
        iterations=len(energies),
    )


def _converge(atoms: Atoms, calculator: Any, attempt: Attempt) -> None:
    """Converge at each smearing in turn, from the density of the one before."""
    calculator.get_potential_energy(atoms, force_consistent=True)
    for smearing in attempt.smearings[1:]:
        calculator.dft.scf_loop.occ_calc.occ._width = smearing  # eV; the only way in GPAW that keeps the density
        calculator.dft.results.clear()
        calculator.get_potential_energy(atoms, force_consistent=True)


def _calculator(configuration: Configuration, attempt: Attempt, settings: GpawSettings) -> Any:
    from gpaw.new.ase_interface import GPAW
    from gpaw.new.constraints import SpinDirectionConstraint

    magnetic = np.flatnonzero(configuration.is_magnetic_a)
    magnitudes_a = start_magnitudes(configuration, attempt.start_magnitudes)
    mesh = mesh_counts(configuration.cell_vc, settings.k_spacing_per_angstrom, settings.k_mesh)
    band_share = 0.5 * (1.0 + 0.01 * settings.empty_bands_percent)  # GPAW's own percentage changes with the moment
    targets = {int(atom): configuration.spins_ac[atom] for atom in magnetic}
    return GPAW(
        mode={"name": "pw", "ecut": settings.cutoff_ev},
        xc="LDA",
        kpts={"size": mesh, "gamma": False},
        symmetry="off",  # k and -k differ for noncoplanar spins
        magmoms=magnitudes_a[:, None] * configuration.spins_ac,
        nbands=int(np.ceil(band_share * valence_electrons(configuration))),
        occupations={"name": "fermi-dirac", "width": attempt.smearings[0]},
        mixer=dict(attempt.mixer),
        maxiter=attempt.max_iterations,
        convergence={
            "energy": settings.energy_tolerance_ev_per_electron,
            "density": settings.density_tolerance,
            "eigenstates": settings.eigenstate_tolerance_ev2_per_electron,
        },
        extensions=[SpinDirectionConstraint(targets, attempt.penalty)],
        txt=None,
    )
