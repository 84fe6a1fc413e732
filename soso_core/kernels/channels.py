"""The algebra of the spin channels: one function for single numbers and for four neighbours at once.

A component t of a channel has a kind: λ >= 0 stands for P_λ(e_i·e_j), -1 - c for the Cartesian component c of e_j.
"""

from typing import Any

import numpy as np

from soso_core.arrays import BoolArray, FloatArray, IntArray
from soso_core.kernels._jit import inlined_jit, jit


@inlined_jit
def channel_value(kind: int, one: Any, u: Any, both: Any, x: Any, y: Any, z: Any) -> Any:
    """Return c_t and its slope by u = e_i·e_j, which is zero for a component of e_j = (x, y, z).

    All but `kind` are numbers or all are Vec4; `one` is 1 of that type, `both` is 1 where i and j carry a spin and
    otherwise 0.  (λ+1) P_{λ+1} = (2λ+1) u P_λ - λ P_{λ-1};  P'_{λ+1} = P'_{λ-1} + (2λ+1) P_λ  (DLMF 18.9).
    """
    zero = one - one
    if kind == 0:
        return one, zero
    if kind == -1:
        return x, zero
    if kind == -2:
        return y, zero
    if kind == -3:
        return z, zero
    before, value, slope_before, slope = one, u, zero, one
    for order in range(1, kind):
        factor = 2.0 * order + 1.0
        slope_before, slope = slope, slope_before + value * factor
        before, value = value, (u * value * factor - before * float(order)) * (1.0 / (order + 1.0))
    return value * both, slope * both


@jit
def channel_components(
    i_q: IntArray, j_q: IntArray, kinds_t: IntArray, spins_ac: FloatArray, has_spin_a: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Return c_t of pairs (i, j) and its slope, (q, t), by u or by the component of e_j; 0 where j has no spin."""
    values_qt, slopes_qt = np.zeros((len(i_q), len(kinds_t))), np.zeros((len(i_q), len(kinds_t)))
    for q in range(len(i_q)):
        i, j = i_q[q], j_q[q]
        x, y, z = spins_ac[j, 0], spins_ac[j, 1], spins_ac[j, 2]
        u = spins_ac[i, 0] * x + spins_ac[i, 1] * y + spins_ac[i, 2] * z
        both = 1.0 if has_spin_a[i] and has_spin_a[j] else 0.0
        for t in range(len(kinds_t)):
            values_qt[q, t], slopes_qt[q, t] = channel_value(kinds_t[t], 1.0, u, both, x, y, z)
            if kinds_t[t] < 0 and has_spin_a[j]:
                slopes_qt[q, t] = 1.0
    return values_qt, slopes_qt
