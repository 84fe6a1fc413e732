"""The many-body part of a compiled model: descriptors, covariance and adjoints, one block of atoms after the other."""

from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import inner_jit, jit
from soso_core.kernels.vector import layout, near
from soso_core.kernels.vector import pair_density as density
from soso_core.kernels.vector import three_body as three
from soso_core.kernels.vector.covariance import Covariance, evaluate_covariance, make_covariance_work

BLOCK = 16
"""Atoms whose covariance is evaluated together: enough for a matrix product, few enough for the cache."""


class Sources(NamedTuple):
    """The neighbour lists of d and of p, made from one list."""

    density: near.NearList
    three_body: near.NearList


class Models(NamedTuple):
    """Descriptors d and p; has_density, has_three_body are true for those in x."""

    density: density.SpinDensity
    three_body: three.ThreeBody
    has_density: bool
    has_three_body: bool


class GpOutput(NamedTuple):
    """energy_a eV; of lane k gradient_ka8 (∂E/∂position, ∂E/∂e in columns 4-6) and virial_k6."""

    energy_a: FloatArray
    gradient_ka8: FloatArray
    virial_k6: FloatArray


class Block(NamedTuple):
    """Work arrays for a block of atoms: layouts and scratch of d and p, densities a_byx, descriptors, adjoints."""

    density_at: layout.Layouts
    density_work: density.SpinDensityWork
    three_at: layout.Layouts
    three_work: three.ThreeBodyWork
    a_byx: FloatArray
    x_bf: FloatArray
    g_bf: FloatArray
    energy_b: FloatArray
    centre_r4: FloatArray
    n_density: int


@jit
def make_block(sources: Sources, models: Models, covariance: Covariance) -> Block:
    """Return work arrays, small for a descriptor that is not there."""
    d, p = models.density, models.three_body
    n_features = covariance.columns_fk.shape[0]
    n_y, n_l = _even(len(p.harmonics.a_lm) ** 2), _even(len(d.coupling_l))
    n_d, d_pad = len(d.central_n) * len(d.coupling_l) * d.n_species, (len(d.central_n) + 3) // 4 * 4
    n_columns = len(p.kinds_t) * p.n_pad * p.n_species
    return Block(
        layout.make_layouts(BLOCK if models.has_density else 1, sources.density.n_most, d_pad, n_l),
        density.make_density_work(d.n_species * d_pad, d_pad, n_l, sources.density.n_most),
        layout.make_layouts(BLOCK if models.has_three_body else 1, sources.three_body.n_most, p.n_pad, n_y),
        three.make_three_body_work(p, sources.three_body.n_most, n_y),
        np.zeros((BLOCK, n_y, n_columns)),
        np.zeros((BLOCK, n_features)),
        np.zeros((BLOCK, n_features)),
        np.zeros(BLOCK),
        np.zeros((12, 4)),
        n_d if models.has_density else 0,
    )


@jit
def _even(n: int) -> int:
    return n + n % 2


@inner_jit
def _forward(b: int, i: int, sources: Sources, models: Models, block: Block) -> None:
    """Write the descriptors of atom i into place b of the block."""
    x_f = block.x_bf[b]
    if models.has_density:
        around = layout.layout_of(block.density_at, b)
        density.density_forward(i, sources.density, models.density, around, block.density_work, x_f)
    if models.has_three_body:
        around = layout.layout_of(block.three_at, b)
        p_f = x_f[block.n_density :]
        three.three_body_forward(
            i, sources.three_body, models.three_body, around, block.three_work, block.a_byx[b], p_f
        )


@inner_jit
def _adjoint(
    b: int, i: int, sources: Sources, models: Models, block: Block, gradient_a8: FloatArray, virial_6: FloatArray
) -> None:
    """Add the gradients of the environment of atom i, in place b of the block."""
    g_f = block.g_bf[b]
    if models.has_density:
        around = layout.layout_of(block.density_at, b)
        density.density_adjoint(
            i, sources.density, models.density, around, block.density_work, g_f, gradient_a8, block.centre_r4
        )
    if models.has_three_body:
        around = layout.layout_of(block.three_at, b)
        p_f = g_f[block.n_density :]
        a_yx = block.a_byx[b]
        three.three_body_adjoint(
            i, sources.three_body, models.three_body, around, block.three_work, a_yx, p_f, gradient_a8, block.centre_r4
        )
    layout.flush_centre(i, block.centre_r4, gradient_a8, virial_6)


@jit
def gp_lanes(
    first: int,
    last: int,
    lanes_k: IntArray,
    order_a: IntArray,
    sources: Sources,
    models: Models,
    covariance: Covariance,
    out: GpOutput,
) -> None:
    """Evaluate lanes first:last; lane k is atoms order_a[lanes_k[k]:lanes_k[k + 1]], all of one species."""
    block, covariance_work = make_block(sources, models, covariance), make_covariance_work(BLOCK, covariance)
    for k in range(first, last):
        gradient_a8, virial_6 = out.gradient_ka8[k], out.virial_k6[k]
        gradient_a8[:] = 0.0
        virial_6[:] = 0.0
        for start in range(lanes_k[k], lanes_k[k + 1], BLOCK):
            n = min(BLOCK, lanes_k[k + 1] - start)
            for b in range(n):
                _forward(b, order_a[start + b], sources, models, block)
            evaluate_covariance(covariance, block.x_bf, covariance_work, n, block.energy_b, block.g_bf)
            for b in range(n):
                i = order_a[start + b]
                out.energy_a[i] = block.energy_b[b]
                _adjoint(b, i, sources, models, block, gradient_a8, virial_6)
