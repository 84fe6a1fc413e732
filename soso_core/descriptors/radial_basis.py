"""Radial bases: fixed numbers prepared once, evaluated by the kernels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels.radial import decaying_gaussians, gaussian_overlap, overlap_basis


@dataclass(frozen=True, eq=False)
class OverlapBasis:
    """Orthonormal combinations of n_max Gaussians on [0, cutoff]; a neighbour is a Gaussian of the same width.

    The overlap matrix S_ij = ∫ r² exp(-a(r-r_i)²) exp(-a(r-r_j)²) dr, a = 1/2sigma², is closed
    (`kernels.radial.gaussian_overlap`); the basis is S^(-1/2) of it (Löwdin), directions below 1e-10
    of the largest eigenvalue left out.  Source: arXiv:2403.10769, radial part of the two-body descriptor.
    """

    cutoff: float
    taper: float
    n_max: int
    sigma: float

    def evaluate(self, r_p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return h_pn and dh_pn/dr, each (p, n), cutoff function included."""
        centres_n, sharpness, mix_nn = self._prepared
        return overlap_basis(np.ascontiguousarray(r_p), centres_n, sharpness, mix_nn, self.cutoff, self.taper)

    @cached_property
    def _prepared(self) -> tuple[FloatArray, float, FloatArray]:
        centres_n = np.linspace(0.0, self.cutoff, self.n_max)
        sharpness = 0.5 / self.sigma**2
        overlap_nn = np.array([[gaussian_overlap(x, y, sharpness)[0] for x in centres_n] for y in centres_n])
        values, vectors = np.linalg.eigh(overlap_nn)
        kept = values > 1e-10 * values[-1]
        mix_nn = (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
        return centres_n, sharpness, np.ascontiguousarray(mix_nn)


@dataclass(frozen=True, eq=False)
class DecayingBasis:
    """Gaussians in r under an envelope (2.5 Å / r)^decay: independent weights make J(r) smooth and decaying."""

    cutoff: float
    taper: float
    n_max: int
    sigma: float
    decay: float

    def evaluate(self, r_p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return h_pn and dh_pn/dr, each (p, n), cutoff function included."""
        centres_n = np.linspace(1.5, self.cutoff, self.n_max)
        return decaying_gaussians(np.ascontiguousarray(r_p), centres_n, self.sigma, self.decay, self.cutoff, self.taper)


@dataclass(frozen=True, eq=False)
class EnvelopedBasis:
    """An orthonormal basis under the envelope (2.5 Å / r)^decay, which says how much more a near neighbour counts."""

    inner: OverlapBasis
    decay: float

    def evaluate(self, r_p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return h_pn and dh_pn/dr, each (p, n), cutoff function included."""
        h_pn, dh_pn = self.inner.evaluate(r_p)
        envelope_p1 = (2.5 / r_p[:, None]) ** self.decay
        return envelope_p1 * h_pn, envelope_p1 * (dh_pn - self.decay / r_p[:, None] * h_pn)


RadialBasis = OverlapBasis | DecayingBasis
