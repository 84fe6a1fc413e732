"""From descriptors to energies: E = v·x + Σ_k s_k (x̂·q_k)^ζ of a block of atoms of one species, and ∂E/∂x.

x̂ is made of blocks of the raw descriptor: each is divided by its own length and weighted, then the whole by its length.
Only this file knows the covariance.
"""

from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import inlined_jit, inner_jit, jit


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
        square = _dot(x_f, x_f, head.blocks_k2[k])
        length = np.sqrt(square + head.floor * head.floor)
        scale_k[k] = head.weights_k[k] / length if length > 0.0 else 0.0
        total += square * scale_k[k] ** 2
    norm = np.sqrt(total) if total > 0.0 else 1.0
    for k in range(len(head.weights_k)):
        factor = scale_k[k] / norm
        start, stop = head.blocks_k2[k]
        unit, x = unit_f[start:stop], x_f[start:stop]
        for f in range(len(unit)):
            unit[f] = x[f] * factor
    return norm


@inner_jit
def normalise_adjoint(x_f: FloatArray, head: Head, scale_k: FloatArray, norm: float, g_f: FloatArray) -> None:
    """Turn g_f = ∂E/∂x̂ into ∂E/∂x, linear part included, in place.

    With x̂ = s_k x / N in block k, s_k = w_k / l, l² = |x|² + floor²: ∂E/∂x = s_k (g/N - (a s_k/N² + b s_k²/w_k²) x),
    a = g·x̂ and b = x·(g/N - a s_k x/N²) over the block.
    """
    along = 0.0
    for k in range(len(head.weights_k)):
        along += _dot(g_f, x_f, head.blocks_k2[k]) * scale_k[k] / norm
    for k in range(len(head.weights_k)):
        start, stop = head.blocks_k2[k]
        scale, weight = scale_k[k], head.weights_k[k]
        drop = along * scale / (norm * norm)
        if weight > 0.0:
            square = _dot(x_f, x_f, head.blocks_k2[k])
            inside = _dot(g_f, x_f, head.blocks_k2[k]) / norm - drop * square
            drop += inside * scale * scale / (weight * weight)
        by_g, by_x = scale / norm, -scale * drop
        g, x, linear = g_f[start:stop], x_f[start:stop], head.linear_f[start:stop]
        for f in range(len(g)):
            g[f] = by_g * g[f] + by_x * x[f] + linear[f]


@inlined_jit
def _dot(left_f: FloatArray, right_f: FloatArray, block_2: IntArray) -> float:
    """Return the product of two vectors over one block."""
    # Slices begin at zero: no index can be negative, which lets the compiler use vectors.
    left, right = left_f[block_2[0] : block_2[1]], right_f[block_2[0] : block_2[1]]
    total = 0.0
    for f in range(len(left)):
        total += left[f] * right[f]
    return total


@jit
def evaluate_head(head: Head, x_bf: FloatArray, work: HeadWork, n: int, energy_b: FloatArray, g_bf: FloatArray) -> None:
    """Write energy and ∂E/∂x of the first n atoms of a block."""
    unit_bf, t_bk = work.unit_bf[:n], work.t_bk[:n]
    _before(head, x_bf, work, n)
    np.dot(unit_bf, head.columns_fk, t_bk)
    _between(head, x_bf, work, n, energy_b)
    np.dot(t_bk, head.rows_kf, g_bf[:n])
    _after(head, x_bf, work, n, g_bf)


@inner_jit
def _before(head: Head, x_bf: FloatArray, work: HeadWork, n: int) -> None:
    for b in range(n):
        work.norm_b[b] = normalise(x_bf[b], head, work.unit_bf[b], work.scale_bk[b])


@inner_jit
def _between(head: Head, x_bf: FloatArray, work: HeadWork, n: int, energy_b: FloatArray) -> None:
    for b in range(n):
        energy_b[b] = _linear(head.linear_f, x_bf[b]) + _powers(head.values_k, head.zeta, work.t_bk[b])


@inner_jit
def _after(head: Head, x_bf: FloatArray, work: HeadWork, n: int, g_bf: FloatArray) -> None:
    for b in range(n):
        normalise_adjoint(x_bf[b], head, work.scale_bk[b], work.norm_b[b], g_bf[b])


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
