"""Every entry of the table of generators draws candidates, the same ones for the same seed."""

from typing import get_args

import numpy as np
import pytest

from soso_core.active.candidates.generators import MAKERS, generate
from soso_core.active.candidates.settings import ExplorationSettings, GeneratorSettings
from soso_core.configuration import Configuration
from soso_core.formats import write_configurations

IRON = Configuration([26, 26], 1.43 * np.array([[0, 0, 0], [1, 1, 1]]), 2.86 * np.eye(3), np.zeros((2, 3)))
UP = Configuration(IRON.numbers_a, IRON.positions_ac, IRON.cell_vc, [[0, 0, 1.0], [0, 0, 1.0]])


def test_settings_and_table_name_the_same_generators():
    assert set(get_args(GeneratorSettings.model_fields["kind"].annotation)) == set(MAKERS)


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
