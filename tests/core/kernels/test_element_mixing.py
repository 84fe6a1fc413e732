"""Element channels: their twin, how large they are, what they lose and what not."""

import numpy as np
import pytest
from reference import three_body as twin
from spin_cells import iron_germanium, skewed_iron

from soso_core import Configuration
from soso_core.descriptors.element_mixing import element_mixing
from soso_core.descriptors.parameters import ThreeBodyParameters
from soso_core.descriptors.three_body import ThreeBodyDescriptor
from soso_core.neighbours import find_neighbours

PAIRS = (("1", "1"), ("1", "P1"), ("vector", "vector"))
ALLOY = (24, 26, 32)


def descriptor(species, element_channels, pairs=PAIRS):
    settings = {"cutoff_angstrom": 3.7, "n_max": 2, "l_max": 2, "decay": 2.0, "channel_pairs": pairs}
    return ThreeBodyDescriptor(ThreeBodyParameters(element_channels=element_channels, **settings), species)


def features(configuration, mixed):
    return mixed.compute(configuration, find_neighbours(configuration, mixed.parameters.cutoff_angstrom)).p_af


def alloy(seed):
    """Chromium, two iron atoms and germanium."""
    cell = iron_germanium(seed)
    return Configuration(np.array([24, 26, 26, 32]), cell.positions_ac, cell.cell_vc, cell.spins_ac)


@pytest.mark.parametrize("element_channels", [1, 2, 3])
def test_components_equal_those_of_the_twin(element_channels):
    mixed = descriptor(ALLOY, element_channels, (("1", "P1"),))
    expected = twin.full_spectrum(alloy(1), mixed.parameters, ALLOY, ("1", "P1"))
    # sqrtm of the overlap matrix costs a few digits.
    np.testing.assert_allclose(features(alloy(1), mixed), expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max())


def test_one_species_is_as_without_mixing():
    cell = skewed_iron(2)
    np.testing.assert_array_equal(features(cell, descriptor((26,), 1)), features(cell, descriptor((26,), None)))


@pytest.mark.parametrize("element_channels", [3, 7])
def test_as_many_channels_as_species_lose_nothing(element_channels):
    """W is orthogonal then, and leaves the dot products, hence the covariance, as they are; more are not made."""
    mixed, resolved = descriptor(ALLOY, element_channels), descriptor(ALLOY, None)
    assert mixed.size == resolved.size
    expected = features(alloy(1), resolved) @ features(alloy(2), resolved).T
    dots = features(alloy(1), mixed) @ features(alloy(2), mixed).T
    np.testing.assert_allclose(dots, expected, rtol=1e-11)
    assert not np.allclose(features(alloy(1), mixed), features(alloy(1), resolved))


def test_rows_are_orthonormal_and_the_first_is_uniform():
    mix_ks = element_mixing((13, 24, 26, 28, 32), 3)
    np.testing.assert_allclose(mix_ks @ mix_ks.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(mix_ks[0], np.sqrt(1 / 5), rtol=1e-14)


def test_size_does_not_grow_with_the_number_of_species():
    sizes = [descriptor(tuple(range(24, 24 + n)), 2).size for n in (2, 3, 8)]
    assert sizes[0] == sizes[1] == sizes[2]
    assert descriptor(tuple(range(24, 32)), None).size > 10 * sizes[0]


def test_one_channel_does_not_know_one_neighbour_from_another():
    """Elements exchanged between atoms: seen by two channels, not by one, if all have their spins."""
    cell = alloy(1)
    spins_ac = np.repeat([[0.0, 0.6, 0.8]], 4, axis=0)
    one, other = (
        Configuration(np.array(numbers), cell.positions_ac, cell.cell_vc, spins_ac)
        for numbers in ([24, 26, 26, 32], [26, 26, 24, 32])
    )
    blind, sharp = descriptor(ALLOY, 1), descriptor(ALLOY, 2)
    np.testing.assert_array_equal(features(one, blind), features(other, blind))
    assert not np.allclose(features(one, sharp), features(other, sharp))


def test_like_atoms_may_be_exchanged():
    cell, order = alloy(1), [3, 2, 0, 1]
    moved = Configuration(cell.numbers_a[order], cell.positions_ac[order], cell.cell_vc, cell.spins_ac[order])
    mixed = descriptor(ALLOY, 2)
    # Sums run over the neighbours in another order.
    expected = features(cell, mixed)[order]
    np.testing.assert_allclose(features(moved, mixed), expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max())
