"""Displacements: the Debye model against its closed forms, dynamics against equipartition, guards."""

import warnings

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from ase.md.langevin import Langevin
from ase.units import kB
from scipy.integrate import quad
from spin_cells import complete_dataset, skewed_iron

from soso_core.active.candidates import displacements as motion
from soso_core.active.candidates.cells import supercell
from soso_core.active.candidates.displacements import (
    FARTHEST,
    debye_deviation,
    debye_displacements,
    langevin,
    shortest_distance,
)
from soso_core.active.candidates.generators import generate
from soso_core.active.candidates.settings import ExplorationSettings, ExploreSettings, GeneratorSettings
from soso_core.active.selection.batch import first_batch, next_batch
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.formats import write_configurations
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.settings import FitSettings
from soso_core.settings import parse_settings

IRON, DEBYE = 55.845, 420.0
HBAR, BOLTZMANN, MASS_UNIT = 1.054571817e-34, 1.380649e-23, 1.66053906660e-27
"""SI, CODATA 2018."""
CONSTANTS = 1e-6
"""By so much ASE's constants, of an earlier year, may differ; they do by 3e-7."""
KINDS = ("random", "cone", "monte-carlo", "spiral", "collinear", "file")


def iron(n):
    """Return n x n x n cells of bcc iron, all spins up."""
    corners_kc = np.array(list(np.ndindex(n, n, n)), dtype=float)
    sites_ac = 2.86 * np.concatenate([corners_kc, corners_kc + 0.5])
    return Configuration([26] * len(sites_ac), sites_ac, 2.86 * n * np.eye(3), np.tile([0, 0, 1.0], (len(sites_ac), 1)))


def iron_germanium(n):
    cell = iron(n)
    numbers_a = np.repeat([26, 32], n**3)
    return Configuration(numbers_a, cell.positions_ac, cell.cell_vc, cell.spins_ac * (numbers_a == 26)[:, None])


def in_square_angstrom(factor, kelvin):
    """Return factor · ħ² / (m_Fe k) · kelvin^-1, Å²."""
    return factor * HBAR**2 / (IRON * MASS_UNIT * BOLTZMANN) / kelvin * 1e20


def test_hot_debye_solid():
    """9ħ²T/(m k θ²) in all three directions; the next term of the expansion is x²/36."""
    x = 0.1
    found = 3.0 * debye_deviation(IRON, DEBYE / x, DEBYE) ** 2
    assert found == pytest.approx(in_square_angstrom(9.0, DEBYE * x) * (1.0 + x**2 / 36.0), rel=CONSTANTS)


def test_zero_point_of_a_debye_solid():
    """9ħ²/(4 m k θ); what is left of the temperature is (2π²/3)/x² = 7e-8 of it."""
    x = 1e4
    found = 3.0 * debye_deviation(IRON, DEBYE / x, DEBYE) ** 2
    assert found == pytest.approx(in_square_angstrom(9.0 / 4.0, DEBYE), rel=CONSTANTS)


@pytest.mark.parametrize("temperature", [30.0, 150.0, 420.0, 1500.0])
def test_debye_integral(temperature):
    x = DEBYE / temperature
    integral, _ = quad(lambda t: t / np.expm1(t), 0.0, x, epsabs=1e-13)
    expected = in_square_angstrom(3.0, DEBYE**2 / temperature) * (integral / x + x / 4.0)
    assert debye_deviation(IRON, temperature, DEBYE) ** 2 == pytest.approx(expected, rel=CONSTANTS)


def test_debye_displacements_of_two_elements():
    """Each element its own mean square, less its share of the motion of all; 4.5 standard errors."""
    cell, rng = iron_germanium(4), np.random.default_rng(3)
    is_iron_a = cell.numbers_a == 26
    mass_a = np.where(is_iron_a, IRON, 72.630)
    draws_nac = np.array([debye_displacements(cell, 600.0, DEBYE, rng) for _ in range(40)])
    np.testing.assert_allclose(np.einsum("a,nac->nc", mass_a, draws_nac), 0.0, atol=1e-11)
    for of, mass in ((is_iron_a, IRON), (~is_iron_a, 72.630)):
        squares = draws_nac[:, of] ** 2
        expected = debye_deviation(mass, 600.0, DEBYE) ** 2 * (1.0 - mass / mass_a.sum())
        assert squares.mean() == pytest.approx(expected, rel=4.5 * np.sqrt(2.0 / squares.size))


def test_a_debye_temperature_that_is_wrong_is_named():
    with pytest.raises(InputError, match="debye_kelvin is 40: at 900 K atoms would be"):
        debye_displacements(iron(2), 900.0, 40.0, np.random.default_rng(0))


class Springs(Calculator):
    """Each atom on a spring (eV/Å²) to its site; a negative one drives it away."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, sites_ac, spring):
        super().__init__()
        self.sites_ac, self.spring = sites_ac, spring

    def calculate(self, atoms=None, properties=("energy",), system_changes=tuple(all_changes)):
        super().calculate(atoms, properties, system_changes)
        shift_ac = self.atoms.positions - self.sites_ac
        self.results = {"energy": 0.5 * self.spring * np.sum(shift_ac**2), "forces": -self.spring * shift_ac}


def drawn(cell, spring, rng, temperature=300.0, **values):
    generator = GeneratorSettings(kind="random", displacements="langevin", **values)
    return langevin(cell, Springs(cell.positions_ac, spring), generator, temperature, rng)


def test_equipartition_of_springs():
    """k <u²> = k_B T, less the share of the centre of mass, within four standard errors.

    The draws are independent, and so are the atoms.  A spring of 5 eV/Å² gives (ω Δt)² = 0.0035, and what the start is
    remembered by, exp(-friction · time), is 6e-6: both are small beside the error.
    """
    cell, rng, spring = iron(5), np.random.default_rng(5), 5.0
    draws = [drawn(cell, spring, rng, n_steps=300) for _ in range(12)]
    squares = np.array([draw.displacements_ac for draw in draws]) ** 2
    expected = kB * 300.0 / spring * (1.0 - 1.0 / len(cell))
    assert {draw.n_steps for draw in draws} == {300}
    error = np.sqrt(2.0 / squares.size)
    assert error < 0.02
    assert squares.mean() == pytest.approx(expected, rel=4.0 * error)


def test_the_centre_of_mass_rests_and_seeds_reproduce():
    cell = iron_germanium(2)
    first, again, other = (drawn(cell, 5.0, np.random.default_rng(seed), n_steps=20) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.displacements_ac, again.displacements_ac)
    assert not np.allclose(first.displacements_ac, other.displacements_ac, atol=1e-3)
    mass_a = np.where(cell.numbers_a == 26, IRON, 72.630)
    np.testing.assert_allclose(mass_a @ first.displacements_ac, 0.0, atol=1e-11)
    assert np.abs(first.displacements_ac).max() > 0.01


@pytest.mark.parametrize("spring", [-20.0, 1e9, np.nan])
def test_a_bad_model_ends_the_draw_at_the_last_good_frame(spring):
    """Springs that push away, that are too stiff for the time step, and forces that are no numbers."""
    cell = iron(2)
    draw = drawn(cell, spring, np.random.default_rng(1))
    assert draw.n_steps < 300
    farthest = np.linalg.norm(draw.displacements_ac, axis=1).max()
    assert farthest <= FARTHEST * shortest_distance(cell)
    assert (draw.n_steps > 0) == (farthest > 0.0)
    assert shortest_distance(cell) == pytest.approx(2.86 * np.sqrt(0.75))


@pytest.fixture(scope="module")
def force_model():
    """Return a small model that has learnt forces."""
    settings = {
        "pair": {"cutoff_angstrom": 4.0, "n_max": 4, "lambda_max": 2},
        "descriptor": {"cutoff_angstrom": 4.0, "n_max": 3, "lambda_max": 2, "sigma_spin": 1.0},
        "zeta": 2,
        "n_inducing": 8,
    }
    dataset = complete_dataset([skewed_iron(seed) for seed in range(8)])
    return fit(dataset, FitSettings.model_validate(settings), np.random.default_rng(0))


@pytest.fixture
def unit_cell():
    cell = iron(1)
    return cell.with_spins(np.zeros((2, 3)))


@pytest.fixture
def exploration(unit_cell, tmp_path):
    """Return a function that makes an exploration of one kind with these displacements."""

    def make(kind, **values):
        if kind == "file":
            values["file"] = tmp_path / "mine.extxyz"
            write_configurations(values["file"], [iron(1)])
        if kind == "monte-carlo":
            values["n_sweeps"] = 5
        generator = GeneratorSettings(kind=kind, temperatures_kelvin=(200.0, 300.0), **values)
        return ExplorationSettings(supercell=(2, 1, 1), generators=(generator,), n_candidates=4)

    return make


MOTIONS = {
    "debye": {"displacements": "debye", "debye_kelvin": DEBYE},
    "langevin": {"displacements": "langevin", "n_steps": 15},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("motion", MOTIONS)
def test_every_kind_of_spins_on_atoms_that_move(kind, motion, exploration, unit_cell, force_model):
    """Unlike for each candidate, the same again for the seed, the temperature told, the spins unit vectors."""
    settings = exploration(kind, **MOTIONS[motion])
    runs = [generate(unit_cell, settings, np.random.default_rng(9), force_model) for _ in range(2)]
    for mine, again in zip(*runs, strict=True):
        np.testing.assert_array_equal(mine.configuration.positions_ac, again.configuration.positions_ac)
        np.testing.assert_array_equal(mine.configuration.spins_ac, again.configuration.spins_ac)
        assert mine.configuration.n_magnetic == len(mine.configuration)
        assert f"{motion.capitalize()} " in mine.detail
        assert mine.detail.endswith(("200 K", "300 K"))
    assert len({item.configuration.positions_ac.tobytes() for item in runs[0]}) == 4


def test_a_draw_that_an_atom_ended_is_no_candidate(exploration, unit_cell, force_model, monkeypatch):
    """With less room, those that would have left it are gone, told by their number, and the others are as they were."""
    settings = exploration("random", **MOTIONS["langevin"])

    def room_needed(item):
        shift_ac = item.configuration.positions_ac - supercell(unit_cell, (2, 1, 1)).positions_ac
        return np.linalg.norm(shift_ac, axis=1).max()

    told = []
    whole = generate(unit_cell, settings, np.random.default_rng(9), force_model, told.append)
    assert not told
    second = sorted(room_needed(item) for item in whole)[1]
    monkeypatch.setattr(motion, "FARTHEST", 1.0001 * second / shortest_distance(unit_cell))
    left = generate(unit_cell, settings, np.random.default_rng(9), force_model, told.append)
    assert 0 < len(left) <= 2
    assert told == [f"{4 - len(left)} of 4 candidates left out: langevin draws in which an atom left its site"]
    for item in left:
        np.testing.assert_array_equal(item.configuration.positions_ac, whole[item.index].configuration.positions_ac)


def test_nothing_but_lost_draws_is_refused(exploration, unit_cell, force_model, monkeypatch):
    monkeypatch.setattr(motion, "FARTHEST", 1e-6)
    settings = exploration("monte-carlo", **MOTIONS["langevin"])
    reason = r"an atom left its site after 0 steps at \d00 K"
    advice = "add a generator .*: debye$"
    with pytest.raises(InputError, match=rf"all 4 Langevin candidates were rejected \({reason}\); .*{advice}"):
        generate(unit_cell, settings, np.random.default_rng(9), force_model)


def test_ase_is_asked_for_nothing_that_it_gives_up(monkeypatch):
    """No word of deprecation; and the same motion once its keyword is gone."""
    cell = iron(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        now = drawn(cell, 5.0, np.random.default_rng(1), n_steps=20)

    class Later(Langevin):
        def __init__(self, atoms, timestep, *, temperature_K, friction, rng):
            super().__init__(atoms, timestep, temperature_K=temperature_K, friction=friction, rng=rng, fixcm=False)

    monkeypatch.setattr(motion, "Langevin", Later)
    monkeypatch.setattr(motion, "FREE", {})
    then = drawn(cell, 5.0, np.random.default_rng(1), n_steps=20)
    np.testing.assert_array_equal(now.displacements_ac, then.displacements_ac)


def test_dynamics_wait_for_a_model_and_for_forces(exploration, unit_cell, force_model, small_model):
    alone = exploration("random", **MOTIONS["langevin"])
    with pytest.raises(InputError, match="no model yet"):
        generate(unit_cell, alone, np.random.default_rng(0))
    with pytest.raises(InputError, match="forces of the model, which was fitted to none"):
        generate(unit_cell, alone, np.random.default_rng(0), small_model)
    both = ExploreSettings(
        structure="iron.cif",
        generators=(GeneratorSettings(kind="cone"), *alone.generators),
        n_candidates=6,
        n_select=6,
    )
    assert {item.kind for item in first_batch(unit_cell, both)} == {"cone"}
    assert {item.candidate.kind for item in next_batch(force_model, unit_cell, both)} == {"cone", "random"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"displacements": "debye"}, "debye_kelvin is missing"),
        ({"debye_kelvin": 400}, "debye_kelvin has no meaning for random with gaussian displacements"),
        ({"displacements": "langevin", "displacement_angstrom": 0.1}, "displacement_angstrom has no meaning"),
        ({"displacements": "langevin", "debye_kelvin": 400}, "debye_kelvin has no meaning"),
        ({"displacements": "langevin", "friction_per_fs": 1.0}, "must be at most 0.5"),
        ({"temperatures_kelvin": [300]}, "monte-carlo and debye and langevin"),
    ],
)
def test_settings_that_make_no_sense(values, said):
    with pytest.raises(InputError, match=said):
        parse_settings(GeneratorSettings, {"kind": "random", **values}, "explore.yaml")
