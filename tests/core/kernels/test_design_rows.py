"""Rows from the Jacobian of each centre against the adjoint, column by column, and against finite differences."""

from dataclasses import dataclass

import numpy as np
import pytest
from spin_cells import iron_germanium, skewed_iron

from soso_core import Configuration
from soso_core.descriptors.environment import EnvironmentDescriptor
from soso_core.descriptors.pair import PairDescriptor
from soso_core.descriptors.parameters import PairDescriptorParameters, ThreeBodyParameters
from soso_core.descriptors.rows import feature_runs
from soso_core.descriptors.three_body import ThreeBodyDescriptor
from soso_core.gp.model.covariance import Points, ProductCovariance
from soso_core.gp.model.pair_part import PairPart
from soso_core.gp.model.settings import PairPartSettings
from soso_core.labels import transverse
from soso_core.neighbours import find_neighbours
from soso_core.testing import assert_derivative

CHANNEL_PAIRS = [("1", "1"), ("vector", "vector"), ("1", "P1"), ("P1", "P1"), ("P2", "P2"), ("P1", "P2"), ("1", "P2")]
SPECIES = (26, 32)
PAIR = PairDescriptorParameters(cutoff_angstrom=3.6, n_max=4, lambda_max=3, sigma_spin=1.0)
REACH = 3.9


@dataclass(frozen=True, eq=False)
class DenseColumns:
    """Columns whose gradients are all at hand, g_afb (a, f, b)."""

    g_afb: np.ndarray

    @property
    def n_columns(self):
        return self.g_afb.shape[2]

    def times(self, centre, features, jacobian_fd):
        return jacobian_fd.T @ self.g_afb[centre, features]


def spin_adjoint(descriptor, features, g_afb):
    """The adjoint of every column, (a, c, b)."""
    return np.stack([descriptor.spin_adjoint(features, g_af) for g_af in np.moveaxis(g_afb, 2, 0)], axis=2)


def all_with_spins():
    """Two species, both with spins; no distance is within 0.01 Å of where a taper begins: stencils see a kink there."""
    cell = skewed_iron(12)
    return Configuration(np.array([26, 32, 32, 26]), cell.positions_ac, cell.cell_vc, cell.spins_ac)


# The skewed cells are shorter than the cutoffs: atoms have images of themselves as neighbours.
CELLS = {"Fe4": skewed_iron(1), "Fe3Ge": iron_germanium(3), "Fe2Ge2": all_with_spins()}


def three_body(*channel_pairs, element_channels=None):
    settings = {"cutoff_angstrom": 3.7, "n_max": 3, "l_max": 3, "decay": 2.0}
    return ThreeBodyParameters(channel_pairs=channel_pairs, element_channels=element_channels, **settings)


def near(configuration):
    return find_neighbours(configuration, REACH)


def deformed(cell, positions_ac, strain_cc):
    deform_cc = np.eye(3) + strain_cc
    return Configuration(cell.numbers_a, positions_ac @ deform_cc.T, cell.cell_vc @ deform_cc.T, cell.spins_ac)


def turned(cell, directions_kc):
    spins_ac = np.zeros((len(cell), 3))
    spins_ac[cell.is_magnetic_a] = directions_kc / np.linalg.norm(directions_kc, axis=1, keepdims=True)
    return cell.with_spins(spins_ac)


def assert_position_rows(energy, cell, gradient_ac, strain_cc):
    zero_cc = np.zeros((3, 3))
    assert_derivative(
        lambda at: energy(deformed(cell, at, zero_cc)), np.array(cell.positions_ac), gradient_ac, 1e-3, 1e-7
    )
    assert_derivative(lambda at: energy(deformed(cell, cell.positions_ac, at)), zero_cc, strain_cc, 1e-3, 1e-7)


def assert_spin_rows(energy, cell, gradient_ac):
    magnetic_a = cell.is_magnetic_a
    along_ac = transverse(gradient_ac, cell.spins_ac)
    assert_derivative(lambda at: energy(turned(cell, at)), cell.spins_ac[magnetic_a], along_ac[magnetic_a], 1e-3, 1e-7)
    assert not gradient_ac[~magnetic_a].any()


def assert_same(rows, expected):
    # Sums in another order: rounding beside the largest entry.
    assert np.abs(expected).max() > 1e-6
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.fixture(params=CELLS)
def cell(request):
    return CELLS[request.param]


@pytest.fixture(params=[None, 1, 2], ids=["resolved", "mixed 1", "mixed 2"])
def descriptor(request):
    return EnvironmentDescriptor.of(PAIR, three_body(*CHANNEL_PAIRS, element_channels=request.param), SPECIES)


@pytest.fixture
def features(cell, descriptor):
    return descriptor.compute(cell, near(cell))


@pytest.fixture
def g_afb(cell, descriptor):
    return np.random.default_rng(2).normal(size=(len(cell), descriptor.size, 5))


def test_rows_by_spins_equal_the_adjoint(descriptor, features, g_afb):
    rows_acb = descriptor.spin_rows(features, DenseColumns(g_afb))
    assert_same(rows_acb, spin_adjoint(descriptor, features, g_afb))


def test_rows_by_positions_and_strain_equal_the_adjoint(cell, descriptor, features, g_afb):
    rows_acb, strain_ccb = descriptor.position_rows(features, DenseColumns(g_afb))
    for b in range(g_afb.shape[2]):
        gradient_ac, strain_cc = descriptor.position_adjoint(features, np.ascontiguousarray(g_afb[:, :, b]))
        assert_same(rows_acb[:, :, b], gradient_ac)
        assert_same(strain_ccb[:, :, b], strain_cc)


def test_rows_of_the_pair_descriptor_alone(cell, g_afb):
    descriptor = EnvironmentDescriptor.of(PAIR, None, SPECIES)
    features = descriptor.compute(cell, near(cell))
    g_afb = np.ascontiguousarray(g_afb[:, : descriptor.size])
    assert_same(descriptor.spin_rows(features, DenseColumns(g_afb)), spin_adjoint(descriptor, features, g_afb))
    rows_acb, strain_ccb = descriptor.position_rows(features, DenseColumns(g_afb))
    gradient_ac, expected_cc = descriptor.position_adjoint(features, np.ascontiguousarray(g_afb[:, :, 0]))
    assert_same(rows_acb[:, :, 0], gradient_ac)
    assert_same(strain_ccb[:, :, 0], expected_cc)


@pytest.mark.parametrize("zeta", [1, 2, 3])
def test_covariance_columns_are_those_of_their_weighted_gradient(cell, zeta):
    descriptor = EnvironmentDescriptor.of(PAIR, three_body(*CHANNEL_PAIRS[:4]), SPECIES)
    features, covariance = descriptor.compute(cell, near(cell)), ProductCovariance(descriptor.blocks, zeta)
    x_bf = features.x_af[[0, 1, 3]] + 0.1 * np.random.default_rng(3).normal(size=(3, descriptor.size))
    species_a = np.array([SPECIES.index(z) for z in cell.numbers_a])
    left, right = Points(features.x_af, species_a), Points(x_bf, species_a[[0, 1, 3]])
    rows_acb = descriptor.spin_rows(features, covariance.columns(left, right))
    weights_tb = np.random.default_rng(8).normal(size=(len(covariance.monomials), 3))
    g_af = covariance.weighted_gradient(left, right, weights_tb)
    assert_same(rows_acb @ weights_tb.ravel(), descriptor.spin_adjoint(features, g_af))


@pytest.mark.parametrize("element_channels", [None, 1], ids=["resolved", "mixed"])
@pytest.mark.parametrize("channel_pair", CHANNEL_PAIRS, ids="-".join)
def test_rows_of_the_three_body_descriptor_are_derivatives(cell, channel_pair, element_channels):
    """A random sum over the features of every centre."""
    descriptor = ThreeBodyDescriptor(three_body(channel_pair, element_channels=element_channels), SPECIES)
    weights_af = np.random.default_rng(4).normal(size=(len(cell), descriptor.size))
    columns = DenseColumns(weights_af[:, :, None])

    def energy(configuration):
        return float(np.sum(descriptor.compute(configuration, near(configuration)).p_af * weights_af))

    features = descriptor.compute(cell, near(cell))
    gradient_acb, strain_ccb = descriptor.position_rows(features, columns)
    assert_position_rows(energy, cell, gradient_acb[:, :, 0], strain_ccb[:, :, 0])
    spin_ac = descriptor.spin_rows(features, columns)[:, :, 0]
    if channel_pair == ("1", "1"):
        assert not spin_ac.any()
    else:
        assert_spin_rows(energy, cell, spin_ac)


def test_rows_of_the_pair_descriptor_are_derivatives(cell):
    descriptor = PairDescriptor(PAIR, SPECIES)
    weights_af = np.random.default_rng(5).normal(size=(len(cell), descriptor.size))
    columns = DenseColumns(weights_af[:, :, None])

    def energy(configuration):
        d_af = descriptor.compute(configuration, near(configuration)).d_asnl.reshape(len(cell), -1)
        return float(np.sum(d_af * weights_af))

    features = descriptor.compute(cell, near(cell))
    gradient_acb, strain_ccb = descriptor.position_rows(features, columns)
    assert_position_rows(energy, cell, gradient_acb[:, :, 0], strain_ccb[:, :, 0])
    assert_spin_rows(energy, cell, descriptor.spin_rows(features, columns)[:, :, 0])


def test_position_rows_of_the_pair_part(cell):
    pair = PairPart(PairPartSettings(cutoff_angstrom=3.8, n_max=3, lambda_max=2), SPECIES)
    weights_m = np.random.default_rng(6).normal(size=pair.size)
    rows_acm, strain_ccm = pair.position_rows(cell, near(cell))
    gradient_ac, strain_cc = pair.position_gradient(cell, near(cell), weights_m)
    assert_same(rows_acm @ weights_m, gradient_ac)
    assert_same(strain_ccm @ weights_m, strain_cc)
    assert_position_rows(
        lambda moved: float(np.sum(pair.rows(moved, near(moved))[0] @ weights_m)), cell, gradient_ac, strain_cc
    )


def test_atoms_without_neighbours_have_rows_of_zeros():
    """The second and the last of four atoms are out of reach."""
    line_ac = np.array([[0.0, 0, 0], [0, 9, 0], [0, 0, 2.5], [9, 0, 0]])
    spins_ac = np.array([[0.0, 0, 1], [0, 1, 0], [0, 0.6, 0.8], [1, 0, 0]])
    cell = Configuration(np.full(4, 26), line_ac, 20 * np.eye(3), spins_ac)
    descriptor = EnvironmentDescriptor.of(PAIR, three_body(*CHANNEL_PAIRS), SPECIES)
    features = descriptor.compute(cell, near(cell))
    g_afb = np.random.default_rng(7).normal(size=(4, descriptor.size, 2))
    spins_acb = descriptor.spin_rows(features, DenseColumns(g_afb))
    assert_same(spins_acb, spin_adjoint(descriptor, features, g_afb))
    moved_acb, _ = descriptor.position_rows(features, DenseColumns(g_afb))
    assert [bool(rows_cb.any()) for rows_cb in spins_acb] == [True, False, True, False]
    assert [bool(rows_cb.any()) for rows_cb in moved_acb] == [True, False, True, False]


def test_no_atom_has_a_neighbour():
    cell = Configuration(np.array([26]), np.zeros((1, 3)), 20 * np.eye(3), np.array([[0.0, 0, 1]]))
    descriptor = EnvironmentDescriptor.of(PAIR, three_body(*CHANNEL_PAIRS), SPECIES)
    columns = DenseColumns(np.ones((1, descriptor.size, 2)))
    features = descriptor.compute(cell, near(cell))
    assert not descriptor.spin_rows(features, columns).any()
    assert not any(rows.any() for rows in descriptor.position_rows(features, columns))


def test_same_rows_every_time(descriptor, features, g_afb, cell):
    first, second = (descriptor.position_rows(features, DenseColumns(g_afb)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_runs_of_features():
    assert feature_runs([0, 4, 9], [4, 6, 12]) == (slice(0, 6), slice(9, 12))
    assert feature_runs([], []) == ()
