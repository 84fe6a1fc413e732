"""From structure and model to the next batch."""

import numpy as np
import pytest
from spin_cells import complete_label

from soso_core.active.candidates.settings import ExploreSettings
from soso_core.active.selection.batch import first_batch, next_batch
from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.settings import FitSettings

SMALL = {
    "pair": {"cutoff_angstrom": 4.0, "n_max": 4, "lambda_max": 2},
    "descriptor": {"cutoff_angstrom": 4.0, "n_max": 3, "lambda_max": 2, "sigma_spin": 1.0},
    "zeta": 2,
    "n_inducing": 8,
}


@pytest.fixture
def iron():
    positions_ac = 2.86 * np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    return Configuration(np.array([26, 26]), positions_ac, 2.86 * np.eye(3), np.zeros((2, 3)))


def settings(**values):
    return ExploreSettings(structure="unused", supercell=(1, 1, 2), **{"n_candidates": 30, "n_select": 5, **values})


def same_spins(left, right):
    return all(
        np.array_equal(a.configuration.spins_ac, b.configuration.spins_ac) for a, b in zip(left, right, strict=True)
    )


def test_first_batch_is_spread_over_the_generators(iron):
    batch = first_batch(
        iron,
        settings(
            n_select=6,
            generators=(
                {"kind": "cone", "weight": 2.0, "magnetisations": (0.9, 0.6, 0.3, 0.1)},
                {"kind": "random"},
            ),
        ),
    )
    assert sorted(item.magnetisation for item in batch) == [0.0, 0.0, 0.1, 0.3, 0.6, 0.9]


def test_seeds_reproduce(iron, small_model):
    assert same_spins(first_batch(iron, settings(seed=1)), first_batch(iron, settings(seed=1)))
    assert not same_spins(first_batch(iron, settings(seed=1)), first_batch(iron, settings(seed=2)))
    for acquisition in ("random", "energy-variance"):
        runs = [next_batch(small_model, iron, settings(seed=s, acquisition=acquisition)) for s in (5, 5, 6)]
        chosen = [[item.candidate for item in run] for run in runs]
        assert same_spins(chosen[0], chosen[1])
        assert not same_spins(chosen[0], chosen[2])


def test_first_and_next_batches_of_one_seed_do_not_share_candidates(iron, small_model):
    first = first_batch(iron, settings(n_select=30))
    following = [item.candidate for item in next_batch(small_model, iron, settings(n_select=30))]
    keys = {item.configuration.spins_ac.tobytes() for item in first}
    assert keys.isdisjoint(item.configuration.spins_ac.tobytes() for item in following)


def test_scores_are_the_deviations_the_model_predicts(iron, small_model):
    assert small_model.calibration_factor("energy") != 1.0
    for item in next_batch(small_model, iron, settings()):
        prediction = small_model.predict(item.candidate.configuration)
        assert item.energy_model_std_meV_per_spin == pytest.approx(1e3 * prediction.energy_model_std / 4, rel=1e-9)
        assert item.energy_std_meV_per_spin == pytest.approx(1e3 * prediction.energy_std / 4, rel=1e-9)


def test_ranks_count_up_from_the_most_uncertain(iron, small_model):
    batch = next_batch(small_model, iron, settings(n_select=30, variance_fraction=1.0, acquisition="energy-variance"))
    assert [item.rank for item in batch] == list(range(30))
    assert batch[0].energy_model_std_meV_per_spin == max(item.energy_model_std_meV_per_spin for item in batch)
    assert len({item.candidate.index for item in batch}) == 30


def test_more_asked_for_than_made(iron, small_model):
    with pytest.raises(InputError, match="n_select is 31, but n_candidates only 30"):
        first_batch(iron, settings(n_select=31))
    with pytest.raises(InputError, match="n_select is 31, but n_candidates only 30"):
        next_batch(small_model, iron, settings(n_select=31))


def test_unknown_element(small_model):
    cobalt = Configuration(np.array([27]), np.zeros((1, 3)), 2.5 * np.eye(3), np.zeros((1, 3)))
    with pytest.raises(InputError, match="Co"):
        next_batch(small_model, cobalt, settings())


def test_alloy_with_an_atom_that_is_not_magnetic(alloy_model):
    alloy = Configuration(
        np.array([26, 32]), np.array([[0, 0, 0], [1.43, 1.43, 1.43]]), 2.86 * np.eye(3), np.zeros((2, 3))
    )
    for item in next_batch(alloy_model, alloy, settings(magnetic_species=("Fe",))):
        assert item.candidate.configuration.n_magnetic == 2
        prediction = alloy_model.predict(item.candidate.configuration)
        assert item.energy_model_std_meV_per_spin == pytest.approx(1e3 * prediction.energy_model_std / 2, rel=1e-9)


def test_lengths_that_the_model_predicts_come_along(iron):
    rng = np.random.default_rng(0)
    cells = [item.configuration for item in first_batch(iron, settings(n_select=8))]
    dataset = Dataset(tuple(complete_label(cell) for cell in cells))
    model = fit(dataset, FitSettings.model_validate(SMALL), rng)
    for item in next_batch(model, iron, settings(n_select=2)):
        expected, _ = model.predict_moments(item.candidate.configuration)
        assert expected is not None
        np.testing.assert_array_equal(item.moment_magnitudes_a, expected)


@pytest.mark.parametrize("acquisition", ["energy-variance", "mean-variance", "random"])
def test_what_is_labelled_already_is_not_chosen_again(iron, small_model, acquisition):
    values = settings(acquisition=acquisition, n_candidates=8, n_select=3)
    first = next_batch(small_model, iron, values)
    known = [item.candidate.configuration for item in first]
    again = next_batch(small_model, iron, values, known)
    taken = {item.candidate.index for item in first}
    assert len(again) == 3
    assert taken.isdisjoint(item.candidate.index for item in again)


@pytest.mark.parametrize("acquisition", ["energy-variance", "mean-variance", "random"])
def test_a_label_is_never_made_twice_rather_is_the_batch_smaller(iron, small_model, acquisition):
    values = settings(acquisition=acquisition, n_candidates=8, n_select=6)
    known = [item.candidate.configuration for item in next_batch(small_model, iron, values)]
    turned = [item.with_spins(-item.spins_ac) for item in known]
    again = next_batch(small_model, iron, values, turned)
    assert len(again) == 2
    everything = [*turned, *(item.candidate.configuration for item in again)]
    with pytest.raises(InputError, match="all 8 candidates are symmetry-equivalent to existing labels"):
        next_batch(small_model, iron, values, everything)


def test_a_first_batch_holds_one_of_each_symmetry_class(iron):
    """Up and down along a random axis is one configuration for ferromagnet and antiferromagnet each."""
    orders = {"kind": "collinear", "tilts_degree": (0.0,), "orders": ("ferromagnetic",)}
    batch = first_batch(iron, settings(n_select=6, generators=({"kind": "random"}, orders)))
    assert [item.kind for item in batch].count("collinear") == 1
    assert [item.kind for item in batch].count("random") == 5


@pytest.mark.parametrize("acquisition", ["energy-variance", "mean-variance"])
def test_a_batch_states_what_was_drawn_at_random(iron, small_model, acquisition):
    values = settings(acquisition=acquisition, n_select=10)
    batch = next_batch(small_model, iron, values)
    assert [item.chosen_by for item in batch] == ["random"] * 5 + [acquisition] * 5
    assert len({item.candidate.index for item in batch}) == 10
    assert [item.candidate.index for item in batch] == [
        item.candidate.index for item in next_batch(small_model, iron, values)
    ]
    drawn = next_batch(small_model, iron, settings(acquisition="random", n_select=10))
    assert {item.chosen_by for item in drawn} == {"random"}
