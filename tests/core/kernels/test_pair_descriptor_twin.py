"""The descriptor and pair kernels against their readable twins."""

import numpy as np
import pytest
from reference import pair_descriptor as twin
from scipy.special import eval_legendre
from spin_cells import iron_germanium, skewed_iron

from soso_core.descriptors.pair import PairDescriptor
from soso_core.descriptors.parameters import PairDescriptorParameters
from soso_core.descriptors.spin_coupling import spin_coupling
from soso_core.gp.model.pair_part import PairPart
from soso_core.gp.model.settings import PairPartSettings
from soso_core.kernels.exact.legendre import legendre
from soso_core.kernels.exact.radial import gaussian_overlap
from soso_core.neighbours import find_neighbours
from soso_core.testing import assert_derivative

PARAMETERS = PairDescriptorParameters(cutoff_angstrom=3.6, n_max=4, lambda_max=3, sigma_spin=1.0)
PAIR = PairPartSettings(cutoff_angstrom=3.8, n_max=3, lambda_max=2)
CELLS = [skewed_iron(1), iron_germanium(2)]


def species_of(configuration):
    return tuple(sorted({int(z) for z in configuration.numbers_a}))


@pytest.mark.parametrize("centre", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("r", [0.0, 0.4, 2.5, 6.0])
def test_gaussian_overlap_is_the_integral(r, centre):
    # Quadrature asks for 1e-13; the integrals are of order 1.
    assert gaussian_overlap(r, centre, 2.0)[0] == pytest.approx(twin.overlap(r, centre, 2.0), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("centre", [0.0, 1.3, 4.0])
def test_gaussian_overlap_slope(centre):
    r = np.array([0.3, 1.1, 2.4, 3.9])
    slopes = np.array([gaussian_overlap(x, centre, 2.0)[1] for x in r])
    assert_derivative(lambda at: sum(gaussian_overlap(x, centre, 2.0)[0] for x in at), r, slopes, 1e-3, 1e-8)


def test_legendre():
    u = np.linspace(-1, 1, 7)
    values, slopes = legendre(u, 6)
    expected = np.array([[eval_legendre(order, x) for order in range(7)] for x in u])
    np.testing.assert_allclose(values, expected, atol=1e-14)
    inside = u[1:-1]
    assert_derivative(lambda at: legendre(at, 6)[0].sum(), inside, slopes[1:-1].sum(axis=1), 1e-3, 1e-8)


def test_spin_coupling_of_the_paper():
    # arXiv:2403.10769 settings: at sigma_spin 1.5, A_1/A_0 is 0.037 and A_2/A_0 4e-4.
    coupling = spin_coupling(2, 1.5)
    assert coupling[0] == 1.0
    assert coupling[1] == pytest.approx(0.037, abs=5e-4)
    assert coupling[2] == pytest.approx(4e-4, abs=5e-5)


@pytest.mark.parametrize("configuration", CELLS, ids=["Fe4", "Fe3Ge"])
def test_descriptor_equals_its_twin(configuration):
    species = species_of(configuration)
    features = PairDescriptor(PARAMETERS, species).compute(
        configuration, find_neighbours(configuration, PARAMETERS.cutoff_angstrom)
    )
    expected = twin.descriptor(configuration, PARAMETERS, species)
    # sqrtm of the overlap matrix costs a few digits.
    np.testing.assert_allclose(features.d_asnl, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("configuration", CELLS, ids=["Fe4", "Fe3Ge"])
def test_pair_part_equals_its_twin(configuration):
    species = species_of(configuration)
    pair = PairPart(PAIR, species)
    weights = np.random.default_rng(0).normal(size=pair.size)
    sites_am, _ = pair.rows(configuration, find_neighbours(configuration, PAIR.cutoff_angstrom))
    assert float(np.sum(sites_am @ weights)) == pytest.approx(
        twin.pair_energy(configuration, PAIR, species, weights), rel=1e-11
    )
