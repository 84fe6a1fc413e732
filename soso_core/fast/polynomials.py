"""Radial functions as a taper times piecewise polynomials, to a stated accuracy."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev

from soso_core.arrays import FloatArray
from soso_core.errors import InputError
from soso_core.kernels.near import Radial
from soso_core.kernels.simd import padded

Functions = Callable[[FloatArray], FloatArray]
"""r_p (p,) Å to values (p, f), the cutoff function left out."""
MOST_SEGMENTS = 64
TAPER_DEGREE = 7
"""Of (1 + cos πy) / 2 (1 - y²)² in y²: exact to 1e-13."""


@dataclass(frozen=True, eq=False)
class PolynomialFit:
    """Functions f_c(r) r^-power g(r) between `shortest` and `cutoff` (Å), on segments that overlap by `overlap` (Å).

    inner_edges_g (g - 1,) Å between segments; coefficients_gfd (g, f, d) in powers of
    t = maps_g2[g, 0] r + maps_g2[g, 1].  `value_error` and `slope_error` are the largest deviations found of the
    functions and of their derivatives, in the units of the functions (and per Å).
    """

    inner_edges_g: FloatArray
    maps_g2: FloatArray
    coefficients_gfd: FloatArray
    shortest: float
    inner: float
    cutoff: float
    overlap: float
    power: int
    value_error: float
    slope_error: float

    @property
    def n_segments(self) -> int:
        """Number of pieces."""
        return len(self.maps_g2)

    @cached_property
    def packed(self) -> Radial:
        """The arrays as the kernels take them."""
        return self.packed_with(self.coefficients_gfd)

    def packed_with(self, coefficients_fd: FloatArray) -> Radial:
        """The arrays with other coefficients (..., f, d); f is filled up to a multiple of four."""
        *outer, n_functions, n_powers = coefficients_fd.shape
        n_filled = padded(n_functions)
        rows = np.zeros((*outer, n_filled, n_powers))
        rows[..., :n_functions, :] = coefficients_fd
        is_tapered_g = np.append(self.inner_edges_g, self.cutoff) + self.overlap > self.inner
        taper_d = taper_coefficients()
        return Radial(
            self.maps_g2,
            is_tapered_g,
            rows.reshape(-1, n_powers),
            n_filled,
            taper_d,
            self.inner,
            self.cutoff,
            self.power,
        )


@dataclass(frozen=True)
class FitRange:
    """Where functions are fitted (Å), to what tolerance (their units, and slopes per 0.1 Å), in which degree.

    `decay`: they fall about as r^-decay.  Its whole part is not left to the polynomials.
    """

    shortest: float
    cutoff: float
    taper: float
    overlap: float
    tolerance: float
    degree: int
    decay: float = 0.0

    @property
    def power(self) -> int:
        """The whole part of `decay`."""
        return int(self.decay)


def taper_coefficients() -> FloatArray:
    """Return the powers of q in (1 + cos π√q) / 2 (1 - q)²."""
    q = 0.5 + 0.5 * np.cos(np.pi * (np.arange(40) + 0.5) / 40)
    values = 0.5 * (1.0 + np.cos(np.pi * np.sqrt(q))) / (1.0 - q) ** 2
    fit = chebyshev.Chebyshev.fit(q, values, TAPER_DEGREE, domain=[0.0, 1.0])
    return np.asarray(fit.convert(kind=np.polynomial.Polynomial, domain=[-1.0, 1.0]).coef)


def fit_polynomials(functions: Functions, where: FitRange) -> PolynomialFit:
    """Return the fit with as few segments as the tolerance allows, each as wide as it can be, from outside in.

    Raises InputError when that needs more than MOST_SEGMENTS pieces.
    """
    pieces: list[_Piece] = []
    high = where.cutoff
    while high > where.shortest:
        pieces.append(_widest(functions, where, high))
        high = pieces[-1].low
        if len(pieces) > MOST_SEGMENTS:
            raise InputError(f"radial functions need more than {MOST_SEGMENTS} polynomials for {where.tolerance:g}")
    pieces.reverse()
    return PolynomialFit(
        np.array([piece.low for piece in pieces[1:]]),
        np.array([piece.map_2 for piece in pieces]),
        np.stack([piece.coefficients_fd for piece in pieces]),
        where.shortest,
        where.cutoff - where.taper,
        where.cutoff,
        where.overlap,
        where.power,
        max(piece.value_error for piece in pieces),
        max(piece.slope_error for piece in pieces),
    )


@dataclass(frozen=True, eq=False)
class _Piece:
    low: float
    map_2: tuple[float, float]
    coefficients_fd: FloatArray
    value_error: float
    slope_error: float


def _widest(functions: Functions, where: FitRange, high: float) -> _Piece:
    """Return the piece below `high` (Å) with the lowest lower end that meets the tolerance."""

    def meets(piece: _Piece) -> bool:
        return piece.value_error <= where.tolerance and piece.slope_error <= 10.0 * where.tolerance

    best = _piece(functions, where, where.shortest, high)
    if meets(best):
        return best
    too_low, low = where.shortest, high
    while low - too_low > 0.01:
        middle = 0.5 * (low + too_low)
        piece = _piece(functions, where, middle, high)
        if meets(piece):
            best, low = piece, middle
        else:
            too_low = middle
    if low == high:
        raise InputError(f"radial functions are too steep near {high:.3g} Å for a tolerance of {where.tolerance:g}")
    return best


def _piece(functions: Functions, where: FitRange, low: float, high: float) -> _Piece:
    """Fit [low - overlap, high + overlap], inside [shortest, cutoff], and measure the errors there."""
    start, stop = max(low - where.overlap, where.shortest), min(high + where.overlap, where.cutoff)
    half, middle = 0.5 * (stop - start), 0.5 * (stop + start)
    n_nodes, n_tests = 3 * where.degree, 12 * where.degree
    nodes = np.cos(np.pi * (np.arange(n_nodes) + 0.5) / n_nodes)
    r, test = middle + half * nodes, np.linspace(-1.0, 1.0, n_tests)
    coefficients_df = chebyshev.chebfit(nodes, r[:, None] ** where.power * functions(r), where.degree)
    r = middle + half * test
    error_pf = r[:, None] ** -float(where.power) * chebyshev.chebval(test, coefficients_df).T - functions(r)
    y = np.clip((r - where.cutoff + where.taper) / where.taper, 0.0, 1.0)
    error_pf *= 0.5 * (1.0 + np.cos(np.pi * y))[:, None]
    slope_error = float(np.max(np.abs(np.gradient(error_pf, r[1] - r[0], axis=0))))
    powers_df = np.apply_along_axis(chebyshev.cheb2poly, 0, coefficients_df)
    powers_fd = np.asarray(powers_df.T, dtype=np.float64)
    return _Piece(low, (1.0 / half, -middle / half), powers_fd, float(np.max(np.abs(error_pf))), slope_error)
