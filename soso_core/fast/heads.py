"""The covariance of a fitted model without its inducing points: what is left to do at run time."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.descriptors.environment import SHORTEST
from soso_core.fast.accuracy import Accuracy
from soso_core.gp.covariance import unit_rows
from soso_core.gp.fitted import FittedModel
from soso_core.kernels.fast_head import Head


@dataclass(frozen=True, eq=False)
class CompiledHead:
    """E = v·x + Σ_k s_k (x̂·q_k)^ζ for atoms of one species, and what that costs in accuracy.

    path : how the covariance is evaluated: "sum" (zeta 1), "low rank" (zeta 2), "inducing points", or "nothing"
    n_terms, n_inducing : number of q_k, and of inducing points they stand for
    bound_meV : no atom's energy is off by more, whatever its environment (|x̂| is 1)
    seen_meV : root mean square of the same over the inducing points, which are environments of the training data
    """

    packed: Head
    path: str
    n_inducing: int
    bound_meV: float
    seen_meV: float

    @property
    def n_terms(self) -> int:
        """Number of terms k."""
        return len(self.packed.values_k)

    @classmethod
    def of(cls, model: FittedModel, species: int, accuracy: Accuracy) -> "CompiledHead":
        """Return the head for the atoms of one species (its index)."""
        basis = model.basis
        assert basis.inducing is not None
        mine_b = basis.inducing.species_b == species
        weights_b = (basis.inducing.whitening_bm @ model.weights_m[basis.blocks["gp"]])[mine_b]
        unit_bf = unit_rows(basis.inducing.x_bf[mine_b])[0]
        zeta = basis.covariance.zeta
        terms = collapsed(unit_bf, weights_b, zeta, 1e-3 * accuracy.gp_meV_per_atom)
        blocks = normalisation_blocks(model)
        packed = Head(*blocks, linear_weights(model, species), *terms.arrays, zeta)
        return cls(packed, terms.path, int(mine_b.sum()), 1e3 * terms.bound, 1e3 * terms.seen(unit_bf, weights_b, zeta))


def linear_weights(model: FittedModel, species: int) -> FloatArray:
    """Return v in the part v·x that is linear in the raw descriptors of one species, (f,) eV: models have none yet."""
    return np.zeros(model.basis.descriptor.size)


def normalisation_blocks(model: FittedModel) -> tuple[IntArray, FloatArray, float]:
    """Return blocks_k2, weights_k and the floor of lengths, as in `descriptors.environment`."""
    descriptor = model.basis.descriptor
    size = descriptor.size
    if descriptor.three_body is None:
        return np.array([[0, size]]), np.ones(1), 0.0
    share, middle = descriptor.three_body.parameters.share, descriptor.pair.size
    return np.array([[0, middle], [middle, size]]), np.sqrt([1.0 - share, share]), SHORTEST


@dataclass(frozen=True, eq=False)
class Terms:
    """q_k in columns_fk, s_k in values_k (eV), the path that made them, and the bound of their error, eV."""

    columns_fk: FloatArray
    values_k: FloatArray
    path: str
    bound: float

    @property
    def arrays(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Columns, their transpose, values."""
        columns_fk = np.ascontiguousarray(self.columns_fk)
        return columns_fk, np.ascontiguousarray(columns_fk.T), np.ascontiguousarray(self.values_k)

    def seen(self, unit_bf: FloatArray, weights_b: FloatArray, zeta: int) -> float:
        """Return the root mean square error over environments unit_bf (b, f), eV."""
        if not len(weights_b) or self.bound == 0.0:
            return 0.0
        exact_b = (unit_bf @ unit_bf.T) ** zeta @ weights_b
        return float(np.sqrt(np.mean((exact_b - (unit_bf @ self.columns_fk) ** zeta @ self.values_k) ** 2)))


def collapsed(unit_bf: FloatArray, weights_b: FloatArray, zeta: int, tolerance: float) -> Terms:
    """Return Σ_b α_b (x̂·x̂_b)^ζ in as few terms as the tolerance (eV per atom) allows."""
    if not len(weights_b):
        return Terms(np.zeros((unit_bf.shape[1], 1)), np.zeros(1), "nothing", 0.0)
    if zeta == 1:
        return Terms((weights_b @ unit_bf)[:, None], np.ones(1), "sum", 0.0)
    exact = Terms(unit_bf.T, weights_b, "inducing points", 0.0)
    if zeta != 2:
        return exact
    values_k, vectors_fk = np.linalg.eigh((unit_bf.T * weights_b) @ unit_bf)
    order = np.argsort(-np.abs(values_k))
    size_k = np.abs(values_k[order])
    n_kept = max(1, int(np.sum(size_k > tolerance)))
    if n_kept >= len(weights_b):
        return exact
    kept = order[:n_kept]
    # A symmetric form of a unit vector is at most its largest eigenvalue.
    bound = float(size_k[n_kept]) if n_kept < len(size_k) else 0.0
    return Terms(vectors_fk[:, kept], values_k[kept], "low rank", bound)
