"""Configurations, labels, datasets: what is refused, and in which words."""

import numpy as np
import pytest
from spin_cells import heisenberg_label, iron_germanium

from soso_core import Configuration, ConvergenceError, Dataset, InputError, LabelledConfiguration
from soso_core.errors import locate_errors

CUBE = 3.0 * np.eye(3)


def one(spin=(0.0, 0.0, 1.0), position=(0.0, 0.0, 0.0), cell=CUBE):
    return Configuration([26], [position], cell, [spin])


def test_a_long_spin_is_named_with_atom_and_value():
    with pytest.raises(InputError, match=r"spin of atom 1 has length 1\.3 "):
        Configuration([26, 26], [[0, 0, 0], [1.0, 1.0, 1.0]], CUBE, [[0, 0, 1], [0, 0, 1.3]])


@pytest.mark.parametrize("spin", [(0, 0, 1 + 2e-6), (0, 0, 1e-3), (0, 0, 1e-12)])
def test_neither_unit_nor_zero(spin):
    with pytest.raises(InputError, match="spin of atom 0"):
        one(spin)


def test_almost_unit_becomes_unit():
    assert np.linalg.norm(one((0, 0, 1 + 9e-7)).spins_ac[0]) == 1.0


def test_nan_is_named():
    with pytest.raises(InputError, match="position of atom 0 is nan"):
        one(position=(0, np.nan, 0))
    with pytest.raises(InputError, match="spin of atom 0 is inf"):
        one((np.inf, 0, 0))


def test_flat_cell():
    with pytest.raises(InputError, match="cell volume"):
        one(cell=np.diag([3.0, 3.0, 0.0]))


def test_no_atoms_or_wrong_lengths():
    with pytest.raises(InputError, match="at least one atom"):
        Configuration([], np.zeros((0, 3)), CUBE, np.zeros((0, 3)))
    with pytest.raises(InputError, match=r"shape \(1, 3\), expected \(2, 3\)"):
        Configuration([26, 26], np.zeros((1, 3)), CUBE, np.zeros((2, 3)))


def test_values_are_frozen():
    cell = one()
    with pytest.raises(ValueError, match="read-only"):
        cell.spins_ac[0, 0] = 1.0
    with pytest.raises(AttributeError):
        cell.cell_vc = CUBE


def test_energies_are_per_magnetic_atom():
    item = heisenberg_label(iron_germanium(1))
    assert item.configuration.n_magnetic == 3
    assert item.energy_per_spin == item.energy / 3


def test_fields_are_projected_and_need_lengths():
    item = LabelledConfiguration(one(), 0.0, [[0.1, 0.0, 5.0]], [2.0])
    np.testing.assert_allclose(item.effective_fields_ac, [[0.2, 0.0, 0.0]])
    with pytest.raises(InputError, match="moments"):
        LabelledConfiguration(one(), 0.0, [[0.1, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"energy": float("nan")}, "energy is nan"),
        ({"energy": "abc"}, "energy: not an array of numbers"),
        ({"moment_magnitudes_a": [0.0]}, "moment of magnetic atom 0 is 0"),
        ({"forces_ac": np.zeros((2, 3))}, "forces: shape"),
    ],
)
def test_bad_labels(labels, words):
    with pytest.raises(InputError, match=words):
        LabelledConfiguration(one(), **labels)


def test_dataset():
    with pytest.raises(InputError, match="empty"):
        Dataset(())
    data = Dataset(tuple(heisenberg_label(iron_germanium(seed)) for seed in range(3)))
    assert data.species == (26, 32)
    assert data.subset([2])[0] is data[2]
    assert data.fingerprint == Dataset(data.labelled).fingerprint != data.subset([0, 2, 1]).fingerprint
    assert data.fingerprint != Dataset(tuple(LabelledConfiguration(i.configuration) for i in data)).fingerprint


def test_repeats_are_dropped_and_order_kept():
    items = [heisenberg_label(iron_germanium(seed)) for seed in range(3)]
    again = [heisenberg_label(iron_germanium(seed)) for seed in range(3)]
    other_label = LabelledConfiguration(items[0].configuration, energy=1.0)
    data = Dataset((*items, again[1], other_label, items[0])).without_repeats()
    assert data.labelled == (*items, other_label)


def test_sizes_that_no_crystal_has():
    with pytest.raises(InputError, match=r"a cell vector is 5\.7e"):
        one(cell=np.diag([5.7e6, 3.0, 3.0]))
    with pytest.raises(InputError, match="are the units"):
        one(cell=0.5 * np.eye(3))


@pytest.mark.parametrize("kind", [InputError, ConvergenceError])
def test_an_error_gets_its_place_once(kind):
    with pytest.raises(kind, match=r"^a.extxyz, configuration 3: no cell$"), locate_errors("a.extxyz, configuration 3"):
        raise kind("no cell")
    with pytest.raises(kind, match=r"^a.extxyz: no cell$"), locate_errors("a.extxyz"):
        raise kind("a.extxyz: no cell")


def test_other_errors_keep_their_message():
    with pytest.raises(KeyError, match=r"^'x'$"), locate_errors("a.extxyz"):
        raise KeyError("x")
