"""Radial functions as a taper times piecewise polynomials, to a stated accuracy."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev

from soso_core.arrays import FloatArray
from soso_core.errors import InputError
from soso_core.kernels.vector.near import Radial
from soso_core.kernels.vector.simd import round_up_to_width

Functions = Callable[[FloatArray], FloatArray]
"""r_p (p,) Å to values (p, f), the cutoff function left out."""
MOST_SEGMENTS = 64
EASED = 1e3
TAPER_DEGREE = 7
"""Of (1 + cos πy) / 2 (1 - y²)² in y²: exact to 1e-13."""


@dataclass(frozen=True, eq=False)
class PolynomialFit:
    """Functions f_c(r) r^-power g(r) between `shortest` and `cutoff` (Å), on segments that overlap by `overlap` (Å).

    inner_edges_g (g - 1,) Å between segments; coefficients_gfd (g, f, d) in powers of
    t = maps_g2[g, 0] r + maps_g2[g, 1].  `value_error` and `slope_error` are the largest deviations found of the
    functions and of their derivatives, in the units of the functions (and per Å); where a function, here or further
    out, is `largest` times `FitRange.size` with `largest` above 1, they are that many times as large there.
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
    largest: float

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
        n_filled = round_up_to_width(n_functions)
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
    """Range of a fit (Å), its tolerance (units of the functions, and slopes per 0.1 Å) and its degree.

    `decay`: they fall about as r^-decay.  Its whole part is not left to the polynomials.
    `size`: a function that is larger than this, at a distance or beyond it, is fitted there to the same tolerance times
    its size over this one.
    """

    shortest: float
    cutoff: float
    taper: float
    overlap: float
    tolerance: float
    degree: int
    decay: float = 0.0
    size: float = np.inf

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

    Functions too steep for the tolerance get up to EASED times as much; `value_error` is the error reached.
    Raises InputError when even that needs more than MOST_SEGMENTS pieces.
    """
    sizes = _Sizes.of(functions, where)
    for eased in np.geomspace(1.0, EASED, 4):
        pieces = _pieces(functions, replace(where, tolerance=eased * where.tolerance), sizes)
        if pieces is not None:
            return _join(pieces, where, sizes)
    raise InputError(
        f"radial functions are too steep between {where.shortest:g} and {where.cutoff:g} Å for a tolerance of "
        f"{EASED * where.tolerance:g}"
    )


def _pieces(functions: Functions, where: FitRange, sizes: "_Sizes") -> "list[_Piece] | None":
    """Return the pieces from inside out; None when they would be too many, or one too narrow."""
    pieces: list[_Piece] = []
    high = where.cutoff
    while high > where.shortest:
        piece = _widest(functions, where, sizes, high)
        if piece is None or len(pieces) == MOST_SEGMENTS:
            return None
        pieces.append(piece)
        high = piece.low
    return pieces[::-1]


def _join(pieces: "list[_Piece]", where: FitRange, sizes: "_Sizes") -> PolynomialFit:
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
        float(np.max(sizes.sizes_gf)),
    )


@dataclass(frozen=True, eq=False)
class _Sizes:
    """The largest |f| at radii_g (Å) or beyond over `FitRange.size`, and at least 1: sizes_gf (g, f)."""

    radii_g: FloatArray
    sizes_gf: FloatArray

    @classmethod
    def of(cls, functions: Functions, where: FitRange) -> "_Sizes":
        radii_g = np.linspace(where.shortest, where.cutoff, 1000)
        values_gf = np.abs(functions(radii_g)) * _cutoff_function(where, radii_g)[:, None]
        largest_gf = np.maximum.accumulate(values_gf[::-1], axis=0)[::-1]
        return cls(radii_g, np.maximum(1.0, largest_gf / where.size))

    def at(self, r_p: FloatArray) -> FloatArray:
        """Return sizes (p, f)."""
        return np.stack([np.interp(r_p, self.radii_g, size_g) for size_g in self.sizes_gf.T], axis=1)


def _cutoff_function(where: FitRange, r_p: FloatArray) -> FloatArray:
    y_p = np.clip((r_p - where.cutoff + where.taper) / where.taper, 0.0, 1.0)
    return np.asarray(0.5 * (1.0 + np.cos(np.pi * y_p)))


@dataclass(frozen=True, eq=False)
class _Piece:
    low: float
    map_2: tuple[float, float]
    coefficients_fd: FloatArray
    value_error: float
    slope_error: float


def _widest(functions: Functions, where: FitRange, sizes: _Sizes, high: float) -> "_Piece | None":
    """Return the piece below `high` (Å) with the lowest lower end that meets the tolerance; None without one."""

    def meets(piece: _Piece) -> bool:
        return piece.value_error <= where.tolerance and piece.slope_error <= 10.0 * where.tolerance

    best = _piece(functions, where, sizes, where.shortest, high)
    if meets(best):
        return best
    too_low, low = where.shortest, high
    while low - too_low > 0.01:
        middle = 0.5 * (low + too_low)
        piece = _piece(functions, where, sizes, middle, high)
        if meets(piece):
            best, low = piece, middle
        else:
            too_low = middle
    return best if low < high else None


def _powers_of_chebyshev(degree: int) -> FloatArray:
    """Return the power coefficients of each Chebyshev polynomial up to a degree, one per column; zeros stay zeros."""
    columns = [chebyshev.cheb2poly(unit) for unit in np.eye(degree + 1)]
    return np.column_stack([np.pad(column, (0, degree + 1 - len(column))) for column in columns])


def _piece(functions: Functions, where: FitRange, sizes: _Sizes, low: float, high: float) -> _Piece:
    """Fit [low - overlap, high + overlap], inside [shortest, cutoff], and measure the errors there, over `sizes`."""
    start, stop = max(low - where.overlap, where.shortest), min(high + where.overlap, where.cutoff)
    half, middle = 0.5 * (stop - start), 0.5 * (stop + start)
    n_nodes, n_tests = 3 * where.degree, 12 * where.degree
    nodes = np.cos(np.pi * (np.arange(n_nodes) + 0.5) / n_nodes)
    r, test = middle + half * nodes, np.linspace(-1.0, 1.0, n_tests)
    values_pf, weights_pf = r[:, None] ** where.power * functions(r), 1.0 / sizes.at(r)
    coefficients_fd = [
        chebyshev.chebfit(nodes, values_p, where.degree, w=weights_p)
        for values_p, weights_p in zip(values_pf.T, weights_pf.T, strict=True)
    ]
    coefficients_df = np.stack(coefficients_fd, axis=1)
    r = middle + half * test
    error_pf = r[:, None] ** -float(where.power) * chebyshev.chebval(test, coefficients_df).T - functions(r)
    error_pf *= _cutoff_function(where, r)[:, None]
    sizes_pf = sizes.at(r)
    slope_error = float(np.max(np.abs(np.gradient(error_pf, r[1] - r[0], axis=0)) / sizes_pf))
    powers_fd = np.ascontiguousarray((_powers_of_chebyshev(where.degree) @ coefficients_df).T)
    return _Piece(low, (1.0 / half, -middle / half), powers_fd, float(np.max(np.abs(error_pf) / sizes_pf)), slope_error)
