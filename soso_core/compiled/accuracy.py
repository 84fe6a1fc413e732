"""The accuracy to which a compiled model reproduces the fitted model."""

from dataclasses import dataclass

import numpy as np

from soso_core.compiled.polynomials import FitRange, PolynomialFit, fit_polynomials
from soso_core.descriptors.parameters import TaperedSettings
from soso_core.descriptors.radial_basis import EnvelopedBasis, OverlapBasis

LARGE_PAIR_ENERGY = 1.0
"""eV; errors of a larger J are relative to it."""


@dataclass(frozen=True)
class Accuracy:
    """Tolerances of compilation; the defaults are far below the error of any model.

    shortest : Å, smallest allowed distance; a nearer pair is an error
    skin : Å, the largest skin of a neighbour list
    pair_energy : eV, largest error of any J_λ(r); its slope per 0.1 Å likewise.  Where |J_λ|, at a distance or beyond
        it, is above 1 eV, the error grows with it: a J_λ fitted to displaced cells may reach hundreds of eV where no
        two atoms of the data ever were
    radial : largest error of a radial function of a descriptor, relative to its largest value beyond 2 Å
    degree, pair_degree : of the polynomials of descriptors, and of J_λ
    gp_meV_per_atom : largest error from truncating the covariance, meV per atom
    """

    shortest: float = 1.5
    skin: float = 0.3
    pair_energy: float = 2e-7
    radial: float = 1e-6
    degree: int = 11
    pair_degree: int = 13
    gp_meV_per_atom: float = 0.01

    def fit_basis(self, basis: OverlapBasis | EnvelopedBasis, reach: TaperedSettings) -> PolynomialFit:
        """Return the radial functions of a descriptor as polynomials, see `radial`."""
        cutoff, taper = reach.cutoff_angstrom, reach.taper_angstrom
        sample = np.linspace(min(2.0, 0.5 * cutoff), cutoff - 0.5 * taper, 50)
        size = self.radial * float(np.max(np.abs(basis.evaluate_untapered(sample))))
        decay = basis.decay if isinstance(basis, EnvelopedBasis) else 0.0
        return fit_polynomials(
            basis.evaluate_untapered, FitRange(self.shortest, cutoff, taper, self.skin, size, self.degree, decay)
        )

    def pair_range(self, cutoff: float, taper: float, decay: float) -> FitRange:
        """Return where and how J_λ(r), falling as r^-decay, is fitted (Å)."""
        return FitRange(
            self.shortest, cutoff, taper, self.skin, self.pair_energy, self.pair_degree, decay, LARGE_PAIR_ENERGY
        )
