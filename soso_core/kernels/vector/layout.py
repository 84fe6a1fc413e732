"""The neighbours of one atom as rows [row, k] for vector code: directions, spins, radial functions.

Column k is entry starts_ab[i, 0] + k of the `NearList`.
"""

from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels._jit import inlined_jit, inner_jit, jit
from soso_core.kernels.vector import near
from soso_core.kernels.vector.simd import broadcast, item, load, splat, store, total, transpose

UNIT_X, UNIT_Y, UNIT_Z, PER_R, RADIUS, SPIN_X, SPIN_Y, SPIN_Z, BOTH_SPINS = range(9)
"""Rows of place_rk: direction, 1/r (1/Å), r (Å), spin of the neighbour, 1 where centre and neighbour have spins."""
N_ROWS = 9


class Layout(NamedTuple):
    """place_rk as above, radial functions h_nk and slopes dh_nk (n, k), an angular part y_yk (y, k)."""

    place_rk: FloatArray
    h_nk: FloatArray
    dh_nk: FloatArray
    y_yk: FloatArray


class Layouts(NamedTuple):
    """The same for every atom of a block."""

    place_brk: FloatArray
    h_bnk: FloatArray
    dh_bnk: FloatArray
    y_byk: FloatArray


@jit
def make_layouts(n_block: int, n_most: int, n_radial: int, n_angular: int) -> Layouts:
    """Return arrays for a block of atoms with at most n_most entries each."""
    return Layouts(
        np.zeros((n_block, N_ROWS, n_most)),
        np.zeros((n_block, n_radial, n_most)),
        np.zeros((n_block, n_radial, n_most)),
        np.zeros((n_block, n_angular, n_most)),
    )


@inlined_jit
def layout_of(layouts: Layouts, b: int) -> Layout:
    """Return that of one atom of the block; for `inner_jit` callers only, as its references are not counted."""
    return Layout(layouts.place_brk[b], layouts.h_bnk[b], layouts.dh_bnk[b], layouts.y_byk[b])


@inner_jit
def lay_out(i: int, source: near.NearList, functions: near.Radial, out: Layout) -> int:
    """Fill all but the angular part for atom i; return the number of columns.

    Function n of segment g has its coefficients in row g · n_functions + n.
    """
    starts_ab, n_segments = source.starts_ab, len(functions.maps_g2)
    n_bins = starts_ab.shape[1] - 1
    first = starts_ab[i, 0]
    for b in range(n_bins):
        g = b % n_segments
        for p in range(starts_ab[i, b], starts_ab[i, b + 1], 4):
            x, y, z = near.fetch_place(i, p, source)
            sx, sy, sz, both = near.fetch_spin(i, p, source)
            r, per_r, inside = near.distance(x, y, z, functions.cutoff)
            k = p - first
            store(out.place_rk, UNIT_X, k, x * per_r)
            store(out.place_rk, UNIT_Y, k, y * per_r)
            store(out.place_rk, UNIT_Z, k, z * per_r)
            store(out.place_rk, PER_R, k, per_r)
            store(out.place_rk, RADIUS, k, r)
            store(out.place_rk, SPIN_X, k, sx)
            store(out.place_rk, SPIN_Y, k, sy)
            store(out.place_rk, SPIN_Z, k, sz)
            store(out.place_rk, BOTH_SPINS, k, both)
            _radial_column(functions, g, r, per_r, inside, k, out)
    return int(starts_ab[i, n_bins] - first)


@inlined_jit
def _radial_column(  # type: ignore[no-untyped-def]
    functions: near.Radial, g: int, r, per_r, inside, k: int, out: Layout
) -> None:
    """Write all radial functions of four neighbours at distance r; zero beyond the cutoff."""
    scale = functions.maps_g2[g, 0]
    t = r * scale + functions.maps_g2[g, 1]
    fc, dfc = near.envelope(functions, g, r, per_r, inside)
    slope_factor = fc * scale
    for n in range(0, functions.n_functions, 4):
        row = g * functions.n_functions + n
        v0, s0, v1, s1, v2, s2, v3, s3 = near.four_polynomials(functions.coefficients_fd, row, t)
        store(out.h_nk, n, k, v0 * fc)
        store(out.h_nk, n + 1, k, v1 * fc)
        store(out.h_nk, n + 2, k, v2 * fc)
        store(out.h_nk, n + 3, k, v3 * fc)
        store(out.dh_nk, n, k, s0 * slope_factor + v0 * dfc)
        store(out.dh_nk, n + 1, k, s1 * slope_factor + v1 * dfc)
        store(out.dh_nk, n + 2, k, s2 * slope_factor + v2 * dfc)
        store(out.dh_nk, n + 3, k, s3 * slope_factor + v3 * dfc)


@inlined_jit
def add_gradients(  # type: ignore[no-untyped-def]
    i: int,
    source: near.NearList,
    layout: Layout,
    k: int,
    force,
    spin_gradient,
    cosine_slope,
    gradient_a8: FloatArray,
    centre_r4: FloatArray,
) -> None:
    """Accumulate the gradients of four neighbours, all Vec4.

    force: ∂E/∂vector (3); spin_gradient: ∂E/∂e_j (3); cosine_slope: ∂E/∂(e_i·e_j).

    gradient_a8 (a, 8): ∂E/∂position in columns 0-2, ∂E/∂e in 4-6.  centre_r4: over neighbours, rows 0-2 the force, 3-5
    ∂E/∂e_i, 6-11 force ⊗ vector (xx yy zz yz xz xy).
    """
    atoms_a8, j_p = source.atoms_a8, source.j_p
    fx, fy, fz = force
    tx, ty, tz = spin_gradient
    place_rk = layout.place_rk
    sx, sy, sz = load(place_rk, SPIN_X, k), load(place_rk, SPIN_Y, k), load(place_rk, SPIN_Z, k)
    zero = splat(0.0)
    p = source.starts_ab[i, 0] + k
    ex, ey, ez = broadcast(atoms_a8, i, 4), broadcast(atoms_a8, i, 5), broadcast(atoms_a8, i, 6)
    f0, f1, f2, f3 = transpose(fx, fy, fz, zero)
    t0, t1, t2, t3 = transpose(tx + cosine_slope * ex, ty + cosine_slope * ey, tz + cosine_slope * ez, zero)
    _add(gradient_a8, item(j_p, p), f0, t0)
    _add(gradient_a8, item(j_p, p + 1), f1, t1)
    _add(gradient_a8, item(j_p, p + 2), f2, t2)
    _add(gradient_a8, item(j_p, p + 3), f3, t3)
    r = load(place_rk, RADIUS, k)
    x, y, z = load(place_rk, UNIT_X, k) * r, load(place_rk, UNIT_Y, k) * r, load(place_rk, UNIT_Z, k) * r
    _increase(centre_r4, 0, fx, fy, fz)
    _increase(centre_r4, 3, cosine_slope * sx, cosine_slope * sy, cosine_slope * sz)
    _increase(centre_r4, 6, fx * x, fy * y, fz * z)
    _increase(centre_r4, 9, fy * z, fx * z, fx * y)


@inlined_jit
def _add(gradient_a8: FloatArray, j: int, force, spin_gradient) -> None:  # type: ignore[no-untyped-def]
    store(gradient_a8, j, 0, load(gradient_a8, j, 0) + force)
    store(gradient_a8, j, 4, load(gradient_a8, j, 4) + spin_gradient)


@inlined_jit
def _increase(centre_r4: FloatArray, row: int, x, y, z) -> None:  # type: ignore[no-untyped-def]
    store(centre_r4, row, 0, load(centre_r4, row, 0) + x)
    store(centre_r4, row + 1, 0, load(centre_r4, row + 1, 0) + y)
    store(centre_r4, row + 2, 0, load(centre_r4, row + 2, 0) + z)


@inner_jit
def flush_centre(i: int, centre_r4: FloatArray, gradient_a8: FloatArray, virial_6: FloatArray) -> None:
    """Add the accumulators of the centre to its gradient and to the virial, and clear them."""
    for c in range(3):
        gradient_a8[i, c] -= total(load(centre_r4, c, 0))
        gradient_a8[i, 4 + c] += total(load(centre_r4, 3 + c, 0))
    for v in range(6):
        virial_6[v] += total(load(centre_r4, 6 + v, 0))
    for row in range(len(centre_r4)):
        store(centre_r4, row, 0, splat(0.0))
