"""The many-body part of a compiled model: descriptors, head and adjoints, one block of atoms after the other."""

from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels import fast_spin_density as density
from soso_core.kernels import fast_three_body as three
from soso_core.kernels import layout, near
from soso_core.kernels._jit import jit
from soso_core.kernels.fast_head import Head, evaluate_head, make_head_work

BLOCK = 16
"""Atoms whose descriptors meet the covariance together: enough for a matrix product, few enough for the cache."""


class Sources(NamedTuple):
    """The neighbour lists of d and of p, made from one list."""

    density: near.NearList
    three_body: near.NearList


class Models(NamedTuple):
    """Descriptors d and p; has_density, has_three_body tell which of them are in x."""

    density: density.SpinDensity
    three_body: three.ThreeBody
    has_density: bool
    has_three_body: bool


class GpOutput(NamedTuple):
    """energy_a eV; of lane k pull_ka8 (∂E/∂position, ∂E/∂e in columns 4-6) and virial_k6."""

    energy_a: FloatArray
    pull_ka8: FloatArray
    virial_k6: FloatArray


@jit
def gp_lane(k: int, lanes_k: IntArray, order_a: IntArray, sources: Sources, models: Models, head: Head, out: GpOutput) -> None:
    """Evaluate atoms order_a[lanes_k[k]:lanes_k[k + 1]], all of one species, block by block."""
    n_y = len(models.three_body.harmonics.a_lm) ** 2
    n_y += n_y % 2
    n_l = len(models.density.coupling_l)
    n_l += n_l % 2
    n_d = len(models.density.central_n) * len(models.density.coupling_l) * models.density.n_species
    n_d = n_d if models.has_density else 0
    d_pad = (len(models.density.central_n) + 3) // 4 * 4
    d_at = layout.make_layouts(BLOCK if models.has_density else 1, sources.density.n_most, d_pad, n_l)
    d_work = density.make_density_work(models.density.n_species * d_pad, d_pad, n_l, sources.density.n_most)
    p_at = layout.make_layouts(
        BLOCK if models.has_three_body else 1, sources.three_body.n_most, models.three_body.n_pad, n_y
    )
    p_work = three.make_three_body_work(models.three_body, sources.three_body.n_most, n_y)
    a_byx = np.zeros((BLOCK, n_y, p_work.ga_yx.shape[1]))
    head_work = make_head_work(BLOCK, head)
    x_bf, g_bf = np.zeros((BLOCK, len(head.linear_f))), np.zeros((BLOCK, len(head.linear_f)))
    energy_b, sums_r4 = np.zeros(BLOCK), np.zeros((12, 4))
    pull_a8, virial_6 = out.pull_ka8[k], out.virial_k6[k]
    pull_a8[:] = 0.0
    virial_6[:] = 0.0
    for start in range(lanes_k[k], lanes_k[k + 1], BLOCK):
        n = min(BLOCK, lanes_k[k + 1] - start)
        for b in range(n):
            i = order_a[start + b]
            if models.has_density:
                at = layout.layout_of(d_at, b)
                density.density_forward(i, sources.density, models.density, at, d_work, x_bf[b])
            if models.has_three_body:
                at = layout.layout_of(p_at, b)
                three.three_body_forward(
                    i, sources.three_body, models.three_body, at, p_work, a_byx[b], x_bf[b, n_d:]
                )
        evaluate_head(head, x_bf, head_work, n, energy_b, g_bf)
        for b in range(n):
            i = order_a[start + b]
            out.energy_a[i] = energy_b[b]
            if models.has_density:
                at = layout.layout_of(d_at, b)
                density.density_adjoint(
                    i, sources.density, models.density, at, d_work, g_bf[b], pull_a8, sums_r4
                )
            if models.has_three_body:
                at = layout.layout_of(p_at, b)
                three.three_body_adjoint(
                    i, sources.three_body, models.three_body, at, p_work, a_byx[b], g_bf[b, n_d:], pull_a8, sums_r4
                )
            layout.close_sums(i, sums_r4, pull_a8, virial_6)


@jit
def gp_lanes(
    first: int,
    last: int,
    lanes_k: IntArray,
    order_a: IntArray,
    sources: Sources,
    models: Models,
    head: Head,
    out: GpOutput,
) -> None:
    """Evaluate lanes first:last; lane k is atoms order_a[lanes_k[k]:lanes_k[k + 1]]."""
    for k in range(first, last):
        gp_lane(k, lanes_k, order_a, sources, models, head, out)
