"""The monomials of the covariance, as docs/topics/theory.md describes them."""

from itertools import product

import numpy as np
import pytest

from soso_core.gp.model.covariance import Points, ProductCovariance


@pytest.mark.parametrize("zeta", [1, 2, 3])
def test_monomials_with_their_multiplicities_are_the_power(zeta):
    """(Σ_q k_q)^zeta = Σ over all ordered products, each of which is a monomial."""
    rng = np.random.default_rng(1)
    blocks = {"d": slice(0, 2), "1-1": slice(2, 5), "P1-P1": slice(5, 6)}
    points = Points(rng.normal(size=(4, 6)), np.zeros(4, dtype=np.int64))
    covariance = ProductCovariance(blocks, zeta)
    k_tab = covariance.values(points, points)
    count_t = np.zeros(len(covariance.monomials))
    for ordered in product(range(3), repeat=zeta):
        count_t[covariance.monomials.index(tuple(sorted(ordered)))] += 1
    np.testing.assert_allclose(
        np.einsum("t,tab->ab", count_t, k_tab), (points.x_af @ points.x_af.T) ** zeta, rtol=1e-12
    )
    assert covariance.names[0] == " ".join(["d"] * zeta)


def test_different_species_have_no_covariance():
    points = Points(np.ones((2, 3)), np.array([0, 1]))
    (k_ab,) = ProductCovariance({"d": slice(0, 3)}, 1).values(points, points)
    np.testing.assert_array_equal(k_ab, 3.0 * np.eye(2))
