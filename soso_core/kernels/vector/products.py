"""Products of matrices stored as rows over neighbours, [row, k]: vector code along k.

k0 and k1 are multiples of four; values between the last neighbour and k1 must not matter (zeros in one factor).
"""

from soso_core.arrays import FloatArray
from soso_core.kernels._jit import inlined_jit, inner_jit
from soso_core.kernels.vector.simd import broadcast, load, splat, store, sums


@inner_jit
def contract(
    left_xk: FloatArray, right_yk: FloatArray, n_x: int, n_y: int, k0: int, k1: int, out_yx: FloatArray, x0: int
) -> None:
    """Write Σ_k left[x, k] right[y, k] into out[y, x0 + x]; n_x is a multiple of four, n_y of two."""
    for y in range(0, n_y, 2):
        for x in range(0, n_x, 4):
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(0.0)
            for k in range(k0, k1, 4):
                left0, left1 = load(left_xk, x, k), load(left_xk, x + 1, k)
                left2, left3 = load(left_xk, x + 2, k), load(left_xk, x + 3, k)
                right0, right1 = load(right_yk, y, k), load(right_yk, y + 1, k)
                a0, a1, a2, a3 = a0 + left0 * right0, a1 + left1 * right0, a2 + left2 * right0, a3 + left3 * right0
                b0, b1, b2, b3 = b0 + left0 * right1, b1 + left1 * right1, b2 + left2 * right1, b3 + left3 * right1
            store(out_yx, y, x0 + x, sums(a0, a1, a2, a3))
            store(out_yx, y + 1, x0 + x, sums(b0, b1, b2, b3))


@inner_jit
def expand_columns(
    g_yx: FloatArray, x0: int, n_x: int, right_yk: FloatArray, n_y: int, k0: int, k1: int, out_xk: FloatArray
) -> None:
    """Write Σ_y g[y, x0 + x] right[y, k] into out[x, k]; n_x is a multiple of four."""
    for x in range(0, n_x, 4):
        c = x0 + x
        for k in range(k0, k1 - 4, 8):
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(0.0)
            for y in range(n_y):
                right0, right1 = load(right_yk, y, k), load(right_yk, y, k + 4)
                g0, g1 = broadcast(g_yx, y, c), broadcast(g_yx, y, c + 1)
                g2, g3 = broadcast(g_yx, y, c + 2), broadcast(g_yx, y, c + 3)
                a0, a1, a2, a3 = a0 + g0 * right0, a1 + g1 * right0, a2 + g2 * right0, a3 + g3 * right0
                b0, b1, b2, b3 = b0 + g0 * right1, b1 + g1 * right1, b2 + g2 * right1, b3 + g3 * right1
            _store_four(out_xk, x, k, a0, a1, a2, a3)
            _store_four(out_xk, x, k + 4, b0, b1, b2, b3)
        if (k1 - k0) % 8 != 0:
            k = k1 - 4
            a0 = a1 = a2 = a3 = splat(0.0)
            for y in range(n_y):
                right0 = load(right_yk, y, k)
                a0, a1 = a0 + right0 * broadcast(g_yx, y, c), a1 + right0 * broadcast(g_yx, y, c + 1)
                a2, a3 = a2 + right0 * broadcast(g_yx, y, c + 2), a3 + right0 * broadcast(g_yx, y, c + 3)
            _store_four(out_xk, x, k, a0, a1, a2, a3)


@inner_jit
def expand_rows(
    g_yx: FloatArray, x0: int, n_x: int, left_xk: FloatArray, n_y: int, k0: int, k1: int, out_yk: FloatArray
) -> None:
    """Write Σ_x g[y, x0 + x] left[x, k] into out[y, k]; n_y is a multiple of two."""
    for k in range(k0, k1 - 4, 8):
        for y in range(0, n_y - 3, 4):
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = splat(0.0)
            for x in range(n_x):
                left0, left1, c = load(left_xk, x, k), load(left_xk, x, k + 4), x0 + x
                g0, g1 = broadcast(g_yx, y, c), broadcast(g_yx, y + 1, c)
                g2, g3 = broadcast(g_yx, y + 2, c), broadcast(g_yx, y + 3, c)
                a0, a1, a2, a3 = a0 + g0 * left0, a1 + g1 * left0, a2 + g2 * left0, a3 + g3 * left0
                b0, b1, b2, b3 = b0 + g0 * left1, b1 + g1 * left1, b2 + g2 * left1, b3 + g3 * left1
            _store_four(out_yk, y, k, a0, a1, a2, a3)
            _store_four(out_yk, y, k + 4, b0, b1, b2, b3)
        if n_y % 4 != 0:
            _expand_two(g_yx, n_y - 2, x0, n_x, left_xk, k, out_yk)
            _expand_two(g_yx, n_y - 2, x0, n_x, left_xk, k + 4, out_yk)
    if (k1 - k0) % 8 != 0:
        for y in range(0, n_y, 2):
            _expand_two(g_yx, y, x0, n_x, left_xk, k1 - 4, out_yk)


@inlined_jit
def _expand_two(g_yx: FloatArray, y: int, x0: int, n_x: int, left_xk: FloatArray, k: int, out_yk: FloatArray) -> None:
    """Write two rows of four columns."""
    a0 = b0 = splat(0.0)
    for x in range(n_x):
        left0 = load(left_xk, x, k)
        a0, b0 = a0 + left0 * broadcast(g_yx, y, x0 + x), b0 + left0 * broadcast(g_yx, y + 1, x0 + x)
    store(out_yk, y, k, a0)
    store(out_yk, y + 1, k, b0)


@inlined_jit
def _store_four(
    out_xk: FloatArray, x: int, k: int, a0: FloatArray, a1: FloatArray, a2: FloatArray, a3: FloatArray
) -> None:
    store(out_xk, x, k, a0)
    store(out_xk, x + 1, k, a1)
    store(out_xk, x + 2, k, a2)
    store(out_xk, x + 3, k, a3)
