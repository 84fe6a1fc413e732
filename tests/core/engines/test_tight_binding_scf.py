"""Self-consistency: both ways there agree, and failure is an error that says how far it came."""

import re

import numpy as np
import pytest
from iron_cells import bcc, distorted, random_spins, skewed

from soso_core.configuration import Configuration
from soso_core.engines import load_engine
from soso_core.engines.tight_binding import SpeciesParameters, TightBindingSettings, label
from soso_core.engines.tight_binding.anderson import AndersonMixer
from soso_core.engines.tight_binding.crystal import bloch_hoppings, build_crystal
from soso_core.engines.tight_binding.functional import Unknowns, evaluate, starting_point
from soso_core.engines.tight_binding.response import site_response
from soso_core.errors import ConvergenceError, InputError
from soso_core.settings import parse_settings

COARSE = TightBindingSettings(k_mesh=(2, 2, 2), tolerance=1e-9)
CELL = distorted(bcc((1, 1, 1), random_spins(2, 21)), 22)


def test_mixing_and_second_order_steps_reach_the_same_state():
    mixed = label(CELL, COARSE)
    stepped = label(CELL, COARSE.model_copy(update={"max_iterations": 1}))
    # Both residuals are below 1e-9; energy errs in second order, fields in first order.
    assert stepped.energy == pytest.approx(mixed.energy, rel=0, abs=1e-12)
    np.testing.assert_allclose(stepped.exchange_fields_ac, mixed.exchange_fields_ac, rtol=0, atol=1e-8)


def test_second_order_steps_converge_quadratically():
    settings = COARSE.model_copy(update={"max_iterations": 1})
    iterations = [
        label(CELL, settings.model_copy(update={"tolerance": t})).info["scf_iterations"] for t in (1e-5, 1e-9)
    ]
    assert iterations[1] <= iterations[0] + 1


@pytest.mark.parametrize("mesh", [(1, 1, 1), (2, 3, 5)])
def test_mixing_with_the_response_takes_few_diagonalisations(mesh):
    """Mixing of the residual itself takes 14 on both."""
    settings = COARSE.model_copy(update={"k_mesh": mesh, "tolerance": 1e-5, "max_newton_iterations": 1})
    cell = distorted(skewed(6, random_spins(6, 3)), 4)
    assert label(cell, settings).info["scf_iterations"] <= 10


def test_mixing_from_moments_far_too_short_reaches_the_same_state():
    """There the energy falls in the direction of longer moments, and a root finder would go to none at all."""
    short = COARSE.model_copy(
        update={"species": {"Fe": SpeciesParameters(initial_moment_muB=0.8)}, "max_newton_iterations": 1}
    )
    assert label(CELL, short).energy == pytest.approx(label(CELL, COARSE).energy, rel=0, abs=1e-12)


@pytest.mark.parametrize("distance", [2.4, 2.6, 2.7, 2.8])
def test_a_molecule_with_an_atom_without_spin_settles(distance):
    """Across a gap nothing responds: an unbounded step would send the charges, or the fields, away."""
    spins_ac = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    pair = Configuration(np.full(2, 26), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance]]), 10.0 * np.eye(3), spins_ac)
    found = label(pair, TightBindingSettings(k_mesh=(1, 1, 1)))
    assert found.info["scf_residual"] <= 1e-5
    assert 3.0 < found.moment_magnitudes_a[1] < 3.5


def test_no_label_without_convergence():
    settings = TightBindingSettings(k_mesh=(2, 2, 2), max_iterations=2, max_newton_iterations=2)
    with pytest.raises(ConvergenceError, match="residual of") as caught:
        label(CELL, settings)
    assert 1e-5 < float(re.search(r"residual of (\S+)", str(caught.value)).group(1)) < 1.0
    assert "\n" not in str(caught.value)


def test_a_collapsed_moment_is_an_error():
    """Far below the Stoner criterion no moment survives."""
    weak = TightBindingSettings(k_mesh=(2, 2, 2), species={"Fe": SpeciesParameters(stoner_ev=0.3)})
    with pytest.raises(ConvergenceError, match=r"moment of atom \d collapsed .*residual"):
        label(CELL, weak)


def test_response_is_the_derivative_of_charges_and_moments():
    crystal = build_crystal(CELL, COARSE)
    hopping_kxx, start = bloch_hoppings(crystal), starting_point(crystal)
    state = evaluate(crystal, hopping_kxx, start, COARSE.smearing_ev)
    response_mm = site_response(state, COARSE.smearing_ev)
    assert np.linalg.eigvalsh(response_mm).max() < 1e-6  # pairs of weight NEGLIGIBLE / kT are left out
    along_ac = CELL.spins_ac

    def out(level):
        shifted_a = crystal.electrons_a + np.array([level, 0.0]) / crystal.penalty_a
        moved = evaluate(
            crystal,
            hopping_kxx,
            Unknowns(start.moment_magnitudes_a, shifted_a, start.constraint_fields_ac),
            COARSE.smearing_ev,
        )
        return moved.residual_au[:, 1] + shifted_a, moved.residual_au[:, 0]

    charge_a, moment_a = (np.subtract(*pair) / 2e-4 for pair in zip(out(1e-4), out(-1e-4), strict=True))
    assert np.abs(charge_a).max() > 0.1
    np.testing.assert_allclose(response_mm[:2, 0], charge_a, rtol=0, atol=1e-5)
    moments_by_level_ca = -response_mm[2:, 0].reshape(3, 2)
    np.testing.assert_allclose(np.sum(moments_by_level_ca.T * along_ac, axis=1), moment_a, rtol=0, atol=1e-5)


def test_anderson_mixing_solves_a_linear_problem_in_as_many_steps_as_unknowns():
    rng = np.random.default_rng(3)
    matrix = np.eye(4) + 0.3 * rng.normal(size=(4, 4))
    target = rng.normal(size=4)
    mixer, guess = AndersonMixer(beta=0.5, history=8, largest_step=10.0), np.zeros(4)
    for _ in range(6):
        guess = mixer.next_guess(guess, target - matrix @ guess)
    np.testing.assert_allclose(matrix @ guess, target, atol=1e-8)


def test_mixing_never_steps_further_than_allowed():
    mixer = AndersonMixer(beta=1.0, history=3, largest_step=0.1)
    assert np.abs(mixer.next_guess(np.zeros(2), np.array([5.0, -1.0]))).max() == pytest.approx(0.1)


def test_the_label_says_what_made_it():
    info = label(CELL, TightBindingSettings(k_mesh=(2, 2, 2))).info
    assert info["engine"] == "tight-binding"
    assert info["scf_residual"] <= 1e-5
    assert all(isinstance(value, (str, int, float)) for value in info.values())


def test_the_registry_makes_settings_and_labels():
    engine = load_engine("tight-binding")
    settings = parse_settings(engine.settings_class, {"k_mesh": [2, 2, 2]}, "here")
    assert engine.label(CELL, settings).energy == label(CELL, TightBindingSettings(k_mesh=(2, 2, 2))).energy


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"smearing": 0.1}, "unknown key 'smearing'"),
        ({"smearing_ev": 0.0}, "smearing_ev"),
        ({"k_mesh": [0, 1, 1]}, "k_mesh.0"),
        ({"taper_width_angstrom": 4.0}, "taper_width_angstrom must be smaller"),
        ({"species": {}}, "species"),
        ({"species": {"Fe": {"stoner_ev": -1.0}}}, "species.Fe.stoner_ev"),
        ({"species": {"Iron": {}}}, "'Iron' is not a chemical symbol"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(values, complaint):
    with pytest.raises(InputError, match=re.escape(complaint)) as caught:
        parse_settings(TightBindingSettings, values, "settings.yaml")
    assert "\n" not in str(caught.value)
