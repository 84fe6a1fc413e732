"""From descriptors to energies: E = Σ_k s_k (x·q_k)^ζ, or a sum of monomials in x·q_k, and ∂E/∂x, for a block of atoms.

x is made of parts of the raw descriptor, each divided by the length of its reference features.  No other kernel depends
on the form of the covariance.
"""

from typing import NamedTuple

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.kernels._jit import inlined_jit, inner_jit, jit


class Covariance(NamedTuple):
    """Hold the coefficients of a compressed covariance.

    parts_k4: start and stop of each part and of its reference features; floor of their length;
    columns_fk, rows_kf: the q_k and their transpose.  Power form: values_k s_k and zeta ζ.  Monomial form (monomials_tz
    not empty): E = Σ_t Σ_b weights_tb Π_z t[monomials_tz · n_b + b], the columns being k = (block, b).
    """

    parts_k4: IntArray
    floor: float
    columns_fk: FloatArray
    rows_kf: FloatArray
    values_k: FloatArray
    zeta: int
    monomials_tz: IntArray
    weights_tb: FloatArray


class Covariances(NamedTuple):
    """The covariances of all species s, with zeros in the columns that only others have."""

    parts_k4: IntArray
    floor: float
    columns_sfk: FloatArray
    rows_skf: FloatArray
    values_sk: FloatArray
    zeta: int
    monomials_tz: IntArray
    weights_stb: FloatArray


class CovarianceWork(NamedTuple):
    """Scratch of a block of atoms b: unit_bf x, its products t_bk, slopes_k, length of part k per atom (b, k)."""

    unit_bf: FloatArray
    t_bk: FloatArray
    slopes_k: FloatArray
    length_bk: FloatArray


@jit
def covariance_of(covariances: Covariances, s: int) -> Covariance:
    """Return the covariance of one species."""
    columns_fk, rows_kf, values_k = covariances.columns_sfk[s], covariances.rows_skf[s], covariances.values_sk[s]
    parts_k4, floor, zeta = covariances.parts_k4, covariances.floor, covariances.zeta
    monomials_tz, weights_tb = covariances.monomials_tz, covariances.weights_stb[s]
    return Covariance(parts_k4, floor, columns_fk, rows_kf, values_k, zeta, monomials_tz, weights_tb)


@jit
def make_covariance_work(n_block: int, covariance: Covariance) -> CovarianceWork:
    """Return scratch for a block of atoms."""
    n_features, n_columns = covariance.columns_fk.shape
    return CovarianceWork(
        np.zeros((n_block, n_features)),
        np.zeros((n_block, n_columns)),
        np.zeros(n_columns),
        np.zeros((n_block, len(covariance.parts_k4))),
    )


@inner_jit
def _normalise(covariance: Covariance, x_bf: FloatArray, work: CovarianceWork, n: int) -> None:
    """Write x of n atoms and the length that each part was divided by."""
    for b in range(n):
        x_f, unit_f = x_bf[b], work.unit_bf[b]
        for k in range(len(covariance.parts_k4)):
            part = covariance.parts_k4[k]
            length = np.sqrt(_dot(x_f, x_f, part[2:]) + covariance.floor * covariance.floor)
            work.length_bk[b, k] = length
            factor = 1.0 / length
            unit, x = unit_f[part[0] : part[1]], x_f[part[0] : part[1]]
            for f in range(len(unit)):
                unit[f] = x[f] * factor


@inner_jit
def _normalise_adjoint(covariance: Covariance, work: CovarianceWork, n: int, g_bf: FloatArray) -> None:
    """Turn ∂E/∂u of n atoms into ∂E/∂x in place: g/l, less u (u·g)/l on the reference features that l depends on."""
    for b in range(n):
        g_f, unit_f = g_bf[b], work.unit_bf[b]
        for k in range(len(covariance.parts_k4)):
            part, factor = covariance.parts_k4[k], 1.0 / work.length_bk[b, k]
            along = _dot(g_f, unit_f, part[:2])
            g = g_f[part[0] : part[1]]
            for f in range(len(g)):
                g[f] *= factor
            reference, unit = g_f[part[2] : part[3]], unit_f[part[2] : part[3]]
            for f in range(len(reference)):
                reference[f] -= unit[f] * along * factor


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
def evaluate_covariance(
    covariance: Covariance, x_bf: FloatArray, work: CovarianceWork, n: int, energy_b: FloatArray, g_bf: FloatArray
) -> None:
    """Write energy and ∂E/∂x of the first n atoms of a block."""
    block_energies(covariance, x_bf, work, n, energy_b)
    np.dot(work.t_bk[:n], covariance.rows_kf, g_bf[:n])
    _normalise_adjoint(covariance, work, n, g_bf)


@jit
def block_energies(
    covariance: Covariance, x_bf: FloatArray, work: CovarianceWork, n: int, energy_b: FloatArray
) -> None:
    """Write the energies of the first n atoms of a block, and the slopes by x·q_k into work.t_bk."""
    _normalise(covariance, x_bf, work, n)
    np.dot(work.unit_bf[:n], covariance.columns_fk, work.t_bk[:n])
    _sum_energies(covariance, work, n, energy_b)


@inner_jit
def _sum_energies(covariance: Covariance, work: CovarianceWork, n: int, energy_b: FloatArray) -> None:
    for b in range(n):
        if len(covariance.monomials_tz) > 0:
            energy_b[b] = _monomials(covariance.monomials_tz, covariance.weights_tb, work.t_bk[b], work.slopes_k)
        else:
            energy_b[b] = _powers(covariance.values_k, covariance.zeta, work.t_bk[b])


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


@inner_jit
def _monomials(monomials_tz: IntArray, weights_tb: FloatArray, t_k: FloatArray, slopes_k: FloatArray) -> float:
    """Return Σ_tb weights Π_z t of the blocks of every monomial, and write the derivative by t_k into t_k."""
    n_t, n_b = weights_tb.shape
    zeta = monomials_tz.shape[1]
    for k in range(len(slopes_k)):
        slopes_k[k] = 0.0
    total = 0.0
    for t in range(n_t):
        for z in range(zeta):
            first = monomials_tz[t, z] * n_b
            for b in range(n_b):
                rest = weights_tb[t, b]
                for other in range(zeta):
                    if other != z:
                        rest *= t_k[monomials_tz[t, other] * n_b + b]
                slopes_k[first + b] += rest
                if z == 0:
                    total += rest * t_k[first + b]
    for k in range(len(slopes_k)):
        t_k[k] = slopes_k[k]
    return total
