"""The neighbours of one atom four at a time, and piecewise polynomials in the distance on them.

Atoms are rows of atoms_a8: x, y, z (Å), species index, spin x, y, z, and 1 where there is a spin.  The neighbours of
an atom are sorted into bins, bin = species of the neighbour · number of segments + segment; every bin is filled up
to a multiple of four with entries that lie far away.  In its bin the nearest comes first, so that the cutoff seldom
divides more than one group of four.  A neighbour stays in its bin while it moves by less than the
skin: neighbouring polynomials overlap by that much.  Distances beyond the cutoff count as the cutoff, where all
functions and their slopes vanish.
"""

from typing import NamedTuple

from soso_core.arrays import BoolArray, FloatArray, IntArray
from soso_core.kernels._jit import inlined_jit
from soso_core.kernels.vector.simd import (
    any_smaller,
    broadcast,
    item,
    larger,
    load,
    one_if_smaller,
    smaller,
    splat,
    square_root,
    transpose,
)

FAR = 1e3
"""Å from an atom to the entries that fill a bin."""


class NearList(NamedTuple):
    """Atoms and their neighbours: bin b of atom a holds entries starts_ab[a, b]:starts_ab[a, b + 1].

    Entry p is the image of atom j_p[p] that lies at shifts_t4[shift_p[p]] (Å) from it; n_most entries an atom at most.
    """

    atoms_a8: FloatArray
    starts_ab: IntArray
    j_p: IntArray
    shift_p: IntArray
    shifts_t4: FloatArray
    n_most: int


class Radial(NamedTuple):
    """Functions f_c(r) r^-power g(r), their number a multiple of four, g piecewise polynomial.

    On segment g it is in powers of t = maps_g2[g, 0] r + maps_g2[g, 1];
    coefficients_fd: row (... · segments + g) · n_functions + function.  f_c = (1 - q)² Σ_d taper_d q^d with
    q = y², y = (r - inner) / (cutoff - inner), and 1 for r < inner.  is_tapered_g: segments that reach beyond `inner`.
    """

    maps_g2: FloatArray
    is_tapered_g: BoolArray
    coefficients_fd: FloatArray
    n_functions: int
    taper_d: FloatArray
    inner: float
    cutoff: float
    power: int


@inlined_jit
def fetch_place(i: int, p: int, source: NearList):  # type: ignore[no-untyped-def]
    """Return the vectors (3) from atom i to its entries p:p+4, all Vec4."""
    j_p, shift_p, atoms_a8, shifts_t4 = source.j_p, source.shift_p, source.atoms_a8, source.shifts_t4
    centre = load(atoms_a8, i, 0)
    x, y, z, _ = transpose(
        load(atoms_a8, item(j_p, p), 0) + (load(shifts_t4, item(shift_p, p), 0) - centre),
        load(atoms_a8, item(j_p, p + 1), 0) + (load(shifts_t4, item(shift_p, p + 1), 0) - centre),
        load(atoms_a8, item(j_p, p + 2), 0) + (load(shifts_t4, item(shift_p, p + 2), 0) - centre),
        load(atoms_a8, item(j_p, p + 3), 0) + (load(shifts_t4, item(shift_p, p + 3), 0) - centre),
    )
    return x, y, z


@inlined_jit
def fetch_spin(i: int, p: int, source: NearList):  # type: ignore[no-untyped-def]
    """Return the spins (3) of entries p:p+4 of atom i and the factor 1 where both have a spin, all Vec4."""
    j_p, atoms_a8 = source.j_p, source.atoms_a8
    sx, sy, sz, has_spin = transpose(
        load(atoms_a8, item(j_p, p), 4),
        load(atoms_a8, item(j_p, p + 1), 4),
        load(atoms_a8, item(j_p, p + 2), 4),
        load(atoms_a8, item(j_p, p + 3), 4),
    )
    return sx, sy, sz, has_spin * broadcast(atoms_a8, i, 7)


@inlined_jit
def any_within(x, y, z, reach: float):  # type: ignore[no-untyped-def]
    """Return whether one of four vectors is shorter than `reach` (Å)."""
    return any_smaller(x * x + y * y + z * z, splat(reach * reach))


@inlined_jit
def four_polynomials(coefficients_fd: FloatArray, f: int, t):  # type: ignore[no-untyped-def]
    """Return the values and slopes by t of Σ_d c[f + m, d] t^d, m = 0 to 3 (Horner): v0, s0, ... v3, s3, all Vec4.

    Four at a time, as each step waits for the one before.
    """
    degree = coefficients_fd.shape[1] - 1
    v0, v1 = broadcast(coefficients_fd, f, degree), broadcast(coefficients_fd, f + 1, degree)
    v2, v3 = broadcast(coefficients_fd, f + 2, degree), broadcast(coefficients_fd, f + 3, degree)
    s0 = s1 = s2 = s3 = splat(0.0)
    for d in range(degree - 1, -1, -1):
        s0, s1, s2, s3 = s0 * t + v0, s1 * t + v1, s2 * t + v2, s3 * t + v3
        v0, v1 = v0 * t + broadcast(coefficients_fd, f, d), v1 * t + broadcast(coefficients_fd, f + 1, d)
        v2, v3 = v2 * t + broadcast(coefficients_fd, f + 2, d), v3 * t + broadcast(coefficients_fd, f + 3, d)
    return v0, s0, v1, s1, v2, s2, v3, s3


@inlined_jit
def envelope(functions: Radial, g: int, r, per_r, inside):  # type: ignore[no-untyped-def]
    """Return f_c(r) r^-power and its derivative on segment g, both Vec4, for r not beyond the cutoff."""
    fc, dfc = inside, splat(0.0)
    if functions.is_tapered_g[g] and any_smaller(splat(functions.inner), r):
        fc, dfc = taper(functions, r)
    factor = splat(1.0)
    for _ in range(functions.power):
        factor = factor * per_r
    return fc * factor, (dfc - fc * per_r * float(functions.power)) * factor


@inlined_jit
def taper(functions: Radial, r):  # type: ignore[no-untyped-def]
    """Return f_c(r) and its derivative, both Vec4, for r not beyond the cutoff."""
    per_width = 1.0 / (functions.cutoff - functions.inner)
    y = larger(r - functions.inner, splat(0.0)) * per_width
    q = y * y
    degree = len(functions.taper_d) - 1
    value, slope = splat(item(functions.taper_d, degree)), splat(0.0)
    for d in range(degree - 1, -1, -1):
        slope = slope * q + value
        value = value * q + item(functions.taper_d, d)
    rest = splat(1.0) - q
    return rest * rest * value, (rest * slope - value * 2.0) * rest * y * (2.0 * per_width)


@inlined_jit
def distance(x, y, z, cutoff: float):  # type: ignore[no-untyped-def]
    """Return |r|, at most the cutoff, 1/|r|, and 1 inside the cutoff or 0, all Vec4."""
    length = square_root(x * x + y * y + z * z)
    return smaller(length, splat(cutoff)), splat(1.0) / length, one_if_smaller(length, splat(cutoff))
