"""Candidate configurations: spins by one of many generators, atoms displaced, cells strained.

Pure functions of (structure, settings, random generator), and of the present model where one is needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar

import numpy as np

from soso_core.active.candidates.cells import deform, magnetic_atoms, supercell
from soso_core.active.candidates.directions import cone_directions, uniform_directions
from soso_core.active.candidates.displacements import LostDraw, displace_atoms, force_model
from soso_core.active.candidates.orders import Lattice, check_waves, collinear, spiral, tilt_spins
from soso_core.active.candidates.settings import MAKERS, ExplorationSettings, GeneratorSettings
from soso_core.active.candidates.thermal import thermal_spins
from soso_core.arrays import BoolArray, FloatArray
from soso_core.compiled.model import CompiledModel
from soso_core.configuration import Configuration
from soso_core.dynamics.spin_energy import SpinModel
from soso_core.errors import InputError
from soso_core.formats import read_configurations
from soso_core.gp.model.fitted import FittedModel
from soso_core.threads import in_threads

Rung = TypeVar("Rung")
CHECK_DRAWS = 12
"""Draws of each generator in a check: the usual ladders of orders, tilts and magnetisations once."""
Report = Callable[[str], None]
"""A function that shows a message to the user."""


def ignore_message(line: str) -> None:
    """Ignore a progress message."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A configuration and where it came from.

    index: place among all candidates; generator: place of its generator in the settings; kind: its name;
    magnetisation: requested mean cosine (0 for uniform directions), or |Σ e| over the number of spins where none is;
    detail: everything else that was drawn, in words.
    """

    configuration: Configuration
    index: int
    generator: int
    kind: str
    magnetisation: float
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Source:
    """The inputs of one generator: an ideal cell, its magnetic atoms (a,), the present model, frames of a file.

    `model` is the present model compiled for Monte Carlo, `forces` for dynamics; None where it is not needed.
    """

    settings: GeneratorSettings
    cell: Configuration
    is_magnetic_a: BoolArray
    lattice: Lattice
    model: SpinModel | None
    forces: CompiledModel | None
    frames: tuple[Configuration, ...]

    @property
    def most(self) -> int | None:
        """How many different candidates it can give; None: any number."""
        return len(self.frames) if self.settings.takes_as_they_are else None


def generate(
    structure: Configuration,
    settings: ExplorationSettings,
    rng: np.random.Generator,
    model: FittedModel | None = None,
    report: Report = ignore_message,
) -> list[Candidate]:
    """Return `n_candidates` disordered supercells of `structure` (its own spins do not matter).

    Every candidate draws from a stream of its own, so it does not depend on how many others are made after it.
    There are fewer when all are configurations of files, taken as they are: none of those is a candidate twice.
    Generators that draw with the model are left out while there is none, and so are dynamics that an atom ended by
    leaving its site; `report` is called with their number.  Raises InputError when no atom of the structure is
    magnetic, a cone has no magnetisations, no generator or candidate is left, or one does not fit the structure.
    """
    ready = ready_for(settings, model)
    sources = [source(structure, settings, place, *ready) for place in range(len(settings.generators))]
    order = interleave_up_to(
        shares(settings, model is not None), settings.n_candidates, [item.most for item in sources]
    )
    places = [order[:index].count(g) for index, g in enumerate(order)]
    tasks = zip(range(len(order)), order, places, rng.spawn(len(order)), strict=True)

    def one(task: tuple[int, int, int, np.random.Generator]) -> Candidate | LostDraw:
        index, g, place, stream = task
        try:
            configuration, magnetisation, detail = find_maker(sources[g].settings.kind)(sources[g], place, stream)
        except LostDraw as lost:
            return lost
        return Candidate(configuration, index, g, sources[g].settings.kind, magnetisation, detail)

    return _keep_draws(in_threads(one, tasks), report)


def check_generators(structure: Configuration, settings: ExplorationSettings, has_model: bool) -> None:
    """Draw a few candidates with every generator that needs no model, to see whether they can be drawn.

    Raises InputError as `generate` does, and when all of them need a model and there is none.
    """
    if not has_model:
        shares(settings, has_model)
    alone = tuple(item for item in settings.generators if not item.needs_model)
    if alone:
        n_candidates = min(settings.n_candidates, CHECK_DRAWS * len(alone))
        sample = settings.model_copy(update={"generators": alone, "n_candidates": n_candidates})
        generate(structure, sample, np.random.default_rng(0))


def _keep_draws(drawn: Sequence[Candidate | LostDraw], report: Report) -> list[Candidate]:
    """Return the accepted candidates and report the number of rejected ones.  Raises InputError when none is left."""
    kept = [item for item in drawn if isinstance(item, Candidate)]
    lost = [item for item in drawn if isinstance(item, LostDraw)]
    if lost and not kept:
        what_helps = "the forces need more labels: add a generator with displacements: debye"
        raise InputError(f"generators: all {len(lost)} Langevin candidates were rejected ({lost[0]}); {what_helps}")
    if lost:
        report(f"{len(lost)} of {len(drawn)} candidates left out: langevin draws in which an atom left its site")
    return kept


def shares(settings: ExplorationSettings, has_model: bool) -> list[float]:
    """Return the weight of each generator, zero for those that draw with the model while there is none.

    Raises InputError when nothing is left.
    """
    found = [g.weight if has_model or not g.needs_model else 0.0 for g in settings.generators]
    if not any(found):
        kinds = "monte-carlo or langevin"
        raise InputError(f"generators: {kinds} alone cannot begin, there is no model yet; add another generator")
    return found


def ready_for(
    settings: ExplorationSettings, model: FittedModel | None
) -> tuple[SpinModel | None, CompiledModel | None]:
    """Return the model made ready for Monte Carlo and for dynamics, each None unless a generator needs it.

    Raises InputError when a model without forces is to move atoms.
    """
    if model is None:
        return None, None
    draws_spins = any(item.kind == "monte-carlo" for item in settings.generators)
    moves_atoms = any(item.displacements == "langevin" for item in settings.generators)
    return SpinModel.of(model) if draws_spins else None, force_model(model) if moves_atoms else None


def source(
    structure: Configuration,
    settings: ExplorationSettings,
    place: int,
    model: SpinModel | None = None,
    forces: CompiledModel | None = None,
) -> Source:
    """Return the source of one of the generators.  Raises InputError when it does not fit the structure."""
    generator = settings.generators[place]
    if generator.kind == "cone" and not generator.magnetisations:
        raise InputError(f"generators.{place}.magnetisations is empty: a cone needs at least one mean cosine")
    counts = settings.supercell_of(generator)
    cell = supercell(structure, counts)
    is_magnetic_a = magnetic_atoms(cell, settings.magnetic_species)
    frames = () if generator.file is None else frames_of(generator, structure)
    return Source(generator, cell, is_magnetic_a, Lattice.of(cell, is_magnetic_a, counts), model, forces, frames)


def frames_of(generator: GeneratorSettings, structure: Configuration) -> tuple[Configuration, ...]:
    """Return the configurations of a user's file.

    Raises InputError when it cannot be read, and for an element that is not in the structure.
    """
    assert generator.file is not None
    frames = tuple(read_configurations(generator.file))
    for index, frame in enumerate(frames):
        strange = sorted(set(frame.symbols) - set(structure.symbols))
        if strange:
            raise InputError(f"{generator.file}, configuration {index}: {strange[0]} is not in the structure")
        if not frame.n_magnetic:
            raise InputError(f"{generator.file}, configuration {index}: no atom carries a spin")
    return frames


Made = tuple[Configuration, float, str]
"""A configuration, its magnetisation, and a description of the draw."""


Maker = Callable[[Source, int, np.random.Generator], Made]


def _with_displacements(maker: Maker) -> Maker:
    """Return a maker whose atoms are moved when all else is drawn, at one of the temperatures."""

    @wraps(maker)
    def make(source: Source, place: int, rng: np.random.Generator) -> Made:
        configuration, magnetisation, detail = maker(source, place, rng)
        if source.settings.displacements == "gaussian":
            return configuration, magnetisation, detail
        temperature = float(rng.choice(source.settings.temperatures_kelvin))
        configuration, motion = displace_atoms(configuration, source.settings, temperature, rng, source.forces)
        return configuration, magnetisation, ", ".join(filter(None, (detail, motion)))

    return make


@_with_displacements
def make_disordered(source: Source, place: int, rng: np.random.Generator) -> Made:
    """Draw directions uniformly or around an axis."""
    ladder = (0.0,) if source.settings.kind == "random" else source.settings.magnetisations
    magnetisation = _turn(ladder, place)
    return draw(source.cell, source.is_magnetic_a, source.settings, magnetisation, rng), magnetisation, ""


def make_thermal(source: Source, place: int, rng: np.random.Generator) -> Made:
    """Draw spins with the model on the deformed cell, which is the lattice of the label.

    Atoms that move by forces do so with spins of that temperature, drawn before and again on the atoms moved.
    """
    settings, temperature = source.settings, _turn(source.settings.temperatures_kelvin, place)
    assert source.model is not None
    lattice = deform(_with_spins(source, np.tile([0.0, 0.0, 1.0], (source.is_magnetic_a.sum(), 1))), settings, rng)
    if settings.displacements == "langevin":
        lattice = lattice.with_spins(thermal_spins(source.model, lattice, temperature, settings.n_sweeps, rng))
    lattice, motion = displace_atoms(lattice, settings, temperature, rng, source.forces)
    spins_ac = thermal_spins(source.model, lattice, temperature, settings.n_sweeps, rng)
    return _describe(lattice.with_spins(spins_ac), motion or f"{temperature:g} K")


@_with_displacements
def make_spiral(source: Source, place: int, rng: np.random.Generator) -> Made:
    """Draw a spin spiral."""
    settings, waves_kv = source.settings, source.lattice.wave_vectors
    check_waves(waves_kv)
    wave_v = waves_kv[rng.integers(len(waves_kv))]
    tilt, n_tilts = _turn(settings.tilts_degree, place), len(settings.tilts_degree)
    axis_cosine = _turn(settings.axis_cosines, place // n_tilts)
    spins_ac = tilt_spins(spiral(source.lattice, wave_v, axis_cosine, rng), tilt, rng)
    detail = f"q {' '.join(map(str, wave_v.tolist()))}, axis {axis_cosine:g}, tilt {tilt:g}"
    return _describe(deform(_with_spins(source, spins_ac), settings, rng), detail)


@_with_displacements
def make_collinear(source: Source, place: int, rng: np.random.Generator) -> Made:
    """Draw a collinear order."""
    settings = source.settings
    order, tilt = _turn(settings.orders, place), _turn(settings.tilts_degree, place // len(settings.orders))
    spins_ac = tilt_spins(collinear(source.lattice, order, rng), tilt, rng)
    return _describe(deform(_with_spins(source, spins_ac), settings, rng), f"{order}, tilt {tilt:g}")


@_with_displacements
def make_from_file(source: Source, place: int, rng: np.random.Generator) -> Made:
    """Take a configuration of the user's file."""
    which = place % len(source.frames)
    return _describe(deform(source.frames[which], source.settings, rng), f"configuration {which}")


def find_maker(kind: str) -> Maker:
    """Return the function that makes the candidate number `place` of this kind of generator."""
    maker: Maker = globals()[MAKERS[kind]]
    return maker


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
    return deform(cell.with_spins(spins_ac), generator, rng)


def interleave(weights: Sequence[float], n: int) -> list[int]:
    """Return n indices of `weights`, each in proportion to its weight (to within one), evenly mixed.

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


def interleave_up_to(weights: Sequence[float], n: int, most: Sequence[int | None]) -> list[int]:
    """Return indices as `interleave` does, none more often than `most` (None: any number).

    A used-up index leaves its share to the others; fewer than n when all are.  The first k are the answer for n = k.
    """
    if not any(weights):
        return []
    order = interleave(weights, n)
    left = list(most)
    for place, g in enumerate(order):
        if left[g] == 0:
            others = [0.0 if h == g else weight for h, weight in enumerate(weights)]
            return order[:place] + interleave_up_to(others, n - place, left)
        rest = left[g]
        left[g] = None if rest is None else rest - 1
    return order


def _turn(ladder: Sequence[Rung], place: int) -> Rung:
    """Return the rung of candidate number `place` on a ladder that candidates cycle through."""
    return ladder[place % len(ladder)]


def _with_spins(source: Source, spins_ac: FloatArray) -> Configuration:
    """Return the ideal cell with spins on its magnetic atoms."""
    all_ac = np.zeros((len(source.cell), 3))
    all_ac[source.is_magnetic_a] = spins_ac
    return source.cell.with_spins(all_ac)


def _describe(configuration: Configuration, detail: str) -> Made:
    total_c = configuration.spins_ac.sum(axis=0)
    return configuration, float(np.linalg.norm(total_c)) / configuration.n_magnetic, detail
