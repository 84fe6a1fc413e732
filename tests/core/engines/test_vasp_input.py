"""What VASP is given: atoms in its order and back, INCAR, k-mesh, and the protocols that fill them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vasp_cells import SPECIES, mixed_cell, protocol

from soso_core.configuration import Configuration
from soso_core.engines.k_mesh import mesh_counts
from soso_core.engines.vasp.incar import incar, scale_start_magnitudes
from soso_core.engines.vasp.order import arrange_for_vasp, vasp_order
from soso_core.engines.vasp.settings import SpeciesSettings, VaspSettings
from soso_core.errors import InputError
from soso_core.settings import parse_settings


@given(st.lists(st.sampled_from(["Fe", "Ge", "O", "Mn"]), min_size=1, max_size=30))
def test_like_atoms_stand_together_and_find_back(symbols):
    order, names_a = vasp_order(symbols), np.array(symbols)
    arranged = order.to_vasp(names_a).tolist()
    assert arranged == [s for s, n in zip(order.species, order.counts, strict=True) for _ in range(n)]
    assert order.from_vasp(np.array(arranged)).tolist() == symbols
    assert len(set(order.species)) == len(order.species)
    vectors_ac = np.random.default_rng(0).normal(size=(len(symbols), 3))
    np.testing.assert_array_equal(order.from_vasp(order.to_vasp(vectors_ac)), vectors_ac)


def test_lattice_vectors_become_right_handed():
    cell = mixed_cell()
    left = Configuration(cell.numbers_a, cell.positions_ac, cell.cell_vc[[1, 0, 2]], cell.spins_ac)
    assert np.linalg.det(left.cell_vc) < 0
    arranged, _ = arrange_for_vasp(left)
    assert np.linalg.det(arranged.cell_vc) > 0
    assert sorted(map(tuple, arranged.cell_vc)) == sorted(map(tuple, left.cell_vc))


def tags(**options):
    arranged, _ = arrange_for_vasp(mixed_cell())
    given = {"settings": protocol(), "species": SPECIES, "lambda_": 10.0, "is_restart": False, **options}
    return incar(arranged, **given)


def test_moments_and_targets_have_three_numbers_an_atom():
    found, (arranged, _) = tags(), arrange_for_vasp(mixed_cell())
    assert len(found["magmom"]) == len(found["m_constr"]) == 12
    np.testing.assert_allclose(np.reshape(found["m_constr"], (4, 3)), arranged.spins_ac, atol=1e-8)
    np.testing.assert_allclose(np.reshape(found["magmom"], (4, 3)), 2.2 * arranged.spins_ac, atol=1e-8)
    assert arranged.symbols == ("Fe", "Fe", "Fe", "Ge")
    assert found["magmom"][9:] == found["m_constr"][9:] == [0.0, 0.0, 0.0]
    assert found["rwigs"] == [1.302, 1.217]


def test_the_tags_of_a_constrained_noncollinear_run():
    found = tags(settings=protocol(extra_incar={"ncore": 4}))
    expected = {"lnoncollinear": True, "i_constrained_m": 4, "lambda": 10.0, "isym": 0, "lasph": True, "ncore": 4}
    assert expected.items() <= found.items()
    assert found["ediff"] == 4e-6
    assert "ispin" not in found
    assert "lsorbit" not in found
    assert all(key == key.lower() for key in found)


def test_a_restart_reads_the_density_and_mixes_less():
    cold, warm = tags(), tags(is_restart=True)
    assert (cold["icharg"], warm["icharg"]) == (2, 1)
    assert warm["amix"] == warm["amix_mag"] == 0.05
    assert warm["bmix"] == warm["bmix_mag"] == 0.001
    assert warm["amix"] < cold["amix"]


def test_lengths_of_a_model_are_taken():
    lengths_a = np.array([2.5, 2.4, 2.3, 0.0])
    found = np.reshape(tags(magnitudes_a=lengths_a)["magmom"], (4, 3))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 2.2 * lengths_a / 2.4, atol=1e-7)
    vector = np.reshape(tags(settings=protocol(constraint_kind=2), magnitudes_a=lengths_a)["m_constr"], (4, 3))
    np.testing.assert_allclose(np.linalg.norm(vector, axis=1), lengths_a, atol=1e-7)


def test_what_an_element_lacks_is_named():
    for missing, words in [({"rwigs_angstrom": {"Fe": 1.3}}, "rwigs_angstrom has no Ge"), ({}, "no Fe, which")]:
        values = {"rwigs_angstrom": {"Fe": 1.3, "Ge": 1.2}, "initial_moments_muB": {}, **missing}
        with pytest.raises(InputError, match=words):
            tags(species=SpeciesSettings(**values))


def test_atoms_out_of_order_are_refused():
    with pytest.raises(InputError, match="arrange_for_vasp"):
        incar(mixed_cell(), protocol(), SPECIES, 1.0, False)


def test_start_magnitudes_are_zero_without_a_spin():
    assert scale_start_magnitudes(mixed_cell(), SPECIES).tolist() == [2.2, 0.0, 2.2, 2.2]


@pytest.mark.parametrize(
    ("length", "name", "count"),
    [(5.7, "balanced", 4), (2.85, "balanced", 8), (5.7, "fast", 3), (5.7, "stringent", 6), (2.85, "stringent", 12)],
)
def test_the_mesh_is_the_one_in_the_comment_of_the_protocol(length, name, count):
    assert mesh_counts(length * np.eye(3), protocol(name).k_spacing_per_angstrom) == (count,) * 3


@pytest.mark.parametrize("name", ["fast", "balanced", "stringent"])
def test_protocols_are_complete_and_ordered(name):
    settings = protocol(name)
    assert settings.constraint_kind == 4
    assert not settings.spin_orbit
    assert protocol("fast").cutoff_ev < protocol().cutoff_ev < protocol("stringent").cutoff_ev


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lambda_ramp_ev_per_muB2": [10.0, 1.0]}, "must exceed the one before"),
        ({"lambda_max_ev_per_muB2": 5.0}, "smaller than the end"),
        ({"extra_incar": {"NCORE": 4}}, "write 'ncore'"),
        ({"extra_incar": {"magmom": "1"}}, "follows from the other settings"),
        ({"extra_incar": {"bad tag": 1}}, "'bad tag' is not a tag"),
        ({"extra_incar": {"kpar": [1, {"b": 2}]}}, "the value of 'kpar' must be"),
        ({"extra_incar": {"system": "two\nlines"}}, "the value of 'system' must be"),
        ({"extra_incar": {"efield": float("nan")}}, "the value of 'efield' must be"),
        ({"encut": 400}, "unknown key 'encut'"),
    ],
)
def test_faults_of_settings_are_named(changes, words):
    values = {**protocol().model_dump(mode="json"), **changes}
    with pytest.raises(InputError, match=words):
        parse_settings(VaspSettings, values, "here")
