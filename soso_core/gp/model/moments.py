"""Moment lengths: a second output, linear in the columns of the same basis, atom by atom."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from soso_core.arrays import FloatArray
from soso_core.gp.inference.evidence import Hyperparameters, Hyperprior, maximise_evidence, posterior
from soso_core.gp.inference.hyperprior import build_hyperprior
from soso_core.gp.inference.normal_equations import NormalEquations
from soso_core.gp.inference.targets import LENGTH


@dataclass(frozen=True, eq=False)
class MomentModel:
    """|m_i| = mean of the species + sites_m · w: weights_m (m,) μB, cholesky_mm factor of their precision."""

    weights_m: FloatArray
    cholesky_mm: FloatArray
    scales: Hyperparameters

    def predict(
        self, sites_am: FloatArray, means_a: FloatArray, noise_factor: float = 1.0
    ) -> tuple[FloatArray, FloatArray]:
        """Return lengths and deviations of new labels, each (a,) μB, from what each atom has of the columns."""
        half_ma = solve_triangular(self.cholesky_mm, sites_am.T, lower=True)
        variance_a = np.sum(half_ma**2, axis=0) + (noise_factor * self.scales.noise[LENGTH]) ** 2
        return means_a + sites_am @ self.weights_m, np.sqrt(variance_a)


def fit_lengths(equation: NormalEquations, blocks: Mapping[str, slice]) -> MomentModel:
    """Return the length model of highest evidence."""
    return solve_lengths(
        equation, blocks, maximise_evidence({LENGTH: equation}, blocks, _hyperprior(equation, blocks)).scales
    )


def solve_lengths(equation: NormalEquations, blocks: Mapping[str, slice], scales: Hyperparameters) -> MomentModel:
    """Return the length model with given scales."""
    return MomentModel(*posterior({LENGTH: equation}, blocks, scales), scales)


def _hyperprior(equation: NormalEquations, blocks: Mapping[str, slice]) -> Hyperprior:
    """Let all blocks together explain the lengths; the constants of the species are the mean lengths' corrections."""
    centre = build_hyperprior({LENGTH: equation}, blocks).centre
    share = 1.0 / np.sqrt(len(blocks))
    return Hyperprior(Hyperparameters({name: share * width for name, width in centre.prior.items()}, centre.noise))
