"""Spirals and collinear orders: they close on themselves, and they are what they are called."""

import numpy as np
import pytest

from soso_core.active.candidates.cells import supercell
from soso_core.active.candidates.orders import Lattice, antiferromagnetic, collinear, ferrimagnetic, spiral, tilt_spins
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.neighbours import find_neighbours

COUNTS = (2, 3, 1)


def structure(n_atoms):
    """bcc iron: the primitive cell, or the cubic one of two atoms."""
    cell_vc = 2.86 * np.eye(3) if n_atoms == 2 else 1.43 * (1.0 - 2.0 * np.eye(3))
    sites_ac = 1.43 * np.array([[0, 0, 0], [1, 1, 1]])[:n_atoms]
    return Configuration([26] * n_atoms, sites_ac, cell_vc, np.zeros((n_atoms, 3)))


def lattice(n_atoms=2, counts=COUNTS):
    cell = supercell(structure(n_atoms), counts)
    return cell, Lattice.of(cell, np.ones(len(cell), bool), counts)


def all_signs(order, n_atoms=2, counts=(2, 2, 2)):
    sites = lattice(n_atoms, counts)[1]
    return [order(sites, np.random.default_rng(seed)) for seed in range(40)]


def test_a_spiral_turns_alike_across_the_boundary():
    """The angle between two spins is that of a phase 2π q·r along the true vector between them, image or not."""
    cell, sites = lattice()
    near = find_neighbours(cell, 5.0)
    for wave_v in sites.wave_vectors:
        spins_ac = spiral(sites, wave_v, 0.0, np.random.default_rng(0))
        turns_p = near.vectors_pc @ np.linalg.inv(cell.cell_vc) @ wave_v
        cosines_p = np.sum(spins_ac[near.i_p] * spins_ac[near.j_p], axis=1)
        np.testing.assert_allclose(cosines_p, np.cos(2 * np.pi * turns_p), atol=1e-12)


@pytest.mark.parametrize("axis_cosine", [0.0, 0.6])
def test_spins_of_a_spiral_keep_their_angle_to_the_axis(axis_cosine):
    sites = lattice()[1]
    spins_ac = spiral(sites, np.array([1, 1, 0]), axis_cosine, np.random.default_rng(1))
    np.testing.assert_allclose(np.linalg.norm(spins_ac, axis=1), 1.0, atol=1e-14)
    # The flat part of a commensurate spiral sums to nothing; what is left is the cone.
    assert np.linalg.norm(spins_ac.mean(axis=0)) == pytest.approx(axis_cosine, abs=1e-12)


def test_one_atom_has_as_many_wave_vectors_as_the_zone_holds():
    """N points, q and -q being one spiral, less q = 0: for 2 x 3 x 1 the six points make four classes."""
    sites = lattice(1)[1]
    assert len(sites.wave_vectors) == 3
    patterns = {tuple(np.round(np.cos(sites.phases(wave_v)), 6)) for wave_v in sites.wave_vectors}
    assert len(patterns) == 3


def test_two_atoms_have_the_antiferromagnet_of_their_sublattices():
    sites = lattice(2, (1, 1, 1))[1]
    found = [np.round(np.cos(sites.phases(wave_v))).tolist() for wave_v in sites.wave_vectors]
    assert found == [[1.0, -1.0]]


def test_antiferromagnets_have_as_many_up_as_down_and_there_are_several():
    found = all_signs(antiferromagnetic)
    assert all(sorted(set(s_a)) == [-1.0, 1.0] and s_a.sum() == 0.0 for s_a in found)
    assert len({tuple(s_a) for s_a in found}) > 3


def test_a_ferrimagnet_is_alike_on_every_copy_of_an_atom():
    for s_a in all_signs(ferrimagnetic):
        by_copy_ks = s_a.reshape(8, 2)
        assert np.all(by_copy_ks == by_copy_ks[0])
        assert by_copy_ks[0].sum() == 0.0


@pytest.mark.parametrize("order", ["ferromagnetic", "antiferromagnetic", "ferrimagnetic", "spin-density-wave"])
def test_collinear_spins_are_along_one_axis(order):
    sites = lattice(2, (2, 2, 2))[1]
    spins_ac = collinear(sites, order, np.random.default_rng(3))
    np.testing.assert_allclose(np.abs(spins_ac @ spins_ac[0]), 1.0, atol=1e-14)
    assert (order == "ferromagnetic") == bool(np.allclose(spins_ac, spins_ac[0]))


@pytest.mark.parametrize(
    ("order", "n_atoms", "said"),
    [
        ("ferrimagnetic", 1, "two or more magnetic atoms"),
        ("antiferromagnetic", 1, "no antiferromagnetic order fits"),
        ("spin-density-wave", 1, "no wave vector"),
    ],
)
def test_what_does_not_fit_is_said(order, n_atoms, said):
    with pytest.raises(InputError, match=said):
        collinear(lattice(n_atoms, (1, 1, 1))[1], order, np.random.default_rng(0))


@pytest.mark.parametrize("tilt_degree", [5.0, 25.0, 80.0])
def test_a_tilt_has_its_mean_cosine(tilt_degree):
    spins_ac = np.tile([0.0, 0.6, 0.8], (40_000, 1))
    cosines_a = np.sum(tilt_spins(spins_ac, tilt_degree, np.random.default_rng(4)) * spins_ac, axis=1)
    assert cosines_a.mean() == pytest.approx(np.cos(np.deg2rad(tilt_degree)), abs=5.0 * cosines_a.std() / 200.0)
    assert tilt_spins(spins_ac, 0.0, np.random.default_rng(4)) is spins_ac
