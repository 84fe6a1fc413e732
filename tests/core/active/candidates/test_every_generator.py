"""Every entry of the table of generators draws candidates, the same ones for the same seed."""

import numpy as np
import pytest
from pydantic import ValidationError

from soso_core.active.candidates.generators import find_maker, generate
from soso_core.active.candidates.settings import MAKERS, ExplorationSettings, GeneratorSettings
from soso_core.configuration import Configuration
from soso_core.formats import write_configurations

IRON = Configuration([26, 26], 1.43 * np.array([[0, 0, 0], [1, 1, 1]]), 2.86 * np.eye(3), np.zeros((2, 3)))
UP = Configuration(IRON.numbers_a, IRON.positions_ac, IRON.cell_vc, [[0, 0, 1.0], [0, 0, 1.0]])


@pytest.mark.parametrize("kind", MAKERS)
def test_the_settings_take_every_entry_and_its_function_exists(kind):
    file = "frames.extxyz" if kind == "file" else None
    assert GeneratorSettings(kind=kind, file=file).kind == kind
    assert find_maker(kind).__name__ == MAKERS[kind]


def test_an_unknown_generator_gets_the_names_of_the_table():
    with pytest.raises(ValidationError, match=f"'{list(MAKERS)[-2]}' or '{list(MAKERS)[-1]}'"):
        GeneratorSettings(kind="conical")


@pytest.mark.parametrize("kind", MAKERS)
def test_generator_draws_the_same_candidates_for_a_seed(kind, small_model, tmp_path):
    file = tmp_path / "frames.extxyz"
    write_configurations(file, [UP])
    generator = GeneratorSettings(kind=kind, displacement_angstrom=0.02, file=file if kind == "file" else None)
    settings = ExplorationSettings(generators=(generator,), supercell=(2, 1, 1), n_candidates=3)
    first, second = (generate(IRON, settings, np.random.default_rng(4), small_model) for _ in range(2))
    assert [item.kind for item in first] == [kind] * 3
    for one, other in zip(first, second, strict=True):
        assert one.configuration.n_magnetic == len(one.configuration) > 0
        np.testing.assert_array_equal(one.configuration.spins_ac, other.configuration.spins_ac)
        np.testing.assert_array_equal(one.configuration.positions_ac, other.configuration.positions_ac)
