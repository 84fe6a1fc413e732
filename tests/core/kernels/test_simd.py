"""Vector code against NumPy."""

import numpy as np
import pytest

from soso_core import InputError
from soso_core.compiled.polynomials import FitRange, fit_polynomials, taper_coefficients
from soso_core.kernels._jit import jit
from soso_core.kernels.exact.spherical import spherical_harmonics
from soso_core.kernels.vector import layout, near
from soso_core.kernels.vector.harmonics import harmonic_rows, make_harmonic_work, make_harmonics
from soso_core.kernels.vector.products import contract, expand_columns, expand_rows
from soso_core.kernels.vector.simd import (
    any_smaller,
    least,
    load,
    one_if_smaller,
    square_root,
    store,
    sums,
    total,
    transpose,
)

RNG = np.random.default_rng(4)


@jit
def arithmetic(rows_rk, out_rk):
    a, b, c, d = load(rows_rk, 0, 0), load(rows_rk, 1, 0), load(rows_rk, 2, 0), load(rows_rk, 3, 0)
    store(out_rk, 0, 0, (a + b * c - d / b) * 2.0)
    store(out_rk, 1, 0, square_root(a))
    store(out_rk, 2, 0, sums(a, b, c, d))
    store(out_rk, 3, 0, one_if_smaller(a, b))
    for row, column in enumerate(transpose(a, b, c, d)):
        store(out_rk, 4 + row, 0, column)
    return total(a), least(a)


def test_arithmetic():
    rows_rk, out_rk = RNG.uniform(0.5, 2.0, size=(4, 4)), np.zeros((8, 4))
    a, b, c, d = rows_rk
    totals = arithmetic(rows_rk, out_rk)
    expected = [(a + b * c - d / b) * 2.0, np.sqrt(a), rows_rk.sum(axis=1), (a < b).astype(float), *rows_rk.T]
    np.testing.assert_allclose(out_rk, expected, rtol=1e-14)
    assert totals == pytest.approx((a.sum(), a.min()), rel=1e-14)


@jit
def one_is_smaller(rows_rk):
    return any_smaller(load(rows_rk, 0, 0), load(rows_rk, 1, 0))


@pytest.mark.parametrize("place", [None, 0, 1, 2, 3])
def test_any_smaller(place):
    rows_rk = np.array([[2.0] * 4, [1.0] * 4])
    if place is not None:
        rows_rk[0, place] = 0.5
    assert one_is_smaller(rows_rk) == (place is not None)


@pytest.mark.parametrize(("n_x", "n_y", "k0", "k1"), [(4, 2, 0, 4), (8, 6, 4, 24), (20, 26, 0, 28), (12, 4, 8, 8)])
def test_row_products(n_x, n_y, k0, k1):
    left_xk, right_yk, g_yx = RNG.normal(size=(n_x, 32)), RNG.normal(size=(n_y, 32)), RNG.normal(size=(n_y, n_x + 4))
    part = slice(k0, k1)
    out_yx, out_xk, out_yk = np.zeros((n_y, n_x + 4)), np.zeros((n_x, 32)), np.zeros((n_y, 32))
    contract(left_xk, right_yk, n_x, n_y, k0, k1, out_yx, 4)
    expand_columns(g_yx, 4, n_x, right_yk, n_y, k0, k1, out_xk)
    expand_rows(g_yx, 4, n_x, left_xk, n_y, k0, k1, out_yk)
    np.testing.assert_allclose(out_yx[:, 4:], right_yk[:, part] @ left_xk[:, part].T, atol=1e-13)
    np.testing.assert_allclose(out_xk[:, part], g_yx[:, 4:].T @ right_yk[:, part], atol=1e-13)
    np.testing.assert_allclose(out_yk[:, part], g_yx[:, 4:] @ left_xk[:, part], atol=1e-13)
    assert not out_yx[:, :4].any()
    assert not np.delete(out_xk, np.arange(k0, k1), axis=1).any()


def test_harmonics_equal_those_of_the_slow_kernel():
    vectors_pc = RNG.normal(size=(8, 3))
    r_p = np.linalg.norm(vectors_pc, axis=1)
    room = layout.Layout(np.zeros((layout.N_ROWS, 8)), np.zeros((4, 8)), np.zeros((4, 8)), np.zeros((36, 8)))
    room.place_rk[:3] = (vectors_pc / r_p[:, None]).T
    harmonic_rows(make_harmonics(5), make_harmonic_work(5), room, 8)
    np.testing.assert_allclose(room.y_yk.T, spherical_harmonics(vectors_pc, r_p, 5), atol=1e-13)


def test_taper_is_half_a_cosine():
    q = np.linspace(0.0, 1.0, 101)
    exact = 0.5 * (1.0 + np.cos(np.pi * np.sqrt(q)))
    np.testing.assert_allclose((1.0 - q) ** 2 * np.polyval(taper_coefficients()[::-1], q), exact, atol=1e-11)


def functions(r_p):
    return np.stack([np.exp(-((r_p - 2.5) ** 2)) / r_p**3, (r_p**3 - 20.0 * r_p) / r_p**2.5], axis=1)


def test_polynomials_are_as_near_as_they_say():
    where = FitRange(shortest=1.5, cutoff=5.0, taper=1.0, overlap=0.3, tolerance=1e-7, degree=9, decay=2.5)
    fit = fit_polynomials(functions, where)
    assert fit.n_segments > 1
    assert fit.value_error <= 1e-7
    assert fit.power == 2
    r_p = np.linspace(1.5, 5.0, 4001)
    segment_p = np.searchsorted(fit.inner_edges_g, r_p)
    t_p = fit.maps_g2[segment_p, 0] * r_p + fit.maps_g2[segment_p, 1]
    assert np.abs(t_p).max() <= 1.0 + 1e-12
    own_pf = np.einsum("pfd,pd->pf", fit.coefficients_gfd[segment_p], t_p[:, None] ** np.arange(10)) / r_p[:, None] ** 2
    taper_p = 0.5 * (1.0 + np.cos(np.pi * np.clip(r_p - 4.0, 0.0, 1.0)))
    error_pf = taper_p[:, None] * (own_pf - functions(r_p))
    # A finer grid than the one it measured on.
    assert 1e-12 < np.abs(error_pf).max() <= 1.1 * fit.value_error


def test_a_fit_that_cannot_be_made_says_so():
    where = FitRange(shortest=0.5, cutoff=5.0, taper=1.0, overlap=0.3, tolerance=1e-14, degree=5)
    with pytest.raises(InputError, match="radial functions"):
        fit_polynomials(functions, where)


@jit
def four_polynomials(coefficients_fd, t_rk, out_rk):
    parts = near.four_polynomials(coefficients_fd, 4, load(t_rk, 0, 0))
    for row, part in enumerate(parts):
        store(out_rk, row, 0, part)


def test_four_polynomials():
    coefficients_fd, t_rk, out_rk = RNG.normal(size=(8, 6)), RNG.uniform(-1, 1, size=(1, 4)), np.zeros((8, 4))
    four_polynomials(coefficients_fd, t_rk, out_rk)
    for m in range(4):
        own = np.polynomial.Polynomial(coefficients_fd[4 + m])
        np.testing.assert_allclose(out_rk[2 * m], own(t_rk[0]), atol=1e-13)
        np.testing.assert_allclose(out_rk[2 * m + 1], own.deriv()(t_rk[0]), atol=1e-13)
