"""From descriptors to energies: E = v·x + Σ_k s_k (x̂·q_k)^ζ of a block of atoms of one species, and ∂E/∂x.

x̂ is made of blocks of the raw descriptor: each is divided by its own length and weighted, then the whole by its length.
Only this file knows the covariance.
"""

from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import inner_jit, jit


class Head(NamedTuple):
    """blocks_k2 start and stop of the blocks, their weights_k, floor of their length; linear_f v;

    columns_fk, rows_kf the q_k and their transpose; values_k s_k; zeta ζ.
    """

    blocks_k2: IntArray
    weights_k: FloatArray
    floor: float
    linear_f: FloatArray
    columns_fk: FloatArray
    rows_kf: FloatArray
    values_k: FloatArray
    zeta: int


class HeadWork(NamedTuple):
    """Scratch of a block of atoms b: unit_bf x̂, its products t_bk, scale of block k per atom (b, k), norm_b."""

    unit_bf: FloatArray
    t_bk: FloatArray
    scale_bk: FloatArray
    norm_b: FloatArray


@jit
def make_head_work(n_block: int, head: Head) -> HeadWork:
    """Return scratch for a block of atoms."""
    n_features, n_columns = head.columns_fk.shape
    return HeadWork(
        np.zeros((n_block, n_features)),
        np.zeros((n_block, n_columns)),
        np.zeros((n_block, len(head.weights_k))),
        np.zeros(n_block),
    )


@inner_jit
def normalise(x_f: FloatArray, head: Head, unit_f: FloatArray, scale_k: FloatArray) -> float:
    """Write x̂ and what each block was multiplied by before the whole was divided by the length returned."""
    total = 0.0
    for k in range(len(head.weights_k)):
        start, stop = head.blocks_k2[k]
        square = 0.0
        for f in range(start, stop):
            square += x_f[f] * x_f[f]
        length = np.sqrt(square + head.floor * head.floor)
        scale_k[k] = head.weights_k[k] / length if length > 0.0 else 0.0
        total += square * scale_k[k] ** 2
    norm = np.sqrt(total) if total > 0.0 else 1.0
    for k in range(len(head.weights_k)):
        factor = scale_k[k] / norm
        for f in range(head.blocks_k2[k, 0], head.blocks_k2[k, 1]):
            unit_f[f] = x_f[f] * factor
    return norm


@inner_jit
def normalise_adjoint(
    x_f: FloatArray, head: Head, unit_f: FloatArray, scale_k: FloatArray, norm: float, g_f: FloatArray
) -> None:
    """Turn g_f = ∂E/∂x̂ into ∂E/∂x, linear part included, in place."""
    along = 0.0
    for f in range(len(g_f)):
        along += unit_f[f] * g_f[f]
    for k in range(len(head.weights_k)):
        start, stop = head.blocks_k2[k]
        inside = 0.0
        for f in range(start, stop):
            g_f[f] = (g_f[f] - along * unit_f[f]) / norm
            inside += g_f[f] * x_f[f]
        # The block is w x / l with l² = |x|² + floor².
        drop = inside * scale_k[k] ** 2 / head.weights_k[k] ** 2 if head.weights_k[k] > 0.0 else 0.0
        for f in range(start, stop):
            g_f[f] = scale_k[k] * (g_f[f] - drop * x_f[f]) + head.linear_f[f]


@jit
def evaluate_head(head: Head, x_bf: FloatArray, work: HeadWork, n: int, energy_b: FloatArray, g_bf: FloatArray) -> None:
    """Write energy and ∂E/∂x of the first n atoms of a block."""
    for b in range(n):
        work.norm_b[b] = normalise(x_bf[b], head, work.unit_bf[b], work.scale_bk[b])
    unit_bf, t_bk = work.unit_bf[:n], work.t_bk[:n]
    np.dot(unit_bf, head.columns_fk, t_bk)
    for b in range(n):
        energy_b[b] = _linear(head.linear_f, x_bf[b]) + _powers(head.values_k, head.zeta, t_bk[b])
    np.dot(t_bk, head.rows_kf, g_bf[:n])
    for b in range(n):
        normalise_adjoint(x_bf[b], head, work.unit_bf[b], work.scale_bk[b], work.norm_b[b], g_bf[b])


@inner_jit
def _linear(linear_f: FloatArray, x_f: FloatArray) -> float:
    """Return v·x."""
    total = 0.0
    for f in range(len(linear_f)):
        total += linear_f[f] * x_f[f]
    return total


@inner_jit
def _powers(values_k: FloatArray, zeta: int, t_k: FloatArray) -> float:
    """Return Σ_k s_k t_k^ζ and write ζ s_k t_k^(ζ-1) into t_k."""
    total = 0.0
    for k in range(len(values_k)):
        power = values_k[k]
        for _ in range(zeta - 1):
            power *= t_k[k]
        total += power * t_k[k]
        t_k[k] = zeta * power
    return total
