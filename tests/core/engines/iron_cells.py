"""Small cells of iron, distorted so that no symmetry hides an error, for the tests of the embedded engine."""

import numpy as np

from soso_core.configuration import Configuration

LATTICE = 2.85
PRIMITIVE = 0.5 * LATTICE * np.array([[-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])


def unit(vectors_ac):
    return vectors_ac / np.linalg.norm(vectors_ac, axis=1, keepdims=True)


def random_spins(n_atoms, seed):
    return unit(np.random.default_rng(seed).normal(size=(n_atoms, 3)))


def bcc(repeats, spins_ac, lattice=LATTICE):
    """Conventional cells of two atoms, repeated."""
    corners = np.stack(np.meshgrid(*map(np.arange, repeats), indexing="ij"), axis=-1).reshape(-1, 1, 3)
    positions_ac = lattice * (corners + np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])).reshape(-1, 3)
    cell_vc = lattice * np.diag(np.array(repeats, dtype=float))
    return Configuration(np.full(len(positions_ac), 26), positions_ac, cell_vc, spins_ac)


def skewed(n_atoms, spins_ac):
    """Primitive cells in a row: no two lattice vectors at a right angle."""
    positions_ac = np.arange(n_atoms)[:, None] * PRIMITIVE[0]
    cell_vc = PRIMITIVE * np.array([n_atoms, 1, 1])[:, None]
    return Configuration(np.full(n_atoms, 26), positions_ac, cell_vc, spins_ac)


def distorted(configuration, seed, displacement=0.08, strain=0.02):
    """Move every atom and strain the cell at random (Å, relative)."""
    rng = np.random.default_rng(seed)
    deformation_cc = np.eye(3) + rng.uniform(-strain, strain, (3, 3))
    moved_ac = configuration.positions_ac + rng.uniform(-displacement, displacement, configuration.positions_ac.shape)
    return Configuration(
        configuration.numbers_a,
        moved_ac @ deformation_cc,
        configuration.cell_vc @ deformation_cc,
        configuration.spins_ac,
    )


def rotation(seed):
    """A proper rotation, uniformly random."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))
