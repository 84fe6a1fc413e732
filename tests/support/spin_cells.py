"""Small cells without symmetry: skewed, displaced, with two species, one of them without a spin."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from soso_core import Configuration, Dataset, LabelledConfiguration
from soso_core.neighbours import find_neighbours


def random_spins(n_atoms, rng):
    spins_ac = rng.normal(size=(n_atoms, 3))
    return spins_ac / np.linalg.norm(spins_ac, axis=1, keepdims=True)


def skewed_iron(seed, n_atoms=4):
    """Return a skewed cell of displaced iron atoms with random spins."""
    rng = np.random.default_rng(seed)
    cell_vc = np.array([[2.9, 0.2, 0.1], [0.3, 2.8, -0.2], [0.0, 0.4, 2.9 * n_atoms / 2]])
    fractions = np.array([[0.5 * (k % 2), 0.5 * (k % 2), k / n_atoms] for k in range(n_atoms)])
    positions_ac = fractions @ cell_vc + rng.normal(scale=0.08, size=(n_atoms, 3))
    return Configuration(np.full(n_atoms, 26), positions_ac, cell_vc, random_spins(n_atoms, rng))


def iron_germanium(seed):
    """Return three iron atoms with spins and one germanium atom without a spin, displaced."""
    rng = np.random.default_rng(seed)
    cell_vc = np.diag([3.9, 4.0, 4.1]) + rng.normal(scale=0.05, size=(3, 3))
    fractions = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    spins_ac = random_spins(4, rng)
    spins_ac[3] = 0.0
    positions_ac = fractions @ cell_vc + rng.normal(scale=0.05, size=(4, 3))
    return Configuration(np.array([26, 26, 26, 32]), positions_ac, cell_vc, spins_ac)


def rigid_iron(spins_ac):
    """Return 2 x 2 x 1 cells of bcc iron with the atoms on their lattice sites."""
    corners = [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 0.5)]
    sites_ac = 2.83 * np.array([[x + z, y + z, z] for x, y, z in corners])
    return Configuration([26] * 8, sites_ac, 2.83 * np.diag([2.0, 2.0, 1.0]), spins_ac)


def heisenberg_label(configuration, exchange=-0.02, biquadratic=0.004, reach=3.3):
    """Label by Σ_pairs [J e·e + B (e·e)²] exp(-(r-2.5)) f(r), fields exact, moments of 2.2 μB, no forces."""
    n = find_neighbours(configuration, reach)
    e_ac = configuration.spins_ac
    shape_p = np.exp(2.5 - n.distances_p) * (1.0 - (n.distances_p / reach) ** 2) ** 2
    u_p = np.sum(e_ac[n.i_p] * e_ac[n.j_p], axis=1)
    energy = 0.5 * np.sum(shape_p * (exchange * u_p + biquadratic * u_p**2))
    gradient_ac = np.zeros_like(e_ac)
    np.add.at(gradient_ac, n.i_p, (shape_p * (exchange + 2 * biquadratic * u_p))[:, None] * e_ac[n.j_p])
    moment_magnitudes_a = np.where(configuration.is_magnetic_a, 2.2, 0.1)
    exchange_fields_ac = (
        np.where(configuration.is_magnetic_a[:, None], -gradient_ac, 0.0) / moment_magnitudes_a[:, None]
    )
    level = 0.1 * float(configuration.numbers_a.sum())
    return LabelledConfiguration(
        configuration,
        energy=energy + level,
        exchange_fields_ac=exchange_fields_ac,
        moment_magnitudes_a=moment_magnitudes_a,
    )


def heisenberg_dataset(cells):
    return Dataset(tuple(heisenberg_label(cell) for cell in cells))


def shape_of_bonds(distances_p, reach=3.3):
    """Return s(r) = exp(2.5 - r) (1 - (r/reach)²)² and its derivative."""
    inside_p, decay_p = 1.0 - (distances_p / reach) ** 2, np.exp(2.5 - distances_p)
    return decay_p * inside_p**2, -decay_p * inside_p * (inside_p + 4.0 * distances_p / reach**2)


def complete_label(configuration, field_scale=1.0, length_slope=0.05):
    """Label by the magnet of heisenberg_label, with forces, stress and moment magnitudes that depend on the neighbours.

    Moment magnitudes of magnetic atoms are 2.2 + length_slope Σ_j s(r) e_i·e_j μB; fields are divided by `field_scale`.
    """
    known, n = heisenberg_label(configuration), find_neighbours(configuration, 3.3)
    e_ac, n_atoms = configuration.spins_ac, len(configuration)
    shape_p, slope_p = shape_of_bonds(n.distances_p)
    u_p = np.sum(e_ac[n.i_p] * e_ac[n.j_p], axis=1)
    pull_pc = ((-0.02 * u_p + 0.004 * u_p**2) * slope_p / n.distances_p)[:, None] * n.vectors_pc
    forces_ac = np.zeros((n_atoms, 3))
    np.add.at(forces_ac, n.i_p, pull_pc)
    around_a = np.bincount(n.i_p, shape_p * u_p, minlength=n_atoms)
    moment_magnitudes_a = np.where(configuration.is_magnetic_a, 2.2 + length_slope * around_a, 0.1)
    return LabelledConfiguration(
        configuration,
        energy=known.energy,
        exchange_fields_ac=known.effective_fields_ac / moment_magnitudes_a[:, None] / field_scale,
        moment_magnitudes_a=moment_magnitudes_a,
        forces_ac=forces_ac,
        stress_cc=0.5 * pull_pc.T @ n.vectors_pc / configuration.volume,
    )


def complete_dataset(cells, **options):
    return Dataset(tuple(complete_label(cell, **options) for cell in cells))


def four_spin_label(cell):
    """Label by E = A Σ_i |M_i|⁴ with M_i the sum of the first shell: products (e_j·e_k)(e_l·e_m) without e_i."""
    near = find_neighbours(cell, 2.6)
    shell_ac = np.zeros((len(cell), 3))
    np.add.at(shell_ac, near.i_p, cell.spins_ac[near.j_p])
    square_a = np.sum(shell_ac**2, axis=1)
    gradient_ac = np.zeros_like(shell_ac)
    np.add.at(gradient_ac, near.j_p, 4e-5 * (square_a[:, None] * shell_ac)[near.i_p])
    return LabelledConfiguration(cell, 1e-5 * float(square_a @ square_a), -gradient_ac, np.ones(len(cell)))


def graded(dataset, grades):
    """Return the same labels with the letters of `grades` in turn; a blank leaves a label without a grade."""
    letters = [grades[k % len(grades)] for k in range(len(dataset))]
    facts = [{} if letter == " " else {"label_grade": letter} for letter in letters]
    return Dataset(tuple(replace(item, info={**item.info, **fact}) for item, fact in zip(dataset, facts, strict=True)))


def transformed(item, seed, reverse, mirror):
    """Return an equivalent label: spins and crystal rotated, shifted and wrapped, atoms permuted; 8 decimals."""
    rng = np.random.default_rng(seed)
    where = item.configuration
    spin_rotation, rotation = (Rotation.random(random_state=rng.integers(2**31)).as_matrix() for _ in range(2))
    spin_rotation, rotation = spin_rotation * (-1 if reverse else 1), rotation * (-1 if mirror else 1)
    order = rng.permutation(len(where))
    cell_vc = where.cell_vc @ rotation.T
    fractions = (np.linalg.solve(where.cell_vc.T, where.positions_ac.T).T + rng.uniform(size=3)) % 1.0
    spins_ac = where.spins_ac[order] @ spin_rotation.T
    new = Configuration(
        where.numbers_a[order], np.round(fractions[order] @ cell_vc, 8), np.round(cell_vc, 8), np.round(spins_ac, 8)
    )
    return LabelledConfiguration(
        new,
        item.energy,
        exchange_fields_ac=item.exchange_fields_ac[order] @ spin_rotation.T,
        moment_magnitudes_a=item.moment_magnitudes_a[order],
    )
