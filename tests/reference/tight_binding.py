"""A slow, readable twin of the embedded engine: tabulated Slater-Koster elements, loops over images, its own filling.

It takes the self-consistent moments, charges and Lagrange fields and says what energy, charges and moments they give.
"""

import itertools
from math import sqrt

import numpy as np
from scipy.linalg import eigh

SQRT3 = sqrt(3.0)


def tabulated_block(direction, sigma, pi, delta):
    """Return the 5 x 5 block of xy, yz, zx, x²-y², 3z²-r², written out as in table I of Phys. Rev. 94, 1498 (1954)."""
    x, y, z = direction
    x2, y2, z2 = x * x, y * y, z * z
    d2, s2 = x2 - y2, x2 + y2
    block = np.zeros((5, 5))
    block[0, 0] = 3 * x2 * y2 * sigma + (s2 - 4 * x2 * y2) * pi + (z2 + x2 * y2) * delta
    block[1, 1] = 3 * y2 * z2 * sigma + (y2 + z2 - 4 * y2 * z2) * pi + (x2 + y2 * z2) * delta
    block[2, 2] = 3 * z2 * x2 * sigma + (z2 + x2 - 4 * z2 * x2) * pi + (y2 + z2 * x2) * delta
    block[0, 1] = 3 * x * y2 * z * sigma + x * z * (1 - 4 * y2) * pi + x * z * (y2 - 1) * delta
    block[0, 2] = 3 * x2 * y * z * sigma + y * z * (1 - 4 * x2) * pi + y * z * (x2 - 1) * delta
    block[1, 2] = 3 * y * z2 * x * sigma + y * x * (1 - 4 * z2) * pi + y * x * (z2 - 1) * delta
    block[0, 3] = 1.5 * x * y * d2 * sigma - 2 * x * y * d2 * pi + 0.5 * x * y * d2 * delta
    block[1, 3] = 1.5 * y * z * d2 * sigma - y * z * (1 + 2 * d2) * pi + y * z * (1 + 0.5 * d2) * delta
    block[2, 3] = 1.5 * z * x * d2 * sigma + z * x * (1 - 2 * d2) * pi - z * x * (1 - 0.5 * d2) * delta
    block[0, 4] = SQRT3 * x * y * ((z2 - s2 / 2) * sigma - 2 * z2 * pi + (1 + z2) / 2 * delta)
    block[1, 4] = SQRT3 * y * z * ((z2 - s2 / 2) * sigma + (s2 - z2) * pi - s2 / 2 * delta)
    block[2, 4] = SQRT3 * z * x * ((z2 - s2 / 2) * sigma + (s2 - z2) * pi - s2 / 2 * delta)
    block[3, 3] = 0.75 * d2**2 * sigma + (s2 - d2**2) * pi + (z2 + d2**2 / 4) * delta
    block[3, 4] = SQRT3 * d2 * ((z2 - s2 / 2) / 2 * sigma - z2 * pi + (1 + z2) / 4 * delta)
    block[4, 4] = (z2 - s2 / 2) ** 2 * sigma + 3 * z2 * s2 * pi + 0.75 * s2**2 * delta
    return np.triu(block) + np.triu(block, 1).T


def radial(settings, exponent, distance):
    """Return the tapered power law."""
    start = settings.cutoff_angstrom - settings.taper_width_angstrom
    t = min(max((distance - start) / settings.taper_width_angstrom, 0.0), 1.0)
    return (settings.reference_distance_angstrom / distance) ** exponent * (1 - 10 * t**3 + 15 * t**4 - 6 * t**5)


def energy_and_densities(configuration, settings, moment_magnitudes_a, electrons_a, constraint_fields_ac, counts):
    """Return energy (eV) by direct summation, charges (a,) and moment vectors (a, 3), for one species.

    The energy is assembled from the out-densities: sum f ε of the hoppings alone - TS - I m²/4 + U (n - n0)²/2 + pairs.
    """
    species = settings.species[configuration.symbols[0]]
    n_atoms = len(configuration)
    weights, bands, states, hoppings = [], [], [], []
    for fractions in itertools.product(*(np.arange(count) / count for count in counts)):
        hopping = hopping_matrix(configuration, settings, species, fractions)
        full = np.kron(np.eye(2), hopping)
        for i in range(n_atoms):
            level = species.onsite_ev + species.charge_penalty_ev * (electrons_a[i] - species.electrons)
            bx, by, bz = (
                0.5 * species.stoner_ev * moment_magnitudes_a[i] * configuration.spins_ac[i] + constraint_fields_ac[i]
            )
            spin_block = np.array([[level - bz, -bx + 1j * by], [-bx - 1j * by, level + bz]])
            full += np.kron(spin_block, np.diag(np.repeat(np.arange(n_atoms) == i, 5)))
        energies, vectors = eigh(full)
        weights.append(1.0 / np.prod(counts))
        bands.append(energies)
        states.append(vectors)
        hoppings.append(hopping)
    filled = fill(np.array(bands), species.electrons * n_atoms, settings.smearing_ev, weights)
    density = [(c * f) @ c.conj().T * w for c, f, w in zip(states, filled, weights, strict=True)]
    charges, vectors = np.zeros(n_atoms), np.zeros((n_atoms, 3))
    for i, o, rho in itertools.product(range(n_atoms), range(5), density):
        up, down = 5 * i + o, 5 * n_atoms + 5 * i + o
        charges[i] += (rho[up, up] + rho[down, down]).real
        spin = (rho[up, down] + rho[down, up], 1j * (rho[up, down] - rho[down, up]), rho[up, up] - rho[down, down])
        vectors[i] += np.real(spin)
    energy = sum(
        np.trace(rho @ np.kron(np.eye(2), t)).real for rho, t in zip(density, hoppings, strict=True)
    ) + species.onsite_ev * np.sum(charges)
    f = np.clip(filled, 1e-300, 1.0)
    g = np.clip(1.0 - filled, 1e-300, 1.0)
    energy += settings.smearing_ev * np.mean(np.sum(f * np.log(f) + g * np.log(g), axis=1))
    energy -= 0.25 * species.stoner_ev * np.sum(vectors**2)
    energy += 0.5 * species.charge_penalty_ev * np.sum((charges - species.electrons) ** 2)
    return energy + repulsion(configuration, settings, species), charges, vectors


def hopping_matrix(configuration, settings, species, fractions):
    """Return the 5a x 5a Bloch sum, phases counted in whole cells."""
    n_atoms = len(configuration)
    matrix = np.zeros((5 * n_atoms, 5 * n_atoms), dtype=complex)
    for i, j, image, vector in images(configuration, settings):
        distance = np.linalg.norm(vector)
        scale = radial(settings, settings.hopping_exponent, distance)
        hoppings = (species.dd_sigma_ev * scale, species.dd_pi_ev * scale, species.dd_delta_ev * scale)
        phase = np.exp(2j * np.pi * np.dot(fractions, image))
        matrix[5 * i : 5 * i + 5, 5 * j : 5 * j + 5] += phase * tabulated_block(vector / distance, *hoppings)
    return matrix


def repulsion(configuration, settings, species):
    """Return the pair energy (eV), each pair counted from both ends and halved."""
    scales = (
        radial(settings, settings.repulsion_exponent, np.linalg.norm(v)) for *_, v in images(configuration, settings)
    )
    return 0.5 * species.repulsion_ev * sum(scales)


def images(configuration, settings):
    """Yield centre, neighbour, image in whole cells and bond vector of every bond within the cutoff."""
    for image in itertools.product(range(-3, 4), repeat=3):
        shift = np.array(image) @ configuration.cell_vc
        for i, j in itertools.product(range(len(configuration)), repeat=2):
            vector = configuration.positions_ac[j] + shift - configuration.positions_ac[i]
            if 0.0 < np.linalg.norm(vector) < settings.cutoff_angstrom:
                yield i, j, image, vector


def fill(bands, n_electrons, smearing, weights):
    """Return occupations by bisection of the Fermi level."""
    low, high = bands.min() - 5.0, bands.max() + 5.0
    for _ in range(200):
        level = 0.5 * (low + high)
        filled = 1.0 / (1.0 + np.exp(np.clip((bands - level) / smearing, -500.0, 500.0)))
        low, high = (level, high) if np.dot(weights, filled.sum(axis=1)) < n_electrons else (low, level)
    return filled
