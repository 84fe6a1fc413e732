"""Generators draw what their settings say, and the same again for the same seed."""

import numpy as np
import pytest

from soso_core.active.candidates.cells import magnetic_atoms, supercell, symmetric_strain
from soso_core.active.candidates.directions import concentration, cone_directions, directions_around, uniform_directions
from soso_core.active.candidates.generators import draw, generate, interleave
from soso_core.active.candidates.settings import ExplorationSettings, GeneratorSettings
from soso_core.configuration import Configuration
from soso_core.errors import InputError
from soso_core.neighbours import find_neighbours

N_DRAWS = 40000


@pytest.fixture
def iron_germanium():
    return Configuration(
        np.array([26, 32]), np.array([[0, 0, 0], [1.43, 1.43, 1.43]]), 2.86 * np.eye(3), np.zeros((2, 3))
    )


def settings(*generators, **other):
    return ExplorationSettings(generators=generators, **other)


@pytest.mark.parametrize("mean_cosine", [0.001, 0.05, 0.2, 0.5, 0.8, 0.95, 0.999])
def test_mean_cosine_of_a_cone(mean_cosine):
    spins_ac = cone_directions(N_DRAWS, mean_cosine, np.random.default_rng(3))
    # Variance of the cosine of a von Mises-Fisher distribution: 1 - m² - 2m/κ; five standard errors.
    kappa = concentration(mean_cosine)
    error = np.sqrt((1.0 - mean_cosine**2 - 2.0 * mean_cosine / kappa) / N_DRAWS)
    # Averaging |Σ e|/n instead of the unknown axis adds transverse noise of second order only.
    transverse = 2.0 * (1.0 - mean_cosine**2) / (3.0 * N_DRAWS * mean_cosine)
    mean = np.linalg.norm(spins_ac.mean(axis=0))
    assert abs(mean - mean_cosine) < 5.0 * error + 5.0 * transverse
    np.testing.assert_allclose(np.linalg.norm(spins_ac, axis=1), 1.0, atol=1e-14)


@pytest.mark.parametrize("mean_cosine", [1e-9, 1e-4, 0.3, 0.99999])
def test_concentration_inverts_langevin(mean_cosine):
    kappa = concentration(mean_cosine)
    expected = kappa / 3.0 if kappa < 1e-4 else 1.0 / np.tanh(kappa) - 1.0 / kappa
    assert expected == pytest.approx(mean_cosine, rel=1e-7)


def test_cosines_of_a_cone_follow_the_exponential_law():
    """κ(1 - w) is exponentially distributed, truncated at 2κ; here the truncation is negligible."""
    kappa = concentration(0.95)
    spins_ac = cone_directions(N_DRAWS, 0.95, np.random.default_rng(4))
    axis_c = spins_ac.mean(axis=0) / np.linalg.norm(spins_ac.mean(axis=0))
    scaled_a = kappa * (1.0 - spins_ac @ axis_c)
    for x in (0.2, 0.7, 1.5, 3.0):
        assert np.mean(scaled_a > x) == pytest.approx(np.exp(-x), abs=0.015)


def test_uniform_directions_have_no_mean_and_isotropic_squares():
    spins_ac = uniform_directions(N_DRAWS, np.random.default_rng(5))
    assert np.all(np.abs(spins_ac.mean(axis=0)) < 5.0 / np.sqrt(3.0 * N_DRAWS))
    np.testing.assert_allclose(spins_ac.T @ spins_ac / N_DRAWS, np.eye(3) / 3.0, atol=0.01)


def test_axes_of_cones_differ_between_candidates(iron_germanium):
    made = generate(iron_germanium, settings(GeneratorSettings(kind="cone"), n_candidates=50), np.random.default_rng(0))
    axes_kc = np.array([item.configuration.spins_ac[0] for item in made])
    assert np.linalg.norm(axes_kc.mean(axis=0)) < 0.5


def test_same_seed_same_candidates_and_a_prefix_when_fewer(iron_germanium):
    cone = GeneratorSettings(kind="cone", displacement_angstrom=0.05, strain=0.01)
    many = generate(iron_germanium, settings(cone, n_candidates=9), np.random.default_rng(11))
    few = generate(iron_germanium, settings(cone, n_candidates=4), np.random.default_rng(11))
    other = generate(iron_germanium, settings(cone, n_candidates=4), np.random.default_rng(12))
    for mine, again, different in zip(many, few, other, strict=False):
        assert np.array_equal(mine.configuration.spins_ac, again.configuration.spins_ac)
        assert np.array_equal(mine.configuration.positions_ac, again.configuration.positions_ac)
        assert not np.array_equal(mine.configuration.spins_ac, different.configuration.spins_ac)


def test_weights_decide_how_many_of_each_and_they_are_interleaved():
    order = interleave([2.0, 1.0, 0.5], 70)
    assert [order.count(g) for g in range(3)] == [40, 20, 10]
    for n in range(1, 70):
        counts = np.array([order[:n].count(g) for g in range(3)])
        assert np.all(np.abs(counts - n * np.array([4, 2, 1]) / 7) <= 1.0)


def test_cones_cycle_through_their_ladder(iron_germanium):
    ladder = (0.9, 0.5, 0.1)
    cone, uniform = GeneratorSettings(kind="cone", magnetisations=ladder), GeneratorSettings(kind="random")
    made = generate(iron_germanium, settings(cone, uniform, n_candidates=12), np.random.default_rng(0))
    assert [item.magnetisation for item in made if item.kind == "cone"] == [*ladder, *ladder]
    assert all(item.magnetisation == 0.0 for item in made if item.kind == "random")
    assert [item.index for item in made] == list(range(12))
    assert {item.kind: item.generator for item in made} == {"cone": 0, "random": 1}


def test_atoms_that_are_not_magnetic_get_no_spin(iron_germanium):
    chosen = settings(GeneratorSettings(kind="cone"), supercell=(2, 1, 1), magnetic_species=("Fe",), n_candidates=3)
    for item in generate(iron_germanium, chosen, np.random.default_rng(0)):
        assert item.configuration.symbols == ("Fe", "Ge", "Fe", "Ge")
        assert item.configuration.is_magnetic_a.tolist() == [True, False, True, False]


@pytest.mark.parametrize(("species", "said"), [(("Co",), "no 'Co'"), ((), "is empty"), (("Fe", "Xx"), "no 'Xx'")])
def test_magnetic_species_must_be_there(iron_germanium, species, said):
    with pytest.raises(InputError, match=said):
        magnetic_atoms(iron_germanium, species)


def test_a_generator_may_have_a_supercell_of_its_own(iron_germanium):
    pair, own = GeneratorSettings(kind="random"), GeneratorSettings(kind="cone", supercell=(2, 1, 3))
    chosen = settings(pair, own, supercell=(1, 2, 1), magnetic_species=("Fe",), n_candidates=4)
    made = generate(iron_germanium, chosen, np.random.default_rng(0))
    assert [(item.kind, len(item.configuration)) for item in made] == [("random", 4), ("cone", 12)] * 2
    assert [item.configuration.n_magnetic for item in made] == [2, 6] * 2
    assert chosen.supercells == ((1, 2, 1), (2, 1, 3))
    assert "supercell" not in pair.model_dump(), "a campaign file without it keeps its fingerprint"
    assert ExplorationSettings.model_validate_json(chosen.model_dump_json()) == chosen


def test_supercell_has_the_same_neighbours(iron_germanium):
    large = supercell(iron_germanium, (2, 1, 3))
    assert large.volume == pytest.approx(6.0 * iron_germanium.volume)
    assert large.symbols == ("Fe", "Ge") * 6
    mine, other = find_neighbours(iron_germanium, 5.0), find_neighbours(large, 5.0)
    np.testing.assert_allclose(np.sort(np.tile(mine.distances_p, 6)), np.sort(other.distances_p), atol=1e-12)


def test_displacements_and_strains_have_the_given_deviation(iron_germanium):
    cell = supercell(iron_germanium, (8, 8, 8))
    moved = draw(
        cell,
        magnetic_atoms(cell, None),
        GeneratorSettings(kind="random", displacement_angstrom=0.1),
        0.0,
        np.random.default_rng(2),
    )
    np.testing.assert_array_equal(moved.cell_vc, cell.cell_vc)
    assert np.std(moved.positions_ac - cell.positions_ac) == pytest.approx(0.1, rel=0.05)
    strains = np.array([symmetric_strain(0.02, np.random.default_rng(k)) for k in range(2000)])
    np.testing.assert_array_equal(strains, strains.transpose(0, 2, 1))
    np.testing.assert_allclose(strains.std(axis=0), 0.02, rtol=0.08)


def test_strain_moves_atoms_with_the_cell(iron_germanium):
    strained = draw(
        iron_germanium,
        magnetic_atoms(iron_germanium, None),
        GeneratorSettings(kind="random", strain=0.05),
        0.0,
        np.random.default_rng(2),
    )
    assert not np.allclose(strained.cell_vc, iron_germanium.cell_vc, atol=1e-3)
    before = iron_germanium.positions_ac @ np.linalg.inv(iron_germanium.cell_vc)
    np.testing.assert_allclose(strained.positions_ac @ np.linalg.inv(strained.cell_vc), before, atol=1e-12)


@pytest.mark.parametrize("tilt", [1e-7, 1e-4, 1e-2])
def test_a_tilt_whose_cosine_rounds_to_one_is_a_small_one(tilt):
    axes_ac = np.tile([0.0, 0.0, 1.0], (200, 1))
    turned_ac = directions_around(axes_ac, np.cos(np.radians(tilt)), np.random.default_rng(0))
    angles_a = np.degrees(np.linalg.norm(np.cross(axes_ac, turned_ac), axis=1))
    # Cosines have 16 digits, so that angles below 1e-6 degrees are known to half of those.
    assert 0.0 < np.mean(angles_a) < 2.0 * max(tilt, 1e-6)
