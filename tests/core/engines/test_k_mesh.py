"""The number of k-points: from their distance, or as given."""

import numpy as np
import pytest

from soso_core.engines.abinit import AbinitSettings
from soso_core.engines.gpaw import GpawSettings
from soso_core.engines.k_mesh import MeshSettings, mesh_counts
from soso_core.engines.tight_binding import TightBindingSettings
from soso_core.settings import Settings


def test_counts_that_are_given_win():
    assert mesh_counts(3.0 * np.eye(3), 0.6, (3, 2, 1)) == (3, 2, 1)


def test_the_distance_is_an_upper_limit():
    # 2π over 3, 3 and 9 Å is 2.1, 2.1 and 0.70 per Å
    assert mesh_counts(np.diag([3.0, 3.0, 9.0]), 0.6) == (4, 4, 2)
    assert mesh_counts(40.0 * np.eye(3), 0.6) == (1, 1, 1)


def test_the_mesh_of_a_doubled_cell_is_the_folded_one():
    cell_vc = 2.87 * np.eye(3)
    assert mesh_counts(cell_vc, 1.12) == (2, 2, 2)
    assert mesh_counts(cell_vc * np.array([[2.0], [1.0], [1.0]]), 1.12) == (1, 2, 2)


def test_the_mesh_of_a_skewed_cell_follows_the_reciprocal_vectors():
    assert mesh_counts(np.array([[2.0, 0, 0], [1.9, 2.0, 0], [0, 0, 8.0]]), 0.5) == (9, 7, 2)


@pytest.mark.parametrize("digits", [1.0 - 1e-9, 1.0, 1.0 + 1e-9])
def test_a_cell_on_a_boundary_does_not_choose_by_its_last_bit(digits):
    assert mesh_counts(2.0 * np.pi * np.eye(3) / digits, 0.5) == (2, 2, 2)


@pytest.mark.parametrize("kind", [AbinitSettings, GpawSettings, TightBindingSettings])
def test_settings_with_k_points_are_recognised(kind):
    assert isinstance(kind(), MeshSettings)
    assert not isinstance(Settings(), MeshSettings)
