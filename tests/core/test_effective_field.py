"""One name and one sign: B = -∂E/∂e in eV, transverse, of labels, predictions, design rows and the ASE calculator."""

import numpy as np
import pytest
from spin_cells import heisenberg_dataset, heisenberg_label, skewed_iron

from soso_core.compiled.model import CompiledModel
from soso_core.formats.atoms import atoms_from_configuration
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.settings import FitSettings
from soso_core.interfaces.ase import SosoCalculator

SETTINGS = FitSettings(
    pair={"cutoff_angstrom": 3.5, "n_max": 6, "lambda_max": 2},
    descriptor=None,
    three_body={"cutoff_angstrom": 3.5, "n_max": 2, "l_max": 2, "decay": 2.0},
    zeta=2,
    n_inducing=6,
)
STEP = 1e-4


def slope_by_tilting(energy_of, configuration):
    """Return -∂E/∂e, (a, 3) eV, by central differences of the energy along two directions across each spin."""
    field_ac = np.zeros_like(configuration.spins_ac)
    for atom, spin_c in enumerate(configuration.spins_ac):
        first_c = np.cross(spin_c, np.eye(3)[np.argmin(np.abs(spin_c))])
        for axis_c in (first_c / np.linalg.norm(first_c), np.cross(spin_c, first_c / np.linalg.norm(first_c))):
            ends = []
            for sign in (1.0, -1.0):
                spins_ac = configuration.spins_ac.copy()
                spins_ac[atom] = np.cos(STEP) * spin_c + sign * np.sin(STEP) * axis_c
                ends.append(energy_of(configuration.with_spins(spins_ac)))
            field_ac[atom] -= (ends[0] - ends[1]) / (2.0 * STEP) * axis_c
    return field_ac


@pytest.fixture(scope="module")
def model():
    return fit(heisenberg_dataset([skewed_iron(seed) for seed in range(12)]), SETTINGS, np.random.default_rng(0))


def test_the_field_of_a_label_is_minus_the_slope_of_its_energy():
    cell = skewed_iron(40)
    label = heisenberg_label(cell)
    expected_ac = slope_by_tilting(lambda moved: heisenberg_label(moved).energy, cell)
    np.testing.assert_allclose(label.effective_fields_ac, expected_ac, atol=1e-7)
    assert np.abs(expected_ac).max() > 5e-3


def test_prediction_compiled_prediction_design_rows_and_calculator_agree(model):
    cell = skewed_iron(40)
    expected_ac = slope_by_tilting(lambda moved: model.predict(moved, with_std=False).energy, cell)
    predicted_ac = model.predict(cell).effective_fields_ac
    np.testing.assert_allclose(predicted_ac, expected_ac, atol=1e-7)
    assert np.abs(expected_ac).max() > 5e-3
    rows_acm = model.basis.rows(cell).effective_fields_acm
    np.testing.assert_allclose(rows_acm @ model.weights_m, predicted_ac, atol=1e-10)
    compiled = CompiledModel.of(model)
    compiled_ac = compiled.predict(cell, compiled.neighbours(cell)).effective_fields_ac
    np.testing.assert_allclose(compiled_ac, predicted_ac, atol=1e-5)
    atoms = atoms_from_configuration(cell)
    atoms.calc = SosoCalculator(compiled)
    np.testing.assert_allclose(atoms.calc.get_property("effective_fields", atoms), predicted_ac, atol=1e-5)
    exchange_ac = atoms.calc.get_property("exchange_fields", atoms)
    np.testing.assert_allclose(exchange_ac * model.moment_magnitudes(cell)[:, None], predicted_ac, atol=1e-5)


def test_the_prediction_has_the_sign_of_the_label(model):
    cell = skewed_iron(40)
    label_ac, predicted_ac = heisenberg_label(cell).effective_fields_ac, model.predict(cell).effective_fields_ac
    assert np.vdot(label_ac, predicted_ac) > 0.9 * np.vdot(label_ac, label_ac)
