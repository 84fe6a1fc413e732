"""The default model: pairs of classical spins on a moving lattice, with exact derivatives.

    E = Σ_i E_0 + Σ_{i<j} [ R(r) - A(r) - (J(r) c + B(r) c²) μ_i μ_j ],   c = e_i·e_j,   μ = 1 on magnetic atoms, else 0

J, B, R and A fall exponentially and end smoothly at the cutoff.  The length of a moment follows its neighbours:
`m_i = m_0 (1 + 0.12 ⟨c⟩ + 0.05 tanh(n/n_0 - 1))` with `⟨c⟩` the weighted mean cosine and n the weighted number of
neighbours.  The entropy is a sum over pairs of c², so free energy and extrapolated energy differ by a number that
depends on the configuration.
"""

from dataclasses import dataclass

import numpy as np

from vasp_standin.crystal import Crystal

MOMENTS = {"Fe": 2.2, "Mn": 2.8, "Co": 1.6, "Ni": 0.7, "Cr": 1.2, "Gd": 7.0}  # μB
CUTOFF = 5.0  # Å
REFERENCE = 2.48  # Å
EXCHANGE = (0.1, 0.7)  # eV, decay length in Å
BIQUADRATIC = (0.012, 0.7)
REPULSION = (0.25, 0.32)
ATTRACTION = (0.38, 0.9)
ENTROPY = (0.003, 0.8)
ATOM_ENERGY = -8.0  # eV
NEIGHBOURS = 9.0  # weighted number in bcc iron


@dataclass(frozen=True)
class Evaluation:
    """Energy and entropy term TS (eV), transverse `-∂E/∂e` (eV), forces (eV/Å), `∂E/∂ε / V` (eV/Å³), lengths (μB)."""

    energy: float
    entropy: float
    effective_fields_ac: np.ndarray
    forces_ac: np.ndarray
    stress_cc: np.ndarray
    moment_magnitudes_a: np.ndarray


class ClassicalModel:
    """The model on one crystal; every method takes unit vectors (a, 3), any value on atoms that are not magnetic."""

    def __init__(self, crystal: Crystal) -> None:
        self.bare_a = np.array([MOMENTS.get(symbol, 0.0) for symbol in crystal.symbols_a])
        self.volume = float(np.linalg.det(crystal.cell_vc))
        self.i_p, self.j_p, self.vectors_pc = pairs(crystal)
        self.r_p = np.linalg.norm(self.vectors_pc, axis=1)
        self.magnetic_p = ((self.bare_a[self.i_p] > 0) & (self.bare_a[self.j_p] > 0)).astype(float)

    def moments(self, directions_ac: np.ndarray) -> np.ndarray:
        """Return the lengths (a,) in μB."""
        weight_p = decay((1.0, 0.9), self.r_p)[0]
        cosine_p = self._cosines(directions_ac) * self.magnetic_p
        number_a = self._sum(weight_p)
        mean_a = self._sum(weight_p * cosine_p) / np.maximum(number_a, 1e-12)
        return self.bare_a * (1 + 0.12 * mean_a + 0.05 * np.tanh(number_a / NEIGHBOURS - 1))

    def spin_gradient(self, directions_ac: np.ndarray) -> np.ndarray:
        """Return `-∂E/∂e` (a, 3) in eV, transverse; each pair stands in the list twice."""
        slope_p = self.magnetic_p * (
            decay(EXCHANGE, self.r_p)[0] + 2 * decay(BIQUADRATIC, self.r_p)[0] * self._cosines(directions_ac)
        )
        field_ac = np.zeros_like(directions_ac)
        np.add.at(field_ac, self.i_p, slope_p[:, None] * directions_ac[self.j_p])
        along_a = np.einsum("ac,ac->a", field_ac, directions_ac)
        return field_ac - along_a[:, None] * directions_ac

    def evaluate(self, directions_ac: np.ndarray) -> Evaluation:
        """Return everything that is printed."""
        cosine_p = self._cosines(directions_ac)
        terms = [
            (np.ones_like(cosine_p), decay(REPULSION, self.r_p)),
            (-np.ones_like(cosine_p), decay(ATTRACTION, self.r_p)),
            (-cosine_p * self.magnetic_p, decay(EXCHANGE, self.r_p)),
            (-(cosine_p**2) * self.magnetic_p, decay(BIQUADRATIC, self.r_p)),
        ]
        energy_p = sum(factor_p * value_p for factor_p, (value_p, _) in terms)
        slope_p = sum(factor_p * slope_p for factor_p, (_, slope_p) in terms)
        pull_pc = (slope_p / self.r_p)[:, None] * self.vectors_pc
        forces_ac = np.zeros_like(directions_ac)
        np.add.at(forces_ac, self.i_p, pull_pc)
        return Evaluation(
            energy=ATOM_ENERGY * len(self.bare_a) + 0.5 * float(energy_p.sum()),
            entropy=0.5 * float((decay(ENTROPY, self.r_p)[0] * (1 + cosine_p**2)).sum()),
            effective_fields_ac=self.spin_gradient(directions_ac),
            forces_ac=forces_ac,
            stress_cc=0.5 * self.vectors_pc.T @ pull_pc / self.volume,
            moment_magnitudes_a=self.moments(directions_ac),
        )

    def _cosines(self, directions_ac: np.ndarray) -> np.ndarray:
        return np.einsum("pc,pc->p", directions_ac[self.i_p], directions_ac[self.j_p])

    def _sum(self, values_p: np.ndarray) -> np.ndarray:
        return np.bincount(self.i_p, weights=values_p, minlength=len(self.bare_a))


def decay(strength_and_length: tuple[float, float], r_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `A exp(-(r - r_0)/l) (1 - (r/r_c)²)³` and its derivative."""
    strength, length = strength_and_length
    bare_p, taper_p = strength * np.exp(-(r_p - REFERENCE) / length), 1 - (r_p / CUTOFF) ** 2
    return bare_p * taper_p**3, bare_p * taper_p**2 * (-taper_p / length - 6 * r_p / CUTOFF**2)


def pairs(crystal: Crystal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return centre, neighbour and vector (Å) of every pair within the cutoff, each pair from both its ends."""
    heights_v = 1 / np.linalg.norm(np.linalg.inv(crystal.cell_vc), axis=0)
    wrapped_av = crystal.fractional_av - np.floor(crystal.fractional_av)
    reach_v = np.ceil(CUTOFF / heights_v).astype(int) + 1
    shifts_sv = np.indices(tuple(2 * reach_v + 1)).reshape(3, -1).T - reach_v
    between_aav = wrapped_av[None, :] - wrapped_av[:, None]
    vectors = (between_aav[:, :, None] + shifts_sv) @ crystal.cell_vc
    r = np.linalg.norm(vectors, axis=-1)
    i_p, j_p, s_p = np.nonzero((r < CUTOFF) & (r > 1e-8))
    return i_p, j_p, vectors[i_p, j_p, s_p]
