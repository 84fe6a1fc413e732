"""Candidate configurations: spins drawn at random or in a cone, atoms displaced, cells strained.

Pure functions of (structure, settings, random generator).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from soso_core.active.settings import ExplorationSettings, GeneratorSettings
from soso_core.arrays import BoolArray, FloatArray
from soso_core.configuration import Configuration
from soso_core.errors import InputError


@dataclass(frozen=True, eq=False)
class Candidate:
    """A configuration and where it came from.

    index: place among all candidates; generator: place of its generator in the settings; kind: its name;
    magnetisation: mean cosine asked for (0 for uniform directions).
    """

    configuration: Configuration
    index: int
    generator: int
    kind: str
    magnetisation: float


def generate(structure: Configuration, settings: ExplorationSettings, rng: np.random.Generator) -> list[Candidate]:
    """Return `n_candidates` disordered supercells of `structure` (its own spins do not matter).

    Every candidate draws from a stream of its own, so it does not depend on how many others are made
    after it.  Raises InputError when no atom of the structure is magnetic, or a cone has no magnetisations.
    """
    cells = [supercell(structure, settings.supercell_of(generator)) for generator in settings.generators]
    magnetic = [magnetic_atoms(cell, settings.magnetic_species) for cell in cells]
    order = interleaved([generator.weight for generator in settings.generators], settings.n_candidates)
    ladders = [_ladder(generator, g) for g, generator in enumerate(settings.generators)]
    made = [0] * len(ladders)
    candidates = []
    for index, (g, stream) in enumerate(zip(order, rng.spawn(len(order)), strict=True)):
        generator, ladder = settings.generators[g], ladders[g]
        magnetisation = ladder[made[g] % len(ladder)]
        configuration = draw(cells[g], magnetic[g], generator, magnetisation, stream)
        candidates.append(Candidate(configuration, index, g, generator.kind, magnetisation))
        made[g] += 1
    return candidates


def draw(
    cell: Configuration,
    is_magnetic_a: BoolArray,
    generator: GeneratorSettings,
    magnetisation: float,
    rng: np.random.Generator,
) -> Configuration:
    """Return one disordered copy of `cell`; atoms outside `is_magnetic_a` (a,) get no spin."""
    spins_ac = np.zeros((len(cell), 3))
    n_spins = int(is_magnetic_a.sum())
    if magnetisation > 0.0:
        spins_ac[is_magnetic_a] = cone_directions(n_spins, magnetisation, rng)
    else:
        spins_ac[is_magnetic_a] = uniform_directions(n_spins, rng)
    stretch_cc = np.eye(3) + symmetric_strain(generator.strain, rng)
    positions_ac = cell.positions_ac @ stretch_cc
    positions_ac = positions_ac + generator.displacement_angstrom * rng.standard_normal(positions_ac.shape)
    return Configuration(cell.numbers_a, positions_ac, cell.cell_vc @ stretch_cc, spins_ac)


def uniform_directions(n: int, rng: np.random.Generator) -> FloatArray:
    """Return n unit vectors, uniform on the sphere, (n, 3)."""
    vectors_ac = rng.standard_normal((n, 3))
    return np.asarray(vectors_ac / np.linalg.norm(vectors_ac, axis=1, keepdims=True))


def cone_directions(n: int, mean_cosine: float, rng: np.random.Generator) -> FloatArray:
    """Return n unit vectors, (n, 3), von Mises-Fisher around one random axis with the given mean cosine."""
    axis_c = uniform_directions(1, rng)[0]
    kappa = concentration(mean_cosine)
    # The cosine w has density ∝ exp(kappa w) on [-1, 1]; its distribution function inverts in closed form.
    w_a = 1.0 + np.log1p(rng.random(n) * np.expm1(-2.0 * kappa)) / kappa
    w_a = np.clip(w_a, -1.0, 1.0)
    around_ac = rng.standard_normal((n, 3))
    around_ac -= (around_ac @ axis_c)[:, None] * axis_c
    around_ac /= np.linalg.norm(around_ac, axis=1, keepdims=True)
    spins_ac = w_a[:, None] * axis_c + np.sqrt(1.0 - w_a**2)[:, None] * around_ac
    return np.asarray(spins_ac / np.linalg.norm(spins_ac, axis=1, keepdims=True))


def concentration(mean_cosine: float) -> float:
    """Return kappa with coth(kappa) - 1/kappa = mean_cosine, for 0 < mean_cosine < 1."""
    # Since 1 - 1/kappa < coth(kappa) - 1/kappa < kappa/3, the root lies between these two.
    low, high = 3.0 * mean_cosine, 1.0 / (1.0 - mean_cosine)
    return float(brentq(lambda kappa: _langevin(kappa) - mean_cosine, 0.999 * low, 1.001 * max(low, high)))


def symmetric_strain(deviation: float, rng: np.random.Generator) -> FloatArray:
    """Return a symmetric strain (3, 3), each of its six components normal with the given standard deviation."""
    upper_cc = np.triu(deviation * rng.standard_normal((3, 3)))
    return np.asarray(upper_cc + np.triu(upper_cc, 1).T)


def supercell(structure: Configuration, counts: Sequence[int]) -> Configuration:
    """Return the structure repeated along its lattice vectors."""
    shifts_kc = np.array(list(np.ndindex(*counts)), dtype=float) @ structure.cell_vc
    positions_kac = structure.positions_ac[None] + shifts_kc[:, None]
    return Configuration(
        np.tile(structure.numbers_a, len(shifts_kc)),
        positions_kac.reshape(-1, 3),
        structure.cell_vc * np.array(counts, dtype=float)[:, None],
        np.tile(structure.spins_ac, (len(shifts_kc), 1)),
    )


def magnetic_atoms(cell: Configuration, magnetic_species: Sequence[str] | None) -> BoolArray:
    """Return (a,) whether each atom carries a spin.  Raises InputError for a symbol that is not in the structure."""
    symbols_a = np.array(cell.symbols)
    wanted = sorted(set(cell.symbols)) if magnetic_species is None else magnetic_species
    for symbol in wanted:
        if symbol not in cell.symbols:
            present = ", ".join(sorted(set(cell.symbols)))
            raise InputError(f"magnetic_species: no {symbol!r} in the structure, which has {present}")
    if not wanted:
        raise InputError("magnetic_species is empty: no atom would carry a spin")
    return np.isin(symbols_a, list(wanted))


def interleaved(weights: Sequence[float], n: int) -> list[int]:
    """Return n indices of `weights`, each as often as its weight says (to within one), evenly mixed.

    The first k of them are the answer for n = k.
    """
    share_g = np.asarray(weights, dtype=float) / np.sum(weights)
    count_g = np.zeros(len(share_g))
    order = []
    for step in range(1, n + 1):
        g = int(np.argmax(step * share_g - count_g))
        count_g[g] += 1
        order.append(g)
    return order


def _ladder(generator: GeneratorSettings, place: int) -> tuple[float, ...]:
    """Return the mean cosines that candidates of one generator cycle through."""
    if generator.kind == "random":
        return (0.0,)
    if not generator.magnetisations:
        raise InputError(f"generators.{place}.magnetisations is empty: a cone needs at least one mean cosine")
    return generator.magnetisations


def _langevin(kappa: float) -> float:
    if kappa < 1e-3:
        return kappa / 3.0 - kappa**3 / 45.0
    return float(1.0 / np.tanh(kappa) - 1.0 / kappa)
