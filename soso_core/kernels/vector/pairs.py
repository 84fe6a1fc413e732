"""The pair part of a compiled model: energy, forces, fields and virial of atoms from a full neighbour list."""

from typing import Any, NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import inlined_jit, inner_jit, jit
from soso_core.kernels.vector import near
from soso_core.kernels.vector.simd import least, smaller, splat, total


class PairOutput(NamedTuple):
    """energy_a eV, force_ac eV/Å, gradient_ac = ∂E/∂e eV; of lane k virial_k6 eV and the shortest distance, Å.

    The gradient of an atom without a spin has no meaning.
    """

    energy_a: FloatArray
    force_ac: FloatArray
    gradient_ac: FloatArray
    virial_k6: FloatArray
    shortest_k: FloatArray


@inner_jit
def pair_atom(i: int, source: near.NearList, functions: near.Radial, out_14: FloatArray) -> None:
    """Write the sums over the full neighbour list of atom i.

    2 × energy, Σ dE/dr r̂ (3), Σ dE/du e_j (3), Σ dE/dr r r̂ ⊗ r̂ (6: xx yy zz yz xz xy), and min r into out_14.
    Function 0 is J_0(r) of the species pair, function k > 0 the coefficient of u^k - mean of u^k over the sphere in
    Σ_λ J_λ P_λ(u), λ > 0, u = e_i·e_j: these P_λ have mean zero.  Coefficients of bin b begin at row
    (species · bins + b) · functions.
    """
    atoms_a8, starts_ab = source.atoms_a8, source.starts_ab
    n_segments, n_bins, n_orders = len(functions.maps_g2), starts_ab.shape[1] - 1, functions.n_functions
    ex, ey, ez = splat(atoms_a8[i, 4]), splat(atoms_a8[i, 5]), splat(atoms_a8[i, 6])
    energy = fx = fy = fz = hx = hy = hz = splat(0.0)
    xx = yy = zz = yz = xz = xy = splat(0.0)
    shortest = splat(functions.cutoff)
    for b in range(n_bins):
        scale, shift = functions.maps_g2[b % n_segments, 0], functions.maps_g2[b % n_segments, 1]
        row = (int(atoms_a8[i, 3]) * n_bins + b) * n_orders
        for p in range(starts_ab[i, b], starts_ab[i, b + 1], 4):
            x, y, z = near.fetch_place(i, p, source)
            if not near.any_within(x, y, z, functions.cutoff):
                continue
            sx, sy, sz, both = near.fetch_spin(i, p, source)
            r, per_r, inside = near.distance(x, y, z, functions.cutoff)
            shortest = smaller(shortest, r)
            t = r * scale + shift
            u = ex * sx + ey * sy + ez * sz
            e, w, v1, s1, v2, s2, v3, s3 = near.four_polynomials(functions.coefficients_fd, row, t)
            square = u * u
            # Without both spins u is 0, so only the means of even powers are left to be taken out.
            even, cube = square - both * (1.0 / 3.0), square * u
            e, w = e + v1 * u + v2 * even + v3 * cube, w + s1 * u + s2 * even + s3 * cube
            torque = v1 + v2 * (u * 2.0) + v3 * (square * 3.0)
            for k in range(4, n_orders, 4):
                v0, s0, v1, s1, v2, s2, v3, s3 = near.four_polynomials(functions.coefficients_fd, row + k, t)
                sums = _add_power(k, v0, s0, u, cube, both, (e, w, torque))
                sums = _add_power(k + 1, v1, s1, u, cube * u, both, sums)
                sums = _add_power(k + 2, v2, s2, u, cube * square, both, sums)
                e, w, torque = _add_power(k + 3, v3, s3, u, cube * square * u, both, sums)
                cube = cube * square * square
            fc, dfc = near.envelope(functions, b % n_segments, r, per_r, inside)
            w = w * scale * fc + e * dfc
            e, torque = e * fc, torque * fc
            w = w * per_r
            energy = energy + e
            hx, hy, hz = hx + torque * sx, hy + torque * sy, hz + torque * sz
            wx, wy, wz = w * x, w * y, w * z
            fx, fy, fz = fx + wx, fy + wy, fz + wz
            xx, yy, zz = xx + wx * x, yy + wy * y, zz + wz * z
            yz, xz, xy = yz + wy * z, xz + wx * z, xy + wx * y
    out_14[0] = total(energy)
    out_14[1], out_14[2], out_14[3] = total(fx), total(fy), total(fz)
    out_14[4], out_14[5], out_14[6] = total(hx), total(hy), total(hz)
    out_14[7], out_14[8], out_14[9] = total(xx), total(yy), total(zz)
    out_14[10], out_14[11], out_14[12] = total(yz), total(xz), total(xy)
    out_14[13] = least(shortest)


@inlined_jit
def _add_power(k: int, value: Any, slope: Any, u: Any, lower: Any, both: Any, sums: Any) -> Any:
    """Add the function of u^k less its mean to the sums (e, w, torque); `lower` is u^(k - 1), all Vec4."""
    e, w, torque = sums
    power = lower * u - both * ((1 - k % 2) / (k + 1.0))
    return e + value * power, w + slope * power, torque + value * (lower * float(k))


@jit
def pair_lanes(
    first: int, last: int, lanes_k: IntArray, source: near.NearList, functions: near.Radial, out: PairOutput
) -> None:
    """Evaluate lanes first:last; lane k is atoms lanes_k[k]:lanes_k[k + 1]."""
    out_14 = np.zeros(14)
    for k in range(first, last):
        out.shortest_k[k] = functions.cutoff
        out.virial_k6[k] = 0.0
        for i in range(lanes_k[k], lanes_k[k + 1]):
            pair_atom(i, source, functions, out_14)
            out.energy_a[i] = 0.5 * out_14[0]
            for c in range(3):
                out.force_ac[i, c] = out_14[1 + c]
                out.gradient_ac[i, c] = out_14[4 + c]
            for v in range(6):
                out.virial_k6[k, v] += 0.5 * out_14[7 + v]
            out.shortest_k[k] = min(out.shortest_k[k], out_14[13])
