"""How exactly a compiled model repeats the model it was made from."""

from dataclasses import dataclass

import numpy as np

from soso_core.fast.polynomials import FitRange


@dataclass(frozen=True)
class Accuracy:
    """What may be given up for speed; defaults are far below the error of any model.

    shortest : Å, no two atoms may come nearer (a pair nearer is refused, not guessed)
    skin : Å, the longest skin of a neighbour list that can be used
    pair_energy : eV, largest error of any J_λ(r); its slope per 0.1 Å likewise.  Where |J_λ|, at a distance or beyond
        it, is above 1 eV, the error grows with it: a J_λ fitted to displaced cells may reach hundreds of eV where no
        two atoms of the data ever were
    radial : largest error of a radial function of a descriptor, relative to its largest value beyond 2 Å
    degree : of the polynomials
    gp_meV_per_atom : what truncating the covariance may cost at most, meV per atom
    """

    shortest: float = 1.5
    skin: float = 0.4
    pair_energy: float = 1e-7
    radial: float = 1e-6
    degree: int = 11
    gp_meV_per_atom: float = 0.01

    def fit_range(
        self, cutoff: float, taper: float, tolerance: float, decay: float, size: float = np.inf
    ) -> FitRange:
        """Return where and how a radial function with this cutoff (Å), falling as r^-decay, is fitted.

        Above `size` the tolerance is relative.
        """
        return FitRange(self.shortest, cutoff, taper, self.skin, tolerance, self.degree, decay, size)
