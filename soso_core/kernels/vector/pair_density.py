"""d of one atom, Σ_j h_n(r) A_λ P_λ(e_i·e_j), and its adjoint, in vector code; as `exact.pair_density`, all in one."""

from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels._jit import inner_jit, jit
from soso_core.kernels.vector import layout, near
from soso_core.kernels.vector.products import contract, expand_columns, expand_rows
from soso_core.kernels.vector.simd import load, splat, store


class SpinDensity(NamedTuple):
    """radial functions; A_λ coupling_l (l,); h_n(0) central_n (n,); number of species."""

    radial: near.Radial
    coupling_l: FloatArray
    central_n: FloatArray
    n_species: int


class SpinDensityWork(NamedTuple):
    """Scratch: density d_yx, its adjoint g_yx (λ, (species, n)), slopes dq_yk, adjoints gh_nk and gq_yk."""

    d_yx: FloatArray
    g_yx: FloatArray
    dq_yk: FloatArray
    gh_nk: FloatArray
    gq_yk: FloatArray


@jit
def make_density_work(n_columns: int, n_pad: int, n_angular: int, n_most: int) -> SpinDensityWork:
    """Return scratch for atoms with at most n_most entries."""
    return SpinDensityWork(
        np.zeros((n_angular, n_columns)),
        np.zeros((n_angular, n_columns)),
        np.zeros((n_angular, n_most)),
        np.zeros((n_pad, n_most)),
        np.zeros((n_angular, n_most)),
    )


@inner_jit
def legendre_rows(
    i: int, source: near.NearList, coupling_l: FloatArray, at: layout.Layout, n: int, dq_yk: FloatArray
) -> None:
    """Write A_λ P_λ and its slope by e_i·e_j; λ > 0 is zero unless both atoms have a spin."""
    atoms_a8, place_rk = source.atoms_a8, at.place_rk
    ex, ey, ez = atoms_a8[i, 4], atoms_a8[i, 5], atoms_a8[i, 6]
    for k in range(0, n, 4):
        sx, sy = load(place_rk, layout.SPIN_X, k), load(place_rk, layout.SPIN_Y, k)
        u = sx * ex + sy * ey + load(place_rk, layout.SPIN_Z, k) * ez
        both = load(place_rk, layout.BOTH_SPINS, k)
        store(at.y_yk, 0, k, splat(coupling_l[0]))
        store(dq_yk, 0, k, splat(0.0))
        before, now, slope_before, slope_now = splat(1.0), u, splat(0.0), splat(1.0)
        for order in range(1, len(coupling_l)):
            factor = both * coupling_l[order]
            store(at.y_yk, order, k, factor * now)
            store(dq_yk, order, k, factor * slope_now)
            up = (2.0 * order + 1.0) / (order + 1.0)
            slope_before, slope_now = slope_now, slope_before + now * (2.0 * order + 1.0)
            before, now = now, u * now * up - before * (up - 1.0)


@inner_jit
def density_forward(
    i: int, source: near.NearList, model: SpinDensity, at: layout.Layout, work: SpinDensityWork, out_f: FloatArray
) -> None:
    """Lay atom i out and write d, ordered (species, n, λ), into out_f."""
    n = layout.lay_out(i, source, model.radial, at)
    legendre_rows(i, source, model.coupling_l, at, n, work.dq_yk)
    n_pad, n_orders, n_max = len(at.h_nk), len(model.coupling_l), len(model.central_n)
    n_segments, first = len(model.radial.maps_g2), source.starts_ab[i, 0]
    for s in range(model.n_species):
        start = source.starts_ab[i, s * n_segments] - first
        stop = source.starts_ab[i, (s + 1) * n_segments] - first
        contract(at.h_nk, at.y_yk, n_pad, len(at.y_yk), start, stop, work.d_yx, s * n_pad)
        for m in range(n_max):
            for order in range(n_orders):
                out_f[(s * n_max + m) * n_orders + order] = work.d_yx[order, s * n_pad + m]
    own = int(source.atoms_a8[i, 3])
    for m in range(n_max):
        out_f[(own * n_max + m) * n_orders] += model.central_n[m]


@inner_jit
def density_adjoint(
    i: int,
    source: near.NearList,
    model: SpinDensity,
    at: layout.Layout,
    work: SpinDensityWork,
    g_f: FloatArray,
    gradient_a8: FloatArray,
    centre_r4: FloatArray,
) -> None:
    """Add the gradients of the environment of atom i, laid out before, from g = ∂E/∂d."""
    n_pad, n_orders, n_max = len(at.h_nk), len(model.coupling_l), len(model.central_n)
    n_segments, first = len(model.radial.maps_g2), source.starts_ab[i, 0]
    n = source.starts_ab[i, model.n_species * n_segments] - first
    legendre_rows(i, source, model.coupling_l, at, n, work.dq_yk)
    for s in range(model.n_species):
        for m in range(n_max):
            for order in range(n_orders):
                work.g_yx[order, s * n_pad + m] = g_f[(s * n_max + m) * n_orders + order]
        start = source.starts_ab[i, s * n_segments] - first
        stop = source.starts_ab[i, (s + 1) * n_segments] - first
        expand_columns(work.g_yx, s * n_pad, n_pad, at.y_yk, n_orders, start, stop, work.gh_nk)
        expand_rows(work.g_yx, s * n_pad, n_max, at.h_nk, len(at.y_yk), start, stop, work.gq_yk)
    zero = splat(0.0)
    for k in range(0, n, 4):
        slope, cosine_slope = splat(0.0), splat(0.0)
        for m in range(n_max):
            slope = slope + load(work.gh_nk, m, k) * load(at.dh_nk, m, k)
        for order in range(1, n_orders):
            cosine_slope = cosine_slope + load(work.gq_yk, order, k) * load(work.dq_yk, order, k)
        x, y = load(at.place_rk, layout.UNIT_X, k), load(at.place_rk, layout.UNIT_Y, k)
        force = (slope * x, slope * y, slope * load(at.place_rk, layout.UNIT_Z, k))
        layout.add_gradients(i, source, at, k, force, (zero, zero, zero), cosine_slope, gradient_a8, centre_r4)
