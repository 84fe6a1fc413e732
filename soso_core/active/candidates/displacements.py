"""Atoms off their sites as a temperature has them: by the Debye model, or by dynamics with the present model's forces.

Symbols of the Debye model, per Cartesian component of an atom of mass m:

    u²  = (3ħ² T / m k θ²) (φ(x) + x/4)   mean square, x = θ/T; the last term is that of the zero point
    φ(x) = (1/x) ∫₀ˣ t/(eᵗ - 1) dt        so that u² → 3ħ² T / (m k θ²) when it is hot

B. T. M. Willis and A. W. Pryor, Thermal Vibrations in Crystallography (1975), chapter 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from types import MappingProxyType

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from scipy.special import spence

from soso_core.active.candidates.settings import GeneratorSettings
from soso_core.arrays import FloatArray
from soso_core.compiled.model import CompiledModel
from soso_core.configuration import Configuration
from soso_core.errors import InputError, SosoError
from soso_core.formats.atoms import atoms_from_configuration
from soso_core.gp.model.fitted import FittedModel
from soso_core.interfaces.ase import SosoCalculator
from soso_core.neighbours import find_neighbours
from soso_core.units import ATOMIC_MASS, FS, HBAR, K_B

HBAR2_OVER_K = HBAR**2 / (ATOMIC_MASS * K_B)
"""ħ² / (1 u · k_B) in Å² K."""

FARTHEST = 0.25
"""Share of the shortest distance that an atom may move in a dynamics; crystals melt at half of it.

Two atoms then stay half of that distance apart at least.
"""

DENSEST = 1.2
"""No packing has neighbours farther apart than 1.13 (volume per atom)^(1/3)."""


FREE: Mapping[str, bool] = MappingProxyType({"fixcm": False} if "fixcm" in signature(Langevin).parameters else {})
"""`fixcm=True` is deprecated in ASE, and the keyword will be removed."""


class LostDraw(SosoError):
    """A run of dynamics in which an atom left its site; the forces of the model are not accurate enough there."""


def force_model(model: FittedModel) -> CompiledModel:
    """Return the model compiled for dynamics.  Raises InputError when it was fitted to no forces."""
    if "force" not in model.hyperparameters.noise:
        raise InputError("generators: langevin moves atoms by the forces of the model, which was fitted to none")
    return CompiledModel.of(model)


def displace_atoms(
    configuration: Configuration,
    generator: GeneratorSettings,
    temperature_kelvin: float,
    rng: np.random.Generator,
    model: CompiledModel | None = None,
) -> tuple[Configuration, str]:
    """Return the configuration with its atoms displaced by the generator, spins unchanged, and a description.

    `model` is needed for Langevin dynamics alone.  Raises InputError for an element without training data, and
    LostDraw when a dynamics ended early: its last frame belongs to no temperature.
    """
    if generator.displacements == "gaussian":
        return configuration, ""
    if generator.displacements == "debye":
        assert generator.debye_kelvin is not None
        shift_ac = debye_displacements(configuration, temperature_kelvin, generator.debye_kelvin, rng)
        return _shift(configuration, shift_ac), f"Debye {temperature_kelvin:g} K"
    assert model is not None
    found = langevin(configuration, SosoCalculator(model), generator, temperature_kelvin, rng)
    if found.n_steps < generator.n_steps:
        raise LostDraw(f"an atom left its site after {found.n_steps} steps at {temperature_kelvin:g} K")
    return _shift(configuration, found.displacements_ac), f"Langevin {temperature_kelvin:g} K"


def debye_deviation(mass: float, temperature_kelvin: float, debye_kelvin: float) -> float:
    """Return the standard deviation (Å) of each coordinate of an atom of `mass` (u) in a Debye solid."""
    x = debye_kelvin / temperature_kelvin
    # ∫₀ˣ t/(eᵗ-1) dt = π²/6 + x ln(1-e⁻ˣ) - Li₂(e⁻ˣ), and spence(z) = Li₂(1-z)
    rest = -np.expm1(-x)
    integral = np.pi**2 / 6.0 + x * np.log(rest) - float(spence(rest))
    hot = 3.0 * HBAR2_OVER_K * temperature_kelvin / (mass * debye_kelvin**2)
    return float(np.sqrt(hot * (integral / x + x / 4.0)))


def debye_displacements(
    configuration: Configuration, temperature_kelvin: float, debye_kelvin: float, rng: np.random.Generator
) -> FloatArray:
    """Return displacements (a, 3), Å, each atom for itself, the centre of mass at rest.

    The mean square that remains for atom a is its Debye value times 1 - m_a / Σ m.  Raises InputError when atoms
    would not stay near their sites.
    """
    mass_a = atoms_from_configuration(configuration).get_masses()
    deviation = {mass: debye_deviation(mass, temperature_kelvin, debye_kelvin) for mass in np.unique(mass_a).tolist()}
    largest = max(deviation.values())
    if largest > FARTHEST * shortest_distance(configuration):
        reason = f"at {temperature_kelvin:g} K atoms would be {largest:.2g} Å off their sites"
        raise InputError(f"debye_kelvin is {debye_kelvin:g}: {reason}")
    deviation_a = np.array([deviation[mass] for mass in mass_a.tolist()])
    return _at_rest(deviation_a[:, None] * rng.standard_normal((len(configuration), 3)), mass_a)


@dataclass(frozen=True, eq=False)
class LangevinDraw:
    """Displacements (a, 3), Å, at the end of a dynamics, the centre of mass at rest, and after how many steps."""

    displacements_ac: FloatArray
    n_steps: int


def langevin(
    configuration: Configuration,
    calculator: Calculator,
    generator: GeneratorSettings,
    temperature_kelvin: float,
    rng: np.random.Generator,
) -> LangevinDraw:
    """Move the atoms by Langevin dynamics at fixed spins, from rest on their sites with thermal velocities.

    ASE's integrator (Vanden-Eijnden and Ciccotti, Chem. Phys. Lett. 429, 310 (2006)) with ASE's masses.  Ends at the
    last frame in which no atom, apart from the motion of all, is farther than FARTHEST of the shortest distance from
    where it began: a model may be wrong.  Raises InputError when the calculator refuses the start.
    """
    atoms = atoms_from_configuration(configuration)
    atoms.calc = calculator
    atoms.get_forces()
    thermal_a = np.sqrt(K_B * temperature_kelvin * atoms.get_masses())
    atoms.set_momenta(thermal_a[:, None] * rng.standard_normal((len(atoms), 3)))
    dynamics = Langevin(
        atoms,
        generator.timestep_fs * FS,
        temperature_K=temperature_kelvin,
        friction=generator.friction_per_fs / FS,
        rng=rng,
        **FREE,  # the energy does not depend on the centre of mass; its motion is subtracted at the end
    )
    farthest, last_ac = FARTHEST * shortest_distance(configuration), np.zeros((len(configuration), 3))
    for step in range(generator.n_steps):
        shift_ac = _after_a_step(dynamics, atoms, configuration)
        if shift_ac is None or not np.linalg.norm(shift_ac, axis=1).max() <= farthest:  # not: NaN compares false
            return LangevinDraw(last_ac, step)
        last_ac = shift_ac
    return LangevinDraw(last_ac, generator.n_steps)


def shortest_distance(configuration: Configuration) -> float:
    """Return the distance of the two atoms that are nearest, Å."""
    per_atom = configuration.volume / len(configuration)
    return float(find_neighbours(configuration, DENSEST * per_atom ** (1.0 / 3.0)).distances_p.min())


def _after_a_step(dynamics: Langevin, atoms: Atoms, start: Configuration) -> FloatArray | None:
    """Return how far the atoms are from the start after one more step; None when the model refuses the result."""
    try:
        dynamics.step()
    except InputError:
        return None
    return _at_rest(atoms.positions - start.positions_ac, atoms.get_masses())


def _at_rest(shift_ac: FloatArray, mass_a: FloatArray) -> FloatArray:
    """Return displacements (a, 3) without that of the centre of mass."""
    return np.asarray(shift_ac - mass_a @ shift_ac / mass_a.sum())


def _shift(configuration: Configuration, shift_ac: FloatArray) -> Configuration:
    where_ac = configuration.positions_ac + shift_ac
    return Configuration(configuration.numbers_a, where_ac, configuration.cell_vc, configuration.spins_ac)
