"""Generators that draw with the model, from orders, from volumes and from files."""

import numpy as np
import pytest

from soso_core.active.candidates.generators import generate, interleave_up_to
from soso_core.active.candidates.settings import ExplorationSettings, ExploreSettings, GeneratorSettings
from soso_core.active.candidates.thermal import thermal_spins
from soso_core.active.selection.batch import first_batch, next_batch
from soso_core.configuration import Configuration
from soso_core.dynamics.spin_energy import SpinModel
from soso_core.errors import InputError
from soso_core.formats import write_configurations
from soso_core.settings import parse_settings

RANDOM = GeneratorSettings(kind="random")


@pytest.fixture
def iron():
    return Configuration([26, 26], 1.43 * np.array([[0, 0, 0], [1, 1, 1]]), 2.86 * np.eye(3), np.zeros((2, 3)))


def exploration(*generators, **other):
    return ExplorationSettings(generators=generators, **{"supercell": (2, 2, 1), "n_candidates": 6} | other)


def made(structure, generator, model=None, **other):
    return generate(structure, exploration(generator, **other), np.random.default_rng(5), model)


def test_cold_spins_have_less_energy_than_hot_ones(small_model, iron):
    """Not one chain against another: means over sixteen, some ten standard errors apart."""
    ladder = GeneratorSettings(kind="monte-carlo", temperatures_kelvin=(50.0, 20_000.0), n_sweeps=60)
    found = made(iron, ladder, small_model, n_candidates=32)
    energies = [small_model.predict(item.configuration, with_std=False).energy for item in found]
    assert np.mean(energies[0::2]) < np.mean(energies[1::2]) - 0.1
    assert [item.detail for item in found[:3]] == ["50 K", "20000 K", "50 K"]
    assert np.mean([item.magnetisation for item in found[0::2]]) > 0.8, "the model is that of a ferromagnet"


def test_spins_are_drawn_on_the_lattice_they_will_be_labelled_on(small_model, iron):
    moving = GeneratorSettings(kind="monte-carlo", displacement_angstrom=0.1, n_sweeps=5)
    for item in made(iron, moving, small_model):
        assert not np.allclose(item.configuration.positions_ac, np.round(item.configuration.positions_ac / 1.43) * 1.43)


def test_atoms_without_a_spin_stay_without(alloy_model, iron_germanium_cell):
    spins_ac = thermal_spins(SpinModel.of(alloy_model), iron_germanium_cell, 300.0, 20, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(spins_ac, axis=1), [1.0, 0.0], atol=1e-15)


@pytest.fixture
def iron_germanium_cell():
    return Configuration([26, 32], 1.43 * np.array([[0, 0, 0], [1, 1, 1]]), 2.86 * np.eye(3), [[0, 0, 1.0], [0, 0, 0]])


@pytest.mark.parametrize("kind", ["monte-carlo", "spiral", "collinear"])
def test_same_seed_same_candidates_and_a_prefix_when_fewer(small_model, iron, kind):
    generator = GeneratorSettings(kind=kind, displacement_angstrom=0.02, volume_range=(0.95, 1.05))
    many, few = made(iron, generator, small_model), made(iron, generator, small_model, n_candidates=3)
    for mine, again in zip(many, few, strict=False):
        np.testing.assert_array_equal(mine.configuration.spins_ac, again.configuration.spins_ac)
        np.testing.assert_array_equal(mine.configuration.positions_ac, again.configuration.positions_ac)
        assert (mine.detail, mine.magnetisation) == (again.detail, again.magnetisation)
    assert not np.array_equal(many[0].configuration.spins_ac, many[1].configuration.spins_ac)


def test_monte_carlo_waits_for_a_model(small_model, iron):
    both = exploration(RANDOM, GeneratorSettings(kind="monte-carlo", weight=3.0, n_sweeps=5), n_candidates=8)
    without = generate(iron, both, np.random.default_rng(0))
    assert [item.kind for item in without] == ["random"] * 8
    along = generate(iron, both, np.random.default_rng(0), small_model)
    assert [item.kind for item in along].count("monte-carlo") == 6
    with pytest.raises(InputError, match="no model yet"):
        made(iron, GeneratorSettings(kind="monte-carlo"))


def test_first_and_next_batch_with_all_kinds(small_model, iron, tmp_path):
    frames = tmp_path / "mine.extxyz"
    write_configurations(frames, [item.configuration for item in made(iron, RANDOM)])
    kinds = ("monte-carlo", "spiral", "collinear", "random")
    generators = (*(GeneratorSettings(kind=kind) for kind in kinds), GeneratorSettings(kind="file", file=frames))
    chosen = ExploreSettings(
        structure="iron.cif", supercell=(2, 2, 1), generators=generators, n_candidates=25, n_select=8, seed=1
    )
    assert {item.kind for item in first_batch(iron, chosen)} == {*kinds, "file"} - {"monte-carlo"}
    batch = next_batch(small_model, iron, chosen)
    assert len({item.candidate.index for item in batch}) == 8


def test_orders_and_tilts_are_taken_in_turn(iron):
    generator = GeneratorSettings(kind="collinear", orders=("ferromagnetic", "ferrimagnetic"), tilts_degree=(0.0, 20.0))
    found = made(iron, generator)
    steps = ["ferromagnetic, tilt 0", "ferrimagnetic, tilt 0", "ferromagnetic, tilt 20", "ferrimagnetic, tilt 20"]
    assert [item.detail for item in found] == [*steps, *steps[:2]]
    assert [item.magnetisation for item in found[:2]] == pytest.approx([1.0, 0.0], abs=1e-12)
    assert 0.8 < found[2].magnetisation < 1.0


def test_volumes_lie_in_their_range(iron):
    found = made(iron, GeneratorSettings(kind="random", volume_range=(0.9, 1.1)), n_candidates=60)
    factors = np.array([item.configuration.volume for item in found]) / (4 * iron.volume)
    assert 0.9 < factors.min() < 0.93
    assert 1.07 < factors.max() < 1.1


def test_configurations_of_a_file_are_taken_in_turn(iron, tmp_path):
    path = tmp_path / "mine.extxyz"
    frames = [item.configuration for item in made(iron, RANDOM, n_candidates=2)]
    write_configurations(path, frames)
    found = made(iron, GeneratorSettings(kind="file", file=path, displacement_angstrom=0.01), n_candidates=4)
    for k, item in enumerate(found):
        np.testing.assert_allclose(item.configuration.spins_ac, frames[k % 2].spins_ac, atol=1e-15)
        assert item.detail == f"configuration {k % 2}"
    strange = Configuration([27], np.zeros((1, 3)), 3.0 * np.eye(3), [[0, 0, 1.0]])
    write_configurations(path, [strange])
    with pytest.raises(InputError, match="Co is not in the structure"):
        made(iron, GeneratorSettings(kind="file", file=path))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "cone", "temperatures_kelvin": [300]}, "no meaning for cone"),
        ({"kind": "file"}, "file is missing"),
        ({"kind": "random", "volume_range": [1.1, 0.9]}, "smaller factor first"),
        ({"kind": "collinear", "orders": ["nematic"]}, "orders.0"),
        ({"kind": "monte-carlo", "temperatures_kelvin": [0]}, "temperatures_kelvin.0"),
    ],
)
def test_settings_that_make_no_sense(values, said):
    with pytest.raises(InputError, match=said):
        parse_settings(GeneratorSettings, values, "explore.yaml")


def test_what_was_not_asked_for_is_not_written():
    """Campaigns of earlier versions keep their fingerprint; what is written is read again as it was."""
    old = ["kind", "weight", "magnetisations", "displacement_angstrom", "strain"]
    assert list(RANDOM.model_dump()) == old
    full = GeneratorSettings(kind="collinear", orders=("ferrimagnetic",), volume_range=(0.9, 1.0))
    assert set(full.model_dump()) == {*old, "orders", "volume_range"}
    assert GeneratorSettings.model_validate_json(full.model_dump_json()) == full


@pytest.fixture
def file_of(iron, tmp_path):
    """Return a function that makes a generator of a file with n configurations."""

    def make(n, **values):
        path = tmp_path / f"mine_{n}.extxyz"
        write_configurations(path, [item.configuration for item in made(iron, RANDOM, n_candidates=n)])
        return GeneratorSettings(kind="file", file=path, **values)

    return make


def spins_of(candidates):
    return {item.configuration.spins_ac.tobytes() for item in candidates}


def test_configurations_of_a_file_are_candidates_once(iron, file_of, small_model):
    chosen = ExploreSettings(structure="iron.cif", generators=(file_of(7),), n_candidates=20, n_select=10, seed=1)
    assert len(spins_of(first_batch(iron, chosen))) == len(first_batch(iron, chosen)) == 7
    batch = [item.candidate for item in next_batch(small_model, iron, chosen)]
    assert len(spins_of(batch)) == len(batch) == 7


def test_strained_configurations_of_a_file_differ_each_time(iron, file_of):
    found = made(iron, file_of(3, strain=0.01), n_candidates=9)
    assert len({item.configuration.positions_ac.tobytes() for item in found}) == 9


def test_what_a_file_lacks_is_left_to_the_others(iron, file_of):
    both = exploration(file_of(3, weight=2.0), RANDOM, n_candidates=12)
    found = generate(iron, both, np.random.default_rng(3))
    assert [item.kind for item in found].count("file") == 3
    assert len(found) == len(spins_of(found)) == 12


def test_shares_of_what_is_left_follow_the_weights():
    order = interleave_up_to([3.0, 1.0, 2.0], 35, [5, None, None])
    assert [order.count(g) for g in range(3)] == [5, 10, 20]
    assert all(interleave_up_to([3.0, 1.0, 2.0], n, [5, None, None]) == order[:n] for n in range(35))
    assert interleave_up_to([1.0, 1.0], 9, [2, 3]) == [0, 1, 0, 1, 1]
