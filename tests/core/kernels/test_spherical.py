"""Real spherical harmonics and their gradients, also at the poles and at high order."""

import numpy as np
import pytest
from reference.three_body import real_harmonic

from soso_core.kernels.exact.spherical import spherical_harmonics, spherical_harmonics_gradient
from soso_core.testing import assert_derivative

VECTORS = np.array([[0.3, -1.2, 0.7], [0.0, 0.0, 1.7], [0.0, 0.0, -0.9], [2.0, 0.0, 0.0], [0.0, -0.4, 0.0]])
LENGTHS = np.linalg.norm(VECTORS, axis=1)


def test_values_equal_their_twin():
    values_py = spherical_harmonics(VECTORS, LENGTHS, 9)
    orders = [(order, m) for order in range(10) for m in range(-order, order + 1)]
    expected = [[real_harmonic(order, m, vector) for order, m in orders] for vector in VECTORS]
    np.testing.assert_allclose(values_py, expected, atol=1e-13)


@pytest.mark.parametrize("l_max", [1, 4, 9])
def test_gradients(l_max):
    weights_y = np.random.default_rng(0).normal(size=(l_max + 1) ** 2)

    def total(vectors_pc):
        return float(np.sum(spherical_harmonics(vectors_pc, np.linalg.norm(vectors_pc, axis=1), l_max) @ weights_y))

    slopes_pc = np.einsum("pyc,y->pc", spherical_harmonics_gradient(VECTORS, LENGTHS, l_max), weights_y)
    assert_derivative(total, VECTORS, slopes_pc, 2e-4, 1e-8)


def test_addition_theorem_at_high_order():
    """Σ_m Y_lm² = (2l+1)/4π for every direction: the recurrence has lost nothing at l = 60."""
    values_py = spherical_harmonics(VECTORS, LENGTHS, 60)
    for order in range(61):
        total_p = np.sum(values_py[:, order**2 : (order + 1) ** 2] ** 2, axis=1)
        np.testing.assert_allclose(total_p, (2 * order + 1) / (4 * np.pi), rtol=1e-11)


@pytest.mark.parametrize("pole", [1.0, -1.0])
def test_nothing_happens_at_the_poles(pole):
    near = np.array([[0.0, 0.0, pole], [1e-9, -1e-9, pole]])
    slopes_pyc = spherical_harmonics_gradient(near, np.linalg.norm(near, axis=1), 6)
    # Second derivatives at l = 6 are of order 100 at most.
    np.testing.assert_allclose(slopes_pyc[0], slopes_pyc[1], atol=1e-6)
