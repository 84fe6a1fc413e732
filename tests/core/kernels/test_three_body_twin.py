"""The three-body descriptor: its twin, its derivatives, what a missing spin does, the cutoff."""

import itertools

import numpy as np
import pytest
from pydantic import ValidationError
from reference import three_body as twin
from spin_cells import iron_germanium, skewed_iron

from soso_core import Configuration
from soso_core.descriptors.channels import CHANNELS
from soso_core.descriptors.parameters import ThreeBodyParameters
from soso_core.descriptors.three_body import ThreeBodyDescriptor
from soso_core.labels import transverse
from soso_core.neighbours import find_neighbours
from soso_core.testing import assert_derivative

PAIRS = [
    pair
    for pair in itertools.combinations_with_replacement(CHANNELS, 2)
    if CHANNELS[pair[0]].n_components == CHANNELS[pair[1]].n_components
]
LATTICE = ("1", "1")
CELL = iron_germanium(3)
SPECIES = (26, 32)


def parameters(*pairs):
    return ThreeBodyParameters(cutoff_angstrom=3.7, n_max=3, l_max=3, decay=2.0, channel_pairs=pairs)


def features(configuration, descriptor):
    return descriptor.compute(configuration, find_neighbours(configuration, descriptor.parameters.cutoff_angstrom))


@pytest.fixture(params=PAIRS, ids="-".join)
def descriptor(request):
    return ThreeBodyDescriptor(parameters(request.param), SPECIES)


@pytest.fixture
def weights(descriptor):
    return np.random.default_rng(1).normal(size=(len(CELL), descriptor.size))


def test_dot_products_equal_those_of_the_full_twin(descriptor):
    """The upper triangle with sqrt 2 gives the dot products of everything."""
    (pair,) = descriptor.parameters.channel_pairs
    other = iron_germanium(4)
    mine = features(CELL, descriptor).p_af @ features(other, descriptor).p_af.T
    expected = twin.kernel(CELL, other, descriptor.parameters, SPECIES, pair)
    # sqrtm of the overlap matrix costs a few digits.
    np.testing.assert_allclose(mine, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())


def test_components_equal_those_of_the_twin():
    descriptor = ThreeBodyDescriptor(parameters(("1", "P1")), SPECIES)
    expected = twin.full_spectrum(CELL, descriptor.parameters, SPECIES, ("1", "P1"))
    np.testing.assert_allclose(features(CELL, descriptor).p_af, expected, rtol=1e-7, atol=1e-8 * np.abs(expected).max())


def test_channel_pairs_stand_side_by_side():
    together = features(CELL, ThreeBodyDescriptor(parameters(*PAIRS), SPECIES)).p_af
    alone = [features(CELL, ThreeBodyDescriptor(parameters(pair), SPECIES)).p_af for pair in PAIRS]
    np.testing.assert_allclose(together, np.concatenate(alone, axis=1), rtol=1e-12)


def test_position_and_strain_derivatives(descriptor, weights):
    def energy(positions_ac, strain_cc):
        deform = np.eye(3) + strain_cc
        moved = Configuration(CELL.numbers_a, positions_ac @ deform.T, CELL.cell_vc @ deform.T, CELL.spins_ac)
        return float(np.sum(features(moved, descriptor).p_af * weights))

    gradient_ac, strain_cc = descriptor.position_adjoint(features(CELL, descriptor), weights)
    zero = np.zeros((3, 3))
    assert_derivative(lambda at: energy(at, zero), CELL.positions_ac, gradient_ac, 1e-3, 1e-7)
    assert_derivative(lambda at: energy(CELL.positions_ac, at), zero, strain_cc, 1e-3, 1e-7)


@pytest.mark.parametrize("descriptor", [pair for pair in PAIRS if pair != LATTICE], indirect=True, ids="-".join)
def test_spin_derivatives(descriptor, weights):
    magnetic = CELL.is_magnetic_a

    def energy(spins_ac):
        moved = np.zeros((len(CELL), 3))
        moved[magnetic] = spins_ac / np.linalg.norm(spins_ac, axis=1, keepdims=True)
        return float(np.sum(features(CELL.with_spins(moved), descriptor).p_af * weights))

    raw_ac = descriptor.spin_adjoint(features(CELL, descriptor), weights)
    gradient_ac = transverse(raw_ac, CELL.spins_ac)
    assert_derivative(energy, CELL.spins_ac[magnetic], gradient_ac[magnetic], 1e-3, 1e-7)
    assert not raw_ac[~magnetic].any()


@pytest.fixture(params=PAIRS, ids="-".join)
def descriptor_at_germanium(request):
    return request.param, features(CELL, ThreeBodyDescriptor(parameters(request.param), SPECIES)).p_af[3]


def test_a_centre_without_a_spin(descriptor_at_germanium):
    pair, p_f = descriptor_at_germanium
    assert p_f.any() == (pair in [LATTICE, ("vector", "vector")])


def test_a_neighbour_without_a_spin_is_in_channel_1_only():
    descriptor = ThreeBodyDescriptor(parameters(("1", "1"), ("P1", "P1"), ("vector", "vector")), SPECIES)
    a_atxy = features(CELL, descriptor).a_atxy
    germanium = slice(descriptor.parameters.n_max, None)
    assert a_atxy[:, 0, germanium].any()
    assert not a_atxy[:, 1:, germanium].any()


def test_smooth_at_the_cutoff():
    """Value and derivative vanish as a neighbour leaves."""
    descriptor = ThreeBodyDescriptor(ThreeBodyParameters(), (26,))
    cutoff = descriptor.parameters.cutoff_angstrom
    up = np.array([[0.0, 0.0, 1.0]] * 3)
    sizes = []
    for gap in (1e-2, 1e-3):
        line = np.array([[0, 0, 0], [0, 0, 2.5], [0, cutoff - gap, 0]])
        at_hand = features(Configuration([26] * 3, line, 30 * np.eye(3), up), descriptor)
        without = features(Configuration([26] * 2, line[:2], 30 * np.eye(3), up[:2]), descriptor)
        sizes.append(np.abs(at_hand.p_af[0] - without.p_af[0]).max())
    # The cosine goes to zero as the square of the gap.
    assert sizes[1] == pytest.approx(1e-2 * sizes[0], rel=0.05)
    assert sizes[1] > 0.0


def test_spins_of_a_skewed_cell_change_only_spin_channels():
    cell, turned = skewed_iron(1), skewed_iron(1)
    turned = turned.with_spins(np.roll(turned.spins_ac, 1, axis=0))
    lattice = ThreeBodyDescriptor(parameters(("1", "1")), (26,))
    np.testing.assert_array_equal(features(cell, lattice).p_af, features(turned, lattice).p_af)
    spin = ThreeBodyDescriptor(parameters(("vector", "vector")), (26,))
    assert not np.allclose(features(cell, spin).p_af, features(turned, spin).p_af)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "at least one pair"),
        ([["P1", "P7"]], "unknown channel P7"),
        ([["1", "vector"]], "no invariant"),
        ([["1", "P1"], ["P1", "1"]], "twice"),
    ],
)
def test_channel_pairs_that_make_no_sense(pairs, message):
    with pytest.raises(ValidationError, match=message):
        ThreeBodyParameters(channel_pairs=pairs)


def test_channel_1_may_be_a_number():
    assert ThreeBodyParameters(channel_pairs=[[1, "P1"]]).channel_pairs == (("1", "P1"),)
