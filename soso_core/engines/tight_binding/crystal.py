"""The part of the Hamiltonian that the self-consistency does not change."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soso_core.arrays import FloatArray
from soso_core.configuration import Configuration
from soso_core.engines.checks import check_distances, check_species
from soso_core.engines.k_mesh import mesh_counts, mesh_points
from soso_core.engines.moments import start_magnitudes
from soso_core.engines.tight_binding.radial import TaperedPower
from soso_core.engines.tight_binding.settings import TightBindingSettings
from soso_core.engines.tight_binding.slater_koster import N_ORBITALS, hopping_blocks
from soso_core.neighbours import Neighbours, find_neighbours

ComplexArray = NDArray[np.complex128]

HOPPING_NAMES = ("dd_sigma_ev", "dd_pi_ev", "dd_delta_ev")


@dataclass(frozen=True, eq=False)
class Crystal:
    """Hoppings, repulsion and atomic parameters of one configuration.

    Attributes
    ----------
    electrons_a, onsite_a, penalty_a, initial_a : (a,) float
        Neutral d count; level and charge penalty (eV); initial moment (μB, zero for an atom without spin).
    stoner_a : (a,) float, eV; zero for an atom without spin, which has no exchange splitting
    points_kc : (k, 3) float, 1/Å
    hoppings_ph, slopes_ph : (p, 3) float, eV and eV/Å; V_σ, V_π, V_δ of every pair and their radial derivatives
    repulsion : float, eV
    repulsion_slopes_p : (p,) float, eV/Å; of half a pair, since each pair is listed twice
    """

    configuration: Configuration
    neighbours: Neighbours
    electrons_a: FloatArray
    onsite_a: FloatArray
    penalty_a: FloatArray
    stoner_a: FloatArray
    initial_a: FloatArray
    points_kc: FloatArray
    hoppings_ph: FloatArray
    slopes_ph: FloatArray
    repulsion: float
    repulsion_slopes_p: FloatArray


def build_crystal(configuration: Configuration, settings: TightBindingSettings) -> Crystal:
    """Return parameters and pairs.  Raises InputError for an unknown species, or atoms that are too close."""
    neighbours = find_neighbours_in_range(configuration, settings)
    hopping_a = np.stack([_parameter_a(configuration, settings, name) for name in HOPPING_NAMES], axis=1)
    repulsion_a = _parameter_a(configuration, settings, "repulsion_ev")
    hopping_value_p, hopping_slope_p = _radial(settings, settings.hopping_exponent)(neighbours.distances_p)
    repulsion_value_p, repulsion_slope_p = _radial(settings, settings.repulsion_exponent)(neighbours.distances_p)
    counts = mesh_counts(configuration.cell_vc, settings.k_spacing_per_angstrom, settings.k_mesh)
    hopping_ph = _pair_mean(hopping_a, neighbours)
    half_repulsion_p = 0.5 * _pair_mean(repulsion_a, neighbours)
    initial_moments = {symbol: item.initial_moment_muB for symbol, item in settings.species.items()}
    stoner_a = _parameter_a(configuration, settings, "stoner_ev")
    return Crystal(
        configuration=configuration,
        neighbours=neighbours,
        electrons_a=_parameter_a(configuration, settings, "electrons"),
        onsite_a=_parameter_a(configuration, settings, "onsite_ev"),
        penalty_a=_parameter_a(configuration, settings, "charge_penalty_ev"),
        stoner_a=np.where(configuration.is_magnetic_a, stoner_a, 0.0),
        initial_a=start_magnitudes(configuration, initial_moments),
        points_kc=mesh_points(configuration.cell_vc, counts, 0.5 if settings.k_shifted else 0.0),
        hoppings_ph=hopping_ph * hopping_value_p[:, None],
        slopes_ph=hopping_ph * hopping_slope_p[:, None],
        repulsion=float(np.sum(half_repulsion_p * repulsion_value_p)),
        repulsion_slopes_p=half_repulsion_p * repulsion_slope_p,
    )


def find_neighbours_in_range(configuration: Configuration, settings: TightBindingSettings) -> Neighbours:
    """Return the pairs.  Raises InputError for an unknown species, or atoms that are too close."""
    check_species(configuration, settings.species)
    neighbours = find_neighbours(configuration, settings.cutoff_angstrom)
    check_distances(neighbours, settings.min_distance_angstrom)
    return neighbours


def bloch_hoppings(crystal: Crystal) -> ComplexArray:
    """Return the (k, 5a, 5a) complex spin-independent hopping matrices, eV.

    `T_ij(k) = sum_p t_p exp(i k·r_p)` over all images of j around i.
    """
    pairs = crystal.neighbours
    n_atoms, n_points = len(crystal.configuration), len(crystal.points_kc)
    blocks_pab = hopping_blocks(pairs.vectors_pc / pairs.distances_p[:, None], crystal.hoppings_ph)
    phases_kp = bloch_phases(crystal)
    hopping_kiajb = np.zeros((n_points, n_atoms, N_ORBITALS, n_atoms, N_ORBITALS), dtype=complex)
    for pair, (i, j) in enumerate(zip(pairs.i_p, pairs.j_p, strict=True)):
        hopping_kiajb[:, i, :, j, :] += phases_kp[:, pair, None, None] * blocks_pab[pair]
    return hopping_kiajb.reshape(n_points, N_ORBITALS * n_atoms, N_ORBITALS * n_atoms)


def bloch_phases(crystal: Crystal) -> ComplexArray:
    """Return the (k, p) complex phases exp(i k·r_p)."""
    return np.asarray(np.exp(1j * (crystal.points_kc @ crystal.neighbours.vectors_pc.T)))


def _radial(settings: TightBindingSettings, exponent: float) -> TaperedPower:
    return TaperedPower(
        settings.reference_distance_angstrom, exponent, settings.cutoff_angstrom, settings.taper_width_angstrom
    )


def _parameter_a(configuration: Configuration, settings: TightBindingSettings, name: str) -> FloatArray:
    return np.array([getattr(settings.species[symbol], name) for symbol in configuration.symbols], dtype=np.float64)


def _pair_mean(values_a: FloatArray, neighbours: Neighbours) -> FloatArray:
    return np.asarray(0.5 * (values_a[neighbours.i_p] + values_a[neighbours.j_p]))
