"""The measurement of the field scale: a known factor is found, and unsuitable labels are refused."""

from dataclasses import replace

import numpy as np
import pytest
from spin_cells import heisenberg_label, rigid_iron

from soso_core.engines.field_consistency import rotate_spin
from soso_core.engines.vasp.field_scale import canted_ferromagnet, measure, tilt_first_spin
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration


def printed(configuration, factor):
    """Label with fields that are too small by a factor."""
    known = heisenberg_label(configuration)
    return LabelledConfiguration(
        configuration, known.energy, known.exchange_fields_ac / factor, known.moment_magnitudes_a
    )


def cells(base=None):
    return tilt_first_spin(canted_ferromagnet(rigid_iron(np.tile([0.0, 0.0, 1.0], (8, 1)))) if base is None else base)


@pytest.mark.parametrize("factor", [1.0, 2.0, 2.4])
def test_a_planted_factor_is_found(factor):
    found = measure(*(printed(cell, factor) for cell in cells()))
    assert found.value == pytest.approx(factor, rel=1e-5)  # fourth power of 5 degrees
    assert found.error < 1e-2 * factor
    assert abs(found.work) > 1e-3


def test_disordered_spins_do_as_well():
    rng = np.random.default_rng(5)
    spins_ac = rng.normal(size=(8, 3))
    spins_ac /= np.linalg.norm(spins_ac, axis=1, keepdims=True)
    found = measure(*(printed(cell, 2.0) for cell in cells(rigid_iron(spins_ac))))
    assert found.value == pytest.approx(2.0, rel=1e-5)


def test_the_path_follows_the_achieved_directions():
    """Residual angles of all atoms, as a penalty leaves them, do not matter."""
    rng = np.random.default_rng(6)
    moved = []
    for cell in cells():
        spins_ac = cell.spins_ac + 0.01 * rng.normal(size=(8, 3))
        moved.append(cell.with_spins(spins_ac / np.linalg.norm(spins_ac, axis=1, keepdims=True)))
    assert measure(*(printed(cell, 2.0) for cell in moved)).value == pytest.approx(2.0, rel=2e-3)


def test_only_the_first_spin_turns_by_the_angle_asked_for():
    base, plus, minus = cells()
    for cell in (plus, minus):
        cosine_a = np.sum(cell.spins_ac * base.spins_ac, axis=1)
        assert cosine_a[0] == pytest.approx(np.cos(np.radians(5.0)))
        np.testing.assert_allclose(cosine_a[1:], 1.0)
    assert base.spins_ac[0, 2] == pytest.approx(np.cos(np.radians(30.0)))


def test_a_parallel_spin_turns_as_well():
    ferromagnet = rigid_iron(np.tile([0.0, 0.0, 1.0], (8, 1)))
    _, plus, _ = tilt_first_spin(ferromagnet)
    assert plus.spins_ac[0, 2] == pytest.approx(np.cos(np.radians(5.0)))


def test_no_difference_is_no_measurement():
    ferromagnet = tilt_first_spin(rigid_iron(np.tile([0.0, 0.0, 1.0], (8, 1))))
    with pytest.raises(InputError, match="differ by only"):
        measure(*(printed(cell, 1.0) for cell in ferromagnet))


def test_a_contradiction_is_named():
    with pytest.raises(InputError, match="contradict"):
        measure(*(printed(cell, -1.0) for cell in cells()))


def test_a_lone_spin_is_refused():
    cell = rigid_iron(np.tile([0.0, 0.0, 1.0], (8, 1)))
    lone = cell.with_spins(np.where(np.arange(8)[:, None] == 2, cell.spins_ac, 0.0))
    with pytest.raises(InputError, match="two spins"):
        canted_ferromagnet(lone)
    assert rotate_spin(lone, 2, np.array([1.0, 0, 0]), np.pi / 2).spins_ac[2] == pytest.approx([0.0, -1.0, 0.0])


def test_both_sides_give_the_error():
    """An energy of the middle label that is off by 1 meV changes the sides, not the factor."""
    base, plus, minus = (printed(cell, 2.0) for cell in cells())
    shifted = replace(base, energy=base.energy + 1e-3)
    found, exact = measure(shifted, plus, minus), measure(base, plus, minus)
    halves = base.energy - minus.energy, plus.energy - base.energy
    assert found.value == exact.value
    assert found.error == pytest.approx(abs(1e-3 / halves[0] + 1e-3 / halves[1]), rel=0.1)
