"""The ramp: the action after a step, and the gates of a label, from steps whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from vasp_cells import FIELD_AC, MOMENT, SCALE, held, mixed_cell, printed, protocol, step

from soso_core.engines.ramp import Action, energy_change, field_change, judge, make_quality, measure_gates
from soso_core.engines.vasp.field_scale import PRINTED, FieldScale
from soso_core.engines.vasp.labelling import make_label, tension_positive
from soso_core.engines.vasp.order import arrange_for_vasp
from soso_core.engines.vasp.step import read_step, refine_directions
from soso_core.errors import InputError
from soso_core.labels import transverse


def tilted_away(degrees, lambda_=50.0, atom=2):
    """A step in which one moment lies off its target."""
    target = mixed_cell()
    across_c = np.cross(target.spins_ac[atom], [0.0, 0.0, 1.0])
    across_c /= np.linalg.norm(across_c)
    spins_ac = target.spins_ac.copy()
    angle = np.radians(degrees)
    spins_ac[atom] = np.cos(angle) * spins_ac[atom] + np.sin(angle) * across_c
    return step(lambda_, spins_ac=spins_ac)


def test_the_energy_is_without_the_penalty():
    one, (_, _, free_energy, table, _) = step(), printed()
    assert free_energy - one.energy == pytest.approx(table.penalty_energy) == pytest.approx(one.penalty_energy)
    assert one.energy == pytest.approx(-float(np.sum(FIELD_AC * held(mixed_cell(), 10.0))), abs=1e-12)


def test_achieved_directions_are_better_than_three_decimals():
    expected = held(mixed_cell(), 10.0)
    found = step().spins_ac
    np.testing.assert_allclose(found, expected, atol=1e-6)  # five digits of a part of 5e-3
    rounded = np.round(MOMENT * expected, 3) / MOMENT
    assert np.abs(rounded - expected).max() > 1e-5
    assert not found[1].any()


def test_moments_win_over_a_field_that_does_not_fit():
    target_ac = np.array([[0.0, 0.0, 1.0]])
    moments_ac = np.array([[0.6, 0.0, 1.8]])
    found = refine_directions(target_ac, moments_ac, np.array([[0.01, 0.0, 0.0]]))
    np.testing.assert_allclose(found, moments_ac / np.linalg.norm(moments_ac))
    np.testing.assert_array_equal(refine_directions(target_ac, 0.0 * moments_ac, 0.0 * moments_ac), target_ac)


def test_a_flipped_moment_keeps_its_sign():
    found = refine_directions(np.array([[0.0, 0.0, 1.0]]), np.array([[0.02, 0.0, -2.0]]), np.array([[0.02, 0.0, 0.0]]))
    assert found[0, 2] < -0.99
    assert found[0, 0] > 0.0


def test_the_effective_field_is_minus_the_gradient_of_the_energy():
    one = step()
    expected_ac = np.where(one.target.is_magnetic_a[:, None], transverse(FIELD_AC, one.spins_ac), 0.0)
    # magnitudes carry three decimals of 2 μB
    np.testing.assert_allclose(one.effective_fields_ac, expected_ac, rtol=5e-4, atol=1e-6)


def test_the_ramp_goes_up_and_ends():
    settings, steps, taken = protocol(), [], []
    lambda_ = settings.lambda_ramp_ev_per_muB2[0]
    while lambda_ is not None:
        steps.append(step(lambda_))
        verdict = judge(steps, settings)
        taken.append((lambda_, verdict.action))
        lambda_ = verdict.lambda_
    assert taken == [(1.0, Action.NEXT), (10.0, Action.NEXT), (50.0, Action.DONE)]


def test_an_angle_falls_with_the_strength():
    angles = [step(lambda_).angles_a.max() for lambda_ in (1.0, 10.0, 50.0)]
    assert angles[0] / angles[1] == pytest.approx(10.0, rel=0.02)
    assert angles[1] / angles[2] == pytest.approx(5.0, rel=0.02)


def test_an_angle_that_grows_is_repeated_once():
    steps = [step(1.0), step(10.0), tilted_away(20.0)]
    first = judge(steps, protocol())
    assert (first.action, first.lambda_) == (Action.REPEAT, 50.0)
    again = judge(steps, protocol(), n_repeats=1)
    assert (again.action, again.lambda_) == (Action.NEXT, 100.0)
    assert "angle_degree 20 > 3" in again.reason
    last = judge([*steps, tilted_away(20.0, 200.0)], protocol(), n_repeats=1)
    assert last.action is Action.OFF_TARGET


def test_a_missed_gate_raises_the_strength_and_then_lowers_the_grade():
    steps = [step(10.0, shift=0.02), step(50.0)]  # 5 meV per atom apart
    assert judge(steps, protocol()).lambda_ == 100.0
    last = [step(100.0, shift=0.02), step(200.0)]
    verdict = judge(last, protocol())
    assert verdict.action is Action.DONE
    assert "energy_change_meV_per_atom" in verdict.reason
    assert make_quality(last, protocol()).grade == "C"
    assert make_quality([step(10.0), step(50.0)], protocol()).grade == "A"


def test_a_lost_moment_is_named():
    spins_ac = held(mixed_cell(), 50.0)
    spins_ac[3] = -spins_ac[3]
    flipped = judge([step(50.0, spins_ac=spins_ac)], protocol())
    assert flipped.action is Action.FLIPPED
    assert "atom 3" in flipped.reason
    collapsed = judge([step(50.0, moment=0.1)], protocol())
    assert collapsed.action is Action.COLLAPSED
    assert "atom 0 collapsed to 0.100" in collapsed.reason


def test_the_rotation_of_the_moments_explains_the_change_of_the_energy():
    steps = [step(1.0), step(10.0)]
    unknown = FieldScale(1.0, PRINTED)
    raw = energy_change(*(step(lambda_, scale=unknown) for lambda_ in (1.0, 10.0)))
    rest = energy_change(*steps)
    assert raw == pytest.approx(abs(steps[1].energy - steps[0].energy), rel=1e-12)
    assert raw > 1e-3
    assert rest < 5e-3 * raw  # by three decimals of the magnitudes, and the curvature
    assert set(measure_gates(steps[:1], protocol())) == {"angle_degree", "constraint_energy_meV_per_atom"}


def test_the_change_of_the_field_is_a_root_mean_square():
    steps = [step(1.0), step(10.0)]
    changes_ac = (steps[1].effective_fields_ac - steps[0].effective_fields_ac)[[0, 2, 3]]
    assert field_change(*steps) == pytest.approx(np.sqrt(np.mean(changes_ac**2)))


def test_the_label():
    steps = [step(10.0), step(50.0)]
    assert make_quality(steps, protocol()).as_info()["scf_change_meV_per_atom"] == pytest.approx(1e3 * 2e-6 / 4)
    order = arrange_for_vasp(steps[-1].target)[1]
    forces_ac = np.arange(12.0).reshape(4, 3)
    item = make_label(steps, protocol(), SCALE, order.to_vasp(forces_ac), 10.0 * np.eye(3))
    np.testing.assert_array_equal(item.forces_ac, forces_ac)
    np.testing.assert_array_equal(item.target_spins_ac, steps[-1].target.spins_ac)
    np.testing.assert_array_equal(item.configuration.spins_ac, steps[-1].spins_ac)
    np.testing.assert_allclose(item.effective_fields_ac, steps[-1].effective_fields_ac, atol=1e-15)
    assert item.moment_magnitudes_a.tolist() == pytest.approx([2.0, 0.0, 2.0, 2.0], abs=1e-3)
    assert item.energy == steps[-1].energy
    assert item.stress_cc[0, 0] == pytest.approx(-1.0 / 160.21766208)  # 10 kB are 1 GPa; pressure is negative tension
    assert item.info["field_scale"] == 2.0
    assert item.info["label_grade"] == "A"
    assert not FieldScale(1.0, PRINTED).is_known


def test_stress_is_symmetric():
    found = tension_positive(np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal(found, found.T)


def test_a_strength_with_more_than_three_digits():
    """VASP prints 0.123E+02 for 12.345; the part across the target is of the true one."""
    target, lambda_, free_energy, table, scale = printed(12.345)
    found = read_step(target, lambda_, free_energy, replace(table, lambda_=12.3), scale)
    np.testing.assert_array_equal(found.spins_ac, step(12.345).spins_ac)


@pytest.mark.parametrize("change", ["lambda", "ions", "size"])
def test_a_table_of_something_else_is_refused(change):
    target, lambda_, *rest = printed(10.0)
    if change == "lambda":
        lambda_ = 50.0
    if change == "ions":
        target = target.with_spins(np.roll(target.spins_ac, 1, axis=0))
    if change == "size":
        from soso_core.configuration import Configuration

        target = Configuration(target.numbers_a[:3], target.positions_ac[:3], target.cell_vc, target.spins_ac[:3])
    with pytest.raises(InputError):
        read_step(target, lambda_, *rest)


def test_a_scale_must_be_positive():
    with pytest.raises(InputError, match="positive"):
        FieldScale(0.0, "typed")
