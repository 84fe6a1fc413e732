"""Radial bases: fixed numbers prepared once, evaluated by the kernels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from soso_core.arrays import FloatArray
from soso_core.kernels.exact.radial import DECAY_REFERENCE, decaying_gaussians, gaussian_overlap, overlap_basis

NO_CUTOFF = 1e6
"""Å: the cutoff function is 1 at all distances in use."""


@dataclass(frozen=True, eq=False)
class OverlapBasis:
    """Orthonormal combinations of n_max Gaussians on [0, cutoff]; a neighbour is a Gaussian of the same width.

    The overlap matrix S_ij = ∫ r² exp(-a(r-r_i)²) exp(-a(r-r_j)²) dr, a = 1/2sigma², is closed
    (`kernels.exact.radial.gaussian_overlap`); the basis is S^(-1/2) of it (Löwdin), directions below 1e-10
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

    def evaluate_untapered(self, r_p: FloatArray) -> FloatArray:
        """Return h_pn without the cutoff function, smooth also beyond the cutoff."""
        centres_n, sharpness, mix_nn = self._prepared
        return overlap_basis(np.ascontiguousarray(r_p), centres_n, sharpness, mix_nn, NO_CUTOFF, self.taper)[0]

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

    def evaluate_untapered(self, r_p: FloatArray) -> FloatArray:
        """Return h_pn without the cutoff function, smooth also beyond the cutoff."""
        centres_n = np.linspace(1.5, self.cutoff, self.n_max)
        r_p = np.ascontiguousarray(r_p)
        return decaying_gaussians(r_p, centres_n, self.sigma, self.decay, NO_CUTOFF, self.taper)[0]


@dataclass(frozen=True, eq=False)
class EnvelopedBasis:
    """An orthonormal basis under the envelope (2.5 Å / r)^decay, which gives near neighbours more weight."""

    inner: OverlapBasis
    decay: float

    def evaluate(self, r_p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return h_pn and dh_pn/dr, each (p, n), cutoff function included."""
        h_pn, dh_pn = self.inner.evaluate(r_p)
        envelope_p1 = (DECAY_REFERENCE / r_p[:, None]) ** self.decay
        return envelope_p1 * h_pn, envelope_p1 * (dh_pn - self.decay / r_p[:, None] * h_pn)

    def evaluate_untapered(self, r_p: FloatArray) -> FloatArray:
        """Return h_pn without the cutoff function, smooth also beyond the cutoff."""
        return np.asarray((DECAY_REFERENCE / r_p[:, None]) ** self.decay * self.inner.evaluate_untapered(r_p))


RadialBasis = OverlapBasis | DecayingBasis
