"""A fitted model: exact derivatives, agreement of its two ways to predict, symmetries, known limits."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from spin_cells import heisenberg_dataset, heisenberg_label, iron_germanium, random_spins, skewed_iron

from soso_core import Configuration, Dataset, InputError, LabelledConfiguration
from soso_core.gp.assessment.evaluation import evaluate
from soso_core.gp.inference.defaults import choose_settings
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.settings import FitSettings
from soso_core.labels import transverse
from soso_core.testing import assert_derivative

CELL = iron_germanium(77)
ROTATION = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()


def unit(spins_ac):
    lengths = np.linalg.norm(spins_ac, axis=1, keepdims=True)
    return np.divide(spins_ac, lengths, out=np.zeros_like(spins_ac), where=lengths > 0)


@pytest.mark.parametrize("part", ["whole", "baseline"])
def test_fields_are_minus_the_derivative(model, part):
    model = model if part == "whole" else model.baseline
    magnetic = CELL.is_magnetic_a

    def energy(spins_ac):
        moved = np.array(CELL.spins_ac)
        moved[magnetic] = spins_ac
        return model.predict(CELL.with_spins(unit(moved)), with_std=False).energy

    # Normalising inside makes the numerical derivative transverse, as the field is.
    effective_fields_ac = model.predict(CELL, with_std=False).effective_fields_ac
    assert_derivative(energy, CELL.spins_ac[magnetic], -effective_fields_ac[magnetic], 1e-3, 1e-7)
    assert not effective_fields_ac[~magnetic].any()


@pytest.mark.parametrize("part", ["whole", "baseline"])
def test_forces_are_minus_the_derivative(model, part):
    model = model if part == "whole" else model.baseline
    energy = lambda at: model.predict(CELL.with_positions(at), with_std=False).energy  # noqa: E731
    forces_ac = model.predict(CELL, with_std=False).forces_ac
    assert_derivative(energy, CELL.positions_ac, -forces_ac, 1e-3, 1e-7)
    np.testing.assert_allclose(forces_ac.sum(axis=0), 0.0, atol=1e-12)


def test_stress_is_the_strain_derivative(model):
    def energy(strain_cc):
        deform = np.eye(3) + 0.5 * (strain_cc + strain_cc.T)
        moved = Configuration(CELL.numbers_a, CELL.positions_ac @ deform, CELL.cell_vc @ deform, CELL.spins_ac)
        return model.predict(moved, with_std=False).energy

    stress_cc = model.predict(CELL, with_std=False).stress_cc
    assert_derivative(energy, np.zeros((3, 3)), stress_cc * CELL.volume, 1e-3, 1e-7)


def test_adjoint_and_design_rows_agree(model):
    rows = model.basis.rows(CELL)
    predicted = model.predict(CELL)
    counts = np.array([3.0, 1.0])
    assert rows.energy_m @ model.weights_m + counts @ model.references.energies_s == pytest.approx(
        predicted.energy, rel=1e-10
    )
    np.testing.assert_allclose(rows.effective_fields_acm @ model.weights_m, predicted.effective_fields_ac, atol=1e-11)
    np.testing.assert_allclose(model.basis.energy_row(CELL), rows.energy_m, rtol=1e-12)


def rotated_lattice(cell):
    return Configuration(cell.numbers_a, cell.positions_ac @ ROTATION.T, cell.cell_vc @ ROTATION.T, cell.spins_ac)


def mirrored_lattice(cell):
    mirror = np.diag([1.0, 1.0, -1.0])
    return Configuration(cell.numbers_a, cell.positions_ac @ mirror, cell.cell_vc @ mirror, cell.spins_ac)


def permuted(cell):
    order = [2, 0, 3, 1]
    return Configuration(cell.numbers_a[order], cell.positions_ac[order], cell.cell_vc, cell.spins_ac[order])


def other_cell_vectors(cell):
    vectors = np.array([[1, 1, 0], [0, 1, 0], [0, -2, 1]]) @ cell.cell_vc
    return Configuration(cell.numbers_a, cell.positions_ac, vectors, cell.spins_ac)


def doubled(cell):
    positions = np.concatenate([cell.positions_ac, cell.positions_ac + cell.cell_vc[0]])
    vectors = cell.cell_vc * np.array([[2.0], [1.0], [1.0]])
    return Configuration(np.tile(cell.numbers_a, 2), positions, vectors, np.tile(cell.spins_ac, (2, 1)))


SYMMETRIES = {
    "lattice rotation": (rotated_lattice, 1),
    "lattice reflection": (mirrored_lattice, 1),
    "spin rotation": (lambda cell: cell.with_spins(cell.spins_ac @ ROTATION.T), 1),
    "spin reversal": (lambda cell: cell.with_spins(-cell.spins_ac), 1),
    "translation": (lambda cell: cell.with_positions(cell.positions_ac + np.array([0.3, -7.0, 1.9])), 1),
    "permutation": (permuted, 1),
    "another choice of cell": (other_cell_vectors, 1),
    "a doubled cell": (doubled, 2),
}


@pytest.mark.parametrize("name", SYMMETRIES)
def test_symmetries(model, name):
    operation, copies = SYMMETRIES[name]
    before, after = model.predict(CELL), model.predict(operation(CELL))
    # Rounding of a sum over some thousand pairs.
    assert after.energy == pytest.approx(copies * before.energy, rel=1e-11)
    assert after.energy_model_std == pytest.approx(copies * before.energy_model_std, rel=1e-6)


def test_fields_turn_with_the_spins_and_forces_with_the_lattice(model):
    before = model.predict(CELL)
    turned = model.predict(CELL.with_spins(CELL.spins_ac @ ROTATION.T))
    np.testing.assert_allclose(turned.effective_fields_ac, before.effective_fields_ac @ ROTATION.T, atol=1e-12)
    moved = model.predict(rotated_lattice(CELL))
    np.testing.assert_allclose(moved.forces_ac, before.forces_ac @ ROTATION.T, atol=1e-11)


def test_energy_depends_on_the_angle_between_spins(model):
    tilted = np.array(CELL.spins_ac)
    tilted[0] = tilted[1]
    change = model.predict(CELL.with_spins(tilted)).energy - model.predict(CELL).energy
    assert abs(change) > 1e-4


def test_a_heisenberg_magnet_is_fitted():
    train = heisenberg_dataset([skewed_iron(seed) for seed in range(8)])
    test = heisenberg_dataset([skewed_iron(seed) for seed in range(100, 105)])
    settings = FitSettings(pair={"cutoff_angstrom": 5.0}, descriptor={"cutoff_angstrom": 4.0, "n_max": 6})
    errors = evaluate(fit(train, settings, np.random.default_rng(0)), test)
    size = 1e3 * np.std([item.energy_per_spin for item in test])
    # The form is inside the model: a tenth of the spread of the data with eight labels is generous.
    assert errors.energy_rmse_meV_per_spin < 0.1 * size
    assert errors.pair_only.energy_rmse_meV_per_spin < 0.1 * size


def test_two_spins_closed_form():
    """Two atoms far from their images: E = J(r) e1·e2, fields -J e2 and -J e1, read from the pair curve."""
    rng = np.random.default_rng(5)
    cells = [Configuration([26, 26], [[0, 0, 0], [0, 0, 2.5]], 20 * np.eye(3), random_spins(2, rng)) for _ in range(12)]
    exchange = -0.03
    labels = []
    for cell in cells:
        e_1, e_2 = cell.spins_ac
        fields = transverse(-exchange * np.array([e_2, e_1]), cell.spins_ac) / 2.0
        labels.append(LabelledConfiguration(cell, exchange * (e_1 @ e_2), fields, np.full(2, 2.0)))
    settings = FitSettings(pair={"cutoff_angstrom": 4.0}, descriptor={"cutoff_angstrom": 4.0})
    model = fit(Dataset(tuple(labels)), settings, np.random.default_rng(0))
    curve = next(c for c in model.pair_curves(np.array([2.5])) if c["lam"] == 1)
    # 12 noise-free labels: the prior shrinks J by well under 1 %.
    assert curve["mean_r"][0] == pytest.approx(1e3 * exchange, rel=0.01)
    probe = model.predict(cells[0].with_spins(np.array([[1.0, 0, 0], [0, 1.0, 0]])))
    np.testing.assert_allclose(
        probe.effective_fields_ac, [[0, -exchange, 0], [-exchange, 0, 0]], atol=0.02 * abs(exchange)
    )


def test_variance_shrinks_with_data_and_grows_away_from_it(model):
    seen = heisenberg_label(iron_germanium(0)).configuration
    rng = np.random.default_rng(9)
    stretched = Configuration(
        seen.numbers_a,
        seen.positions_ac * 1.15,
        seen.cell_vc * 1.15,
        random_spins(4, rng) * seen.is_magnetic_a[:, None],
    )
    assert model.predict(stretched).energy_model_std > 2.0 * model.predict(seen).energy_model_std


def test_standard_deviations_are_positive_only_where_a_field_is(model):
    predicted = model.predict(CELL)
    assert predicted.energy_std >= predicted.energy_model_std > 0.0
    assert np.all(predicted.effective_fields_std_ac[CELL.is_magnetic_a] > 0.0)
    assert not predicted.effective_fields_std_ac[~CELL.is_magnetic_a].any()


@pytest.mark.parametrize("kept", ["energy", "fields"])
def test_part_of_the_labels_is_enough(kept):
    full = heisenberg_dataset([skewed_iron(seed) for seed in range(6)])
    parts = []
    for item in full:
        if kept == "energy":
            parts.append(LabelledConfiguration(item.configuration, energy=item.energy))
        else:
            parts.append(
                LabelledConfiguration(item.configuration, None, item.exchange_fields_ac, item.moment_magnitudes_a)
            )
    settings = FitSettings(pair={"cutoff_angstrom": 5.0}, descriptor={"cutoff_angstrom": 4.0}, n_inducing=20)
    model = fit(Dataset(tuple(parts)), settings, np.random.default_rng(0))
    errors = evaluate(model, full)
    if kept == "energy":
        assert errors.energy_rmse_meV_per_spin < 1.0
    else:
        field_size = 1e3 * np.sqrt(np.mean([item.effective_fields_ac**2 for item in full]))
        assert errors.field_rmse_meV < 0.1 * field_size


def test_an_unknown_element_is_named(model):
    with pytest.raises(InputError, match="element Co"):
        model.predict(Configuration([27], [[0, 0, 0]], 3 * np.eye(3), [[0, 0, 1.0]]))


def test_same_seed_same_model():
    data = heisenberg_dataset([skewed_iron(seed) for seed in range(3)])
    settings = FitSettings(n_inducing=5)
    first, again, other = (fit(data, settings, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.weights_m, again.weights_m)
    assert not np.array_equal(first.basis.inducing.points.x_af, other.basis.inducing.points.x_af)


@pytest.mark.parametrize("copies", [1, 5])
@pytest.mark.parametrize("cell", [skewed_iron, iron_germanium])
def test_the_gp_stays_quiet_where_the_pair_part_is_the_truth(cell, copies):
    """Displaced cells of a pair magnet, also when every configuration comes five times."""
    train = heisenberg_dataset([cell(seed) for seed in range(6)])
    test = heisenberg_dataset([cell(seed) for seed in range(100, 106)])
    repeated = Dataset(train.labelled * copies)
    errors = evaluate(fit(repeated, choose_settings(repeated), np.random.default_rng(0)), test)
    # Twice the error of the baseline, or a hundredth of an meV, far below any label's noise: the GP has nothing to add,
    # and little to spoil.
    assert errors.energy_rmse_meV_per_spin < 2.0 * errors.pair_only.energy_rmse_meV_per_spin + 1e-2
    assert errors.field_rmse_meV < 2.0 * errors.pair_only.field_rmse_meV + 1e-2


def test_repeats_are_no_evidence():
    train = heisenberg_dataset([skewed_iron(seed) for seed in range(3)])
    settings = FitSettings(n_inducing=6)
    once = fit(train, settings, np.random.default_rng(0))
    thrice = fit(Dataset(train.labelled * 3), settings, np.random.default_rng(0))
    np.testing.assert_array_equal(once.weights_m, thrice.weights_m)
