"""The compiled pair part: J_λ(r) of every species pair as polynomials."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial import legendre

from soso_core.arrays import FloatArray, IntArray
from soso_core.compiled.accuracy import Accuracy
from soso_core.compiled.polynomials import PolynomialFit, fit_polynomials
from soso_core.gp.model.fitted import FittedModel
from soso_core.kernels.vector.near import Radial


@dataclass(frozen=True, eq=False)
class CompiledPairs:
    """J_λ(r) in eV between `fit.shortest` and the cutoff (Å); `fit` states how far from the model's own they are.

    Functions of `fit` are [u, λ], u the unordered species pair; pair_index_ss (s, s) is u.
    """

    fit: PolynomialFit
    n_orders: int
    pair_index_ss: IntArray

    @classmethod
    def of(cls, model: FittedModel, accuracy: Accuracy) -> "CompiledPairs":
        """Return the pair part of a model."""
        part, settings = model.basis.pair_part, model.basis.settings.pair
        weights_lun = part.weights_lun(model.weights_m[model.basis.pair_columns])
        mix_nf = weights_lun.transpose(2, 1, 0).reshape(settings.n_max, -1)

        def curves(r_p: FloatArray) -> FloatArray:
            return np.asarray(part.basis.evaluate_untapered(r_p) @ mix_nf)

        where = accuracy.pair_range(settings.cutoff_angstrom, settings.taper_angstrom, settings.decay)
        return cls(fit_polynomials(curves, where), part.n_orders, part.pair_index_ss)

    @cached_property
    def packed(self) -> Radial:
        """Coefficients in rows [species, bin = (species of the neighbour, segment), power of e_i·e_j]."""
        n_powers = self.fit.coefficients_gfd.shape[2]
        by_order_guld = self.fit.coefficients_gfd.reshape(self.fit.n_segments, -1, self.n_orders, n_powers)
        powers_lk = legendre_powers(self.n_orders)
        powers_lk[1:, 0] = 0.0  # P_λ is then Σ_k (λ, k) [u^k - mean of u^k over the sphere]
        by_power_guld = np.einsum("lk,guld->gukd", powers_lk, by_order_guld)
        return self.fit.packed_with(by_power_guld.transpose(1, 0, 2, 3)[self.pair_index_ss])


def legendre_powers(n_orders: int) -> FloatArray:
    """Return the coefficients (λ, k) of P_λ(u) = Σ_k (λ, k) u^k."""
    powers_lk = np.zeros((n_orders, n_orders))
    for order, row_l in enumerate(np.eye(n_orders)):
        powers_lk[order, : order + 1] = legendre.leg2poly(row_l)[: order + 1]
    return powers_lk
