"""A model with the three-body descriptor: the same promises as without it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from spin_cells import four_spin_label, heisenberg_dataset, iron_germanium, random_spins, rigid_iron

from soso_core import Configuration, Dataset
from soso_core.descriptors.environment import EnvironmentDescriptor
from soso_core.descriptors.parameters import ThreeBodyParameters
from soso_core.gp.assessment.evaluation import evaluate
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.model_file import load_model, save_model
from soso_core.gp.model.settings import FitSettings
from soso_core.neighbours import find_neighbours
from soso_core.testing import assert_derivative

CELL = iron_germanium(77)
ROTATION = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
SETTINGS = FitSettings(
    pair={"cutoff_angstrom": 4.5, "n_max": 5, "lambda_max": 2},
    descriptor={"cutoff_angstrom": 4.0, "n_max": 4, "lambda_max": 3, "sigma_spin": 1.0},
    three_body={"cutoff_angstrom": 4.2, "n_max": 3, "l_max": 3},
    zeta=2,
    n_inducing=16,
)


@pytest.fixture(scope="module")
def model():
    return fit(heisenberg_dataset([iron_germanium(seed) for seed in range(6)]), SETTINGS, np.random.default_rng(0))


def features_of(channel_pairs):
    three_body = ThreeBodyParameters(channel_pairs=channel_pairs)
    descriptor = EnvironmentDescriptor.of(SETTINGS.descriptor, three_body, (26, 32))
    return descriptor, descriptor.compute(CELL, find_neighbours(CELL, descriptor.cutoff)).x_af


def test_each_part_is_divided_by_its_length():
    """d by its own, p by that of its channel pair (1, 1), which knows no spins."""
    descriptor, x_af = features_of((("P1", "P1"), ("1", "1")))
    assert x_af.shape[1] == descriptor.size
    for block in ("d", "1-1"):
        # Up to the tiny length that keeps an empty block finite.
        np.testing.assert_allclose(np.sum(x_af[:, descriptor.blocks[block]] ** 2, axis=1), 1.0, rtol=1e-5)
    size_a = np.sum(x_af[:, descriptor.blocks["P1-P1"]] ** 2, axis=1)
    assert np.all((size_a[:3] > 1e-3) & (size_a[:3] < 1.0))
    assert size_a[3] == 0.0


def test_without_the_lattice_pair_the_whole_of_p_is_the_length():
    descriptor, x_af = features_of((("P1", "P1"), ("vector", "vector")))
    np.testing.assert_allclose(np.sum(x_af[:, descriptor.pair_size :] ** 2, axis=1), 1.0, rtol=1e-4)


def test_fields_are_minus_the_derivative(model):
    magnetic = CELL.is_magnetic_a

    def energy(spins_ac):
        moved = np.zeros((len(CELL), 3))
        moved[magnetic] = spins_ac / np.linalg.norm(spins_ac, axis=1, keepdims=True)
        return model.predict(CELL.with_spins(moved), with_std=False).energy

    effective_fields_ac = model.predict(CELL, with_std=False).effective_fields_ac
    assert_derivative(energy, CELL.spins_ac[magnetic], -effective_fields_ac[magnetic], 1e-3, 1e-7)


def test_forces_and_stress_are_derivatives(model):
    def energy(positions_ac, strain_cc):
        deform = np.eye(3) + 0.5 * (strain_cc + strain_cc.T)
        moved = Configuration(CELL.numbers_a, positions_ac @ deform, CELL.cell_vc @ deform, CELL.spins_ac)
        return model.predict(moved, with_std=False).energy

    predicted, zero = model.predict(CELL, with_std=False), np.zeros((3, 3))
    assert_derivative(lambda at: energy(at, zero), CELL.positions_ac, -predicted.forces_ac, 1e-3, 1e-7)
    stress_cc = predicted.stress_cc * CELL.volume
    assert_derivative(lambda at: energy(CELL.positions_ac, at), zero, stress_cc, 1e-3, 1e-7)


def test_adjoint_and_design_rows_agree(model):
    rows, predicted = model.basis.rows(CELL), model.predict(CELL)
    constant = np.array([3.0, 1.0]) @ model.references.energies_s
    assert rows.energy_m @ model.weights_m + constant == pytest.approx(predicted.energy, rel=1e-10)
    np.testing.assert_allclose(rows.effective_fields_acm @ model.weights_m, predicted.effective_fields_ac, atol=1e-11)


def moved_lattice(matrix):
    return Configuration(CELL.numbers_a, CELL.positions_ac @ matrix.T, CELL.cell_vc @ matrix.T, CELL.spins_ac)


def permuted(order):
    return Configuration(CELL.numbers_a[order], CELL.positions_ac[order], CELL.cell_vc, CELL.spins_ac[order])


SYMMETRIC = {
    "lattice rotation": moved_lattice(ROTATION),
    "lattice reflection": moved_lattice(np.diag([1.0, 1.0, -1.0])),
    "spin rotation": CELL.with_spins(CELL.spins_ac @ ROTATION.T),
    "spin reflection": CELL.with_spins(CELL.spins_ac * np.array([1.0, -1.0, 1.0])),
    "spin reversal": CELL.with_spins(-CELL.spins_ac),
    "translation": CELL.with_positions(CELL.positions_ac + np.array([0.3, -7.0, 1.9])),
    "permutation": permuted([2, 0, 3, 1]),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetries(model, name):
    before, after = model.predict(CELL), model.predict(SYMMETRIC[name])
    # Rounding of a sum over some thousand pairs.
    assert after.energy == pytest.approx(before.energy, rel=1e-11)
    assert after.energy_model_std == pytest.approx(before.energy_model_std, rel=1e-6)


def test_fields_turn_with_the_spins_and_forces_with_the_lattice(model):
    before = model.predict(CELL)
    np.testing.assert_allclose(
        model.predict(SYMMETRIC["spin rotation"]).effective_fields_ac,
        before.effective_fields_ac @ ROTATION.T,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        model.predict(SYMMETRIC["lattice rotation"]).forces_ac, before.forces_ac @ ROTATION.T, atol=1e-11
    )


def test_an_atom_alone_has_a_finite_energy(model):
    """No neighbours: the three-body block is zero, and nothing divides by it."""
    alone = Configuration([26], [[0, 0, 0]], 20 * np.eye(3), [[0, 0, 1.0]])
    predicted = model.predict(alone)
    assert np.isfinite(predicted.energy)
    assert np.isfinite(predicted.effective_fields_std_ac).all()
    assert not predicted.forces_ac.any()


def test_model_file_round_trip(model, tmp_path):
    save_model(tmp_path / "m.soso", model)
    loaded = load_model(tmp_path / "m.soso")
    assert loaded.basis.settings == model.basis.settings
    mine, other = model.predict(CELL), loaded.predict(CELL)
    for name in vars(mine):
        assert np.array_equal(getattr(mine, name), getattr(other, name)), name
    save_model(tmp_path / "again.soso", loaded)
    assert (tmp_path / "again.soso").read_bytes() == (tmp_path / "m.soso").read_bytes()


def test_interactions_of_four_spins_are_fitted_only_with_it():
    """bcc iron, 2 x 2 x 1: pairs saturate, the three-body part does not."""
    rng = np.random.default_rng(2)
    cells = [rigid_iron(random_spins(8, rng)) for _ in range(26)]
    train, test = (Dataset(tuple(four_spin_label(cell) for cell in part)) for part in (cells[:20], cells[20:]))
    settings = SETTINGS.model_copy(update={"n_inducing": 100})
    errors = {}
    for name, three_body in {"with": settings.three_body, "without": None}.items():
        model = fit(train, settings.model_copy(update={"three_body": three_body}), np.random.default_rng(0))
        errors[name] = evaluate(model, test).field_rmse_meV
    assert errors["with"] < 0.5 * errors["without"], errors
