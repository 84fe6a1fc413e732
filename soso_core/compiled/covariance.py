"""The compressed covariance of a fitted model: the sum over inducing points in as few products as possible."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.accuracy import Accuracy
from soso_core.descriptors.environment import SHORTEST, EnvironmentDescriptor
from soso_core.gp.model.covariance import Points, ProductCovariance
from soso_core.gp.model.fitted import FittedModel
from soso_core.kernels.vector.covariance import Covariance, Covariances


@dataclass(frozen=True, eq=False)
class CompiledCovariance:
    """The energy of an environment x of one species, and the error of its compression.

    path : how the covariance is evaluated: "sum" (zeta 1), "low rank" (zeta 2), "inducing points", or "nothing"
    n_terms, n_inducing : number of products x·q_k, and of inducing columns they stand for
    bound_meV : no atom's energy is off by more as long as |x| is not above that of the longest inducing point
    seen_meV : root mean square of the error over the inducing points, which are environments of the training data
    """

    packed: Covariance
    path: str
    n_inducing: int
    bound_meV: float
    seen_meV: float

    @property
    def n_terms(self) -> int:
        """Number of products x·q_k."""
        return int(self.packed.columns_fk.shape[1])

    @classmethod
    def of(cls, model: FittedModel, species: int, accuracy: Accuracy) -> "CompiledCovariance":
        """Return the covariance for the atoms of one species (its index)."""
        basis = model.basis
        assert basis.inducing is not None
        points = basis.inducing.points
        mine_b = points.species_a == species
        own = Points(points.x_af[mine_b], points.species_a[mine_b])
        weights_tb = np.ascontiguousarray(model.gp_weights_tb[:, mine_b])
        terms = compress_covariance(basis.covariance, own, weights_tb, 1e-3 * accuracy.gp_meV_per_atom)
        packed = Covariance(
            parts_of(basis.descriptor), SHORTEST, *terms.arrays, terms.zeta, terms.monomials_tz, terms.weights_tb
        )
        seen = terms.measure_error(basis.covariance, own, weights_tb)
        return cls(packed, terms.path, weights_tb.size, 1e3 * terms.bound, 1e3 * seen)


def stack_covariances(covariances: Sequence[Covariance]) -> Covariances:
    """Return the covariances of all species in arrays of one shape, so that kernels do not depend on their number."""
    n_f = covariances[0].columns_fk.shape[0]
    grids = [
        covariance.columns_fk.reshape(n_f, -1, max(covariance.weights_tb.shape[1], 1)) for covariance in covariances
    ]
    n_q, n_b = np.max([grid.shape[1:] for grid in grids], axis=0)
    largest = max(covariances, key=lambda covariance: (len(covariance.monomials_tz), covariance.zeta))
    columns_sfqb, values_sk = np.zeros((len(covariances), n_f, n_q, n_b)), np.zeros((len(covariances), n_q * n_b))
    weights_stb = np.zeros((len(covariances), len(largest.monomials_tz), n_b))
    for s, (covariance, grid) in enumerate(zip(covariances, grids, strict=True)):
        columns_sfqb[s, :, : grid.shape[1], : grid.shape[2]] = grid
        values_sk[s, : len(covariance.values_k)] = covariance.values_k
        weights_stb[s, : len(covariance.weights_tb), : covariance.weights_tb.shape[1]] = covariance.weights_tb
    columns_sfk = columns_sfqb.reshape(len(covariances), n_f, -1)
    rows_skf = np.ascontiguousarray(columns_sfk.swapaxes(1, 2))
    first = covariances[0]
    return Covariances(
        first.parts_k4, first.floor, columns_sfk, rows_skf, values_sk, largest.zeta, largest.monomials_tz, weights_stb
    )


def parts_of(descriptor: EnvironmentDescriptor) -> IntArray:
    """Return parts_k4 of `Covariance`: parts that are divided by the length of their reference."""
    middle, size = descriptor.pair_size, descriptor.size
    parts = [[0, middle, 0, middle]] if descriptor.pair is not None else []
    if descriptor.three_body is not None:
        start, stop, _ = descriptor.reference.indices(size - middle)
        parts.append([middle, size, middle + start, middle + stop])
    return np.array(parts, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Terms:
    """q_k in columns_fk, s_k in values_k (eV), the form that was chosen, and the bound of their error, eV."""

    columns_fk: FloatArray
    values_k: FloatArray
    path: str
    zeta: int = 1
    bound: float = 0.0
    monomials_tz: IntArray = field(default_factory=lambda: np.zeros((0, 1), dtype=np.int64))
    weights_tb: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def arrays(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Columns, their transpose, values."""
        columns_fk = np.ascontiguousarray(self.columns_fk)
        return columns_fk, np.ascontiguousarray(columns_fk.T), np.ascontiguousarray(self.values_k)

    def measure_error(self, covariance: ProductCovariance, points: Points, weights_tb: FloatArray) -> float:
        """Return the root mean square error over environments, eV."""
        if self.bound == 0.0:
            return 0.0
        exact_b = np.einsum("tab,tb->a", covariance.values(points, points), weights_tb)
        kept_b = (points.x_af @ self.columns_fk) ** self.zeta @ self.values_k
        return float(np.sqrt(np.mean((exact_b - kept_b) ** 2)))


def compress_covariance(
    covariance: ProductCovariance, points: Points, weights_tb: FloatArray, tolerance: float
) -> Terms:
    """Return Σ_t Σ_b α_tb k_t(x, x_b) in as few products as the tolerance (eV per atom) allows."""
    x_bf = points.x_af
    if not len(x_bf):
        return Terms(np.zeros((x_bf.shape[1], 1)), np.zeros(1), "nothing")
    if covariance.zeta == 1:
        return Terms(_sum_columns(covariance, x_bf, weights_tb)[:, None], np.ones(1), "sum")
    if covariance.zeta == 2:
        return _low_rank(symmetric_form(covariance, x_bf, weights_tb), x_bf, tolerance)
    columns_fk = np.zeros((x_bf.shape[1], len(covariance.features) * len(x_bf)))
    for q, block in enumerate(covariance.features.values()):
        columns_fk[block, q * len(x_bf) : (q + 1) * len(x_bf)] = x_bf[:, block].T
    monomials_tz = np.array(covariance.monomials, dtype=np.int64)
    return Terms(columns_fk, np.zeros(0), "inducing points", covariance.zeta, 0.0, monomials_tz, weights_tb)


def symmetric_form(covariance: ProductCovariance, x_bf: FloatArray, weights_tb: FloatArray) -> FloatArray:
    """Return the symmetric matrix M (f, f), eV, with E = xᵀ M x for zeta 2."""
    form_ff = np.zeros((x_bf.shape[1], x_bf.shape[1]))
    blocks = list(covariance.features.values())
    for (left, right), weights_b in zip(covariance.monomials, weights_tb, strict=True):
        part = 0.5 * (x_bf[:, blocks[left]].T * weights_b) @ x_bf[:, blocks[right]]
        form_ff[blocks[left], blocks[right]] += part
        form_ff[blocks[right], blocks[left]] += part.T
    return form_ff


def _sum_columns(covariance: ProductCovariance, x_bf: FloatArray, weights_tb: FloatArray) -> FloatArray:
    vector_f = np.zeros(x_bf.shape[1])
    for block, weights_b in zip(covariance.features.values(), weights_tb, strict=True):
        vector_f[block] = weights_b @ x_bf[:, block]
    return vector_f


def _low_rank(form_ff: FloatArray, x_bf: FloatArray, tolerance: float) -> Terms:
    """Return the largest eigenvectors of a symmetric form: the others change xᵀ M x by at most |x|² times the next."""
    longest = float(np.max(np.sum(x_bf**2, axis=1)))
    values_k, vectors_fk = np.linalg.eigh(form_ff)
    order = np.argsort(-np.abs(values_k))
    size_k = longest * np.abs(values_k[order])
    n_kept = max(1, int(np.sum(size_k > tolerance)))
    bound = float(size_k[n_kept]) if n_kept < len(size_k) else 0.0
    kept = order[:n_kept]
    return Terms(vectors_fk[:, kept], values_k[kept], "low rank", 2, bound)
