"""The GPAW engine without GPAW: configurations that it refuses, states that become labels, the order of attempts."""

import numpy as np
import pytest
from iron_cells import bcc, unit
from scipy.optimize import minimize

from soso_core.configuration import Configuration
from soso_core.engines.gpaw import GpawSettings, GpawSpecies, check, engine, label, run
from soso_core.engines.gpaw.attempts import plan_attempts
from soso_core.engines.gpaw.state import State, fields, penalty_energy
from soso_core.engines.moments import measure_angles
from soso_core.errors import ConvergenceError, InputError
from soso_core.settings import parse_settings

SPINS = unit(np.array([[0.2, 0.1, 1.0], [1.0, 0.3, 0.2]]))
CELL = bcc((1, 1, 1), SPINS)
SETTINGS = GpawSettings()
TILT = 0.01
"""Residual angle of the states here, radians."""


def state(moments_ac=None, **changes):
    """Return a state whose moments lean a little from the spins."""
    lean_ac = 2.2 * unit(SPINS + TILT * np.cross(SPINS, [0.0, 0.0, 1.0]))
    values = {
        "energy": -16.5,
        "moments_ac": lean_ac if moments_ac is None else moments_ac,
        "forces_ac": np.ones((2, 3)),
        "energies_s": np.array([-16.50001, -16.5, -16.5]),
        "iterations": 21,
    }
    return State(**{**values, **changes})


@pytest.fixture
def outcomes(monkeypatch):
    """Put a list of outcomes, one an attempt, in GPAW's place; returns it and the attempts that were made."""
    waiting, made = [], []

    def calculate(configuration, attempt, settings):
        made.append(attempt)
        outcome = waiting.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(engine, "calculate", calculate)
    monkeypatch.setattr(engine, "check_installed", lambda: None)
    monkeypatch.setattr(engine, "valence_electrons", lambda configuration: 16)
    return waiting, made


def test_a_good_state_is_a_label_at_the_achieved_directions(outcomes):
    waiting, made = outcomes
    waiting.append(state())
    item = label(CELL, SETTINGS)
    assert [attempt.name for attempt in made] == ["normal"]
    np.testing.assert_allclose(item.configuration.spins_ac, unit(state().moments_ac), atol=1e-14)
    np.testing.assert_allclose(item.moment_magnitudes_a, 2.2)
    assert item.energy == -16.5
    assert item.stress_cc is None
    angle = np.degrees(TILT * np.linalg.norm(SPINS[:, :2], axis=1).max())
    assert item.info["angle_degree"] == pytest.approx(angle, rel=TILT)
    assert item.info["scf_change_meV_per_atom"] == pytest.approx(0.005)
    assert item.info["constraint_energy_meV_per_atom"] == pytest.approx(500.0 * penalty_energy(CELL, state(), 10.0))
    assert item.info["label_grade"] in "ABCD"


def test_what_does_not_converge_is_tried_more_gently(outcomes):
    waiting, made = outcomes
    waiting.extend([ConvergenceError("no self-consistency after 60 steps"), state()])
    item = label(CELL, SETTINGS)
    assert [attempt.name for attempt in made] == ["normal", "gentle"]
    assert (item.info["attempt"], item.info["penalty_ev_per_muB2"]) == ("gentle", 4.0)
    np.testing.assert_allclose(item.exchange_fields_ac, fields(CELL, state(), 4.0))


def test_a_reversed_moment_is_seen_although_it_costs_nothing(outcomes):
    waiting, _ = outcomes
    reversed_ac = state().moments_ac * np.array([[1.0], [-1.0]])
    assert penalty_energy(CELL, state(reversed_ac), 10.0) == pytest.approx(penalty_energy(CELL, state(), 10.0))
    waiting.extend([state(reversed_ac)] * 3)
    with pytest.raises(ConvergenceError, match=r"moment of atom 1 is reversed") as caught:
        label(CELL, SETTINGS)
    assert all(name in str(caught.value) for name in ("normal: ", "gentle: ", "annealed: "))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("moments_ac", "message"),
    [
        (0.1 * SPINS, r"atom 0 collapsed to 0\.100 μB"),
        (2.0 * unit(SPINS + 0.4 * np.cross(SPINS, SPINS[::-1])), r"atom \d is \d+\.\d\d degrees from its spin"),
    ],
)
def test_a_state_far_from_what_was_asked_for_is_no_label(outcomes, moments_ac, message):
    waiting, made = outcomes
    waiting.extend([state(moments_ac)] * 2)
    with pytest.raises(ConvergenceError, match=message):
        label(CELL, GpawSettings(max_attempts=2))
    assert len(made) == 2


def test_an_atom_without_spin_is_not_judged(outcomes):
    waiting, _ = outcomes
    cell = CELL.with_spins(np.array([SPINS[0], np.zeros(3)]))
    waiting.append(state(np.array([2.2 * SPINS[0], [0.0, 0.05, 0.0]])))
    item = label(cell, SETTINGS)
    assert item.moment_magnitudes_a[1] == 0.0
    assert not item.exchange_fields_ac[1].any()
    assert not item.configuration.spins_ac[1].any()


def test_the_field_is_the_slope_of_the_energy_at_the_achieved_moments():
    """Minimise a model energy with the penalty added; the field must be minus the model's own derivative there."""

    def energy(moments_ac):
        length2_a = np.sum(moments_ac**2, axis=1)
        return 0.05 * moments_ac[0] @ moments_ac[1] + 0.1 * np.sum((length2_a - 2.2**2) ** 2)

    def with_penalty(flat):
        moments_ac = flat.reshape(2, 3)
        return energy(moments_ac) + penalty_energy(CELL, state(moments_ac), 10.0)

    found = minimize(with_penalty, 2.2 * SPINS.ravel(), method="BFGS", options={"gtol": 1e-9})
    moments_ac = found.x.reshape(2, 3)
    length2_a = np.sum(moments_ac**2, axis=1, keepdims=True)
    slope_ac = 0.05 * moments_ac[::-1] + 0.4 * (length2_a - 2.2**2) * moments_ac
    assert measure_angles(SPINS, moments_ac).max() > 0.1
    # The field has no part along the target, the slope of the model a small one; both vanish at a minimum.
    np.testing.assert_allclose(fields(CELL, state(moments_ac), 10.0), -slope_ac, atol=1e-5)


def test_every_attempt_ends_at_the_smearing_asked_for():
    plan = plan_attempts(GpawSettings(smearing_ev=0.07))
    assert [attempt.smearings for attempt in plan] == [(0.07,), (0.07,), (0.2, 0.07)]
    assert [attempt.penalty for attempt in plan] == [10.0, 4.0, 4.0]
    assert [attempt.start_magnitudes["Fe"] for attempt in plan] == [2.3, 2.0, 2.0]


def test_start_magnitudes_are_those_of_the_species():
    settings = GpawSettings(species={"Co": GpawSpecies(initial_moment_muB=1.6, gentle_initial_moment_muB=1.4)})
    assert [attempt.start_magnitudes["Co"] for attempt in plan_attempts(settings)] == [1.6, 1.4, 1.4]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (CELL.with_spins(np.zeros((2, 3))), "no atom has a spin"),
        (
            Configuration(np.array([26, 27]), CELL.positions_ac, CELL.cell_vc, SPINS),
            "atom 1 is Co; `species` has parameters for Fe only",
        ),
        (CELL.with_positions(0.3 * CELL.positions_ac), r"atoms \d and \d are 0\.74\d? Å apart"),
    ],
)
def test_what_is_not_covered_is_refused_in_one_line(outcomes, cell, message):
    with pytest.raises(InputError, match=message) as caught:
        check(cell, SETTINGS)
    assert "\n" not in str(caught.value)


def test_an_atom_without_spin_needs_no_start_moment(outcomes):
    check(Configuration([26, 32], CELL.positions_ac, CELL.cell_vc, SPINS * [[1.0], [0.0]]), SETTINGS)


@pytest.mark.parametrize("function", [check, label])
def test_without_gpaw_the_message_says_how_to_get_it(monkeypatch, function):
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="gpaw is not installed; install it with `make gpaw`"):
        function(CELL, SETTINGS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"penalty_ev_per_muB2": 100.0}, "penalty_ev_per_muB2.*less than or equal to 40"),
        ({"penalty_ev_per_muB2": 2.0}, "gentle_penalty_ev_per_muB2 must not exceed"),
        ({"smearing_ev": 0.3}, "gentle_smearing_ev must not be below"),
        ({"species": {"Ferrum": {}}}, "'Ferrum' is not a chemical symbol"),
        ({"k_mesh": [2, 2]}, "k_mesh"),
        ({"penalty": 10.0}, "unknown key 'penalty'"),
    ],
)
def test_settings_are_checked(values, message):
    with pytest.raises(InputError, match=message):
        parse_settings(GpawSettings, values, "engine.yaml")
