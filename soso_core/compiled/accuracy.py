"""How exactly a compiled model repeats the model it was made from."""

from dataclasses import dataclass

from soso_core.compiled.polynomials import FitRange

LARGE_PAIR_ENERGY = 1.0
"""eV; errors of a larger J are relative to it."""


@dataclass(frozen=True)
class Accuracy:
    """What may be given up for speed; defaults are far below the error of any model.

    shortest : Å, no two atoms may come nearer (a pair nearer is refused, not guessed)
    skin : Å, the longest skin of a neighbour list that can be used
    pair_energy : eV, largest error of any J_λ(r); its slope per 0.1 Å likewise.  Where |J_λ|, at a distance or beyond
        it, is above 1 eV, the error grows with it: a J_λ fitted to displaced cells may reach hundreds of eV where no
        two atoms of the data ever were
    radial : largest error of a radial function of a descriptor, relative to its largest value beyond 2 Å
    degree, pair_degree : of the polynomials of descriptors, and of J_λ
    gp_meV_per_atom : what truncating the covariance may cost at most, meV per atom
    """

    shortest: float = 1.5
    skin: float = 0.3
    pair_energy: float = 2e-7
    radial: float = 1e-6
    degree: int = 11
    pair_degree: int = 13
    gp_meV_per_atom: float = 0.01

    def radial_range(self, cutoff: float, taper: float, largest: float, decay: float) -> FitRange:
        """Return where and how the radial functions of a descriptor, falling as r^-decay, are fitted (Å)."""
        return FitRange(self.shortest, cutoff, taper, self.skin, self.radial * largest, self.degree, decay)

    def pair_range(self, cutoff: float, taper: float, decay: float) -> FitRange:
        """Return where and how J_λ(r), falling as r^-decay, is fitted (Å)."""
        return FitRange(
            self.shortest, cutoff, taper, self.skin, self.pair_energy, self.pair_degree, decay, LARGE_PAIR_ENERGY
        )
