"""The check of fields and forces finds 1 for an engine that is right, and the factor by which one is wrong."""

import numpy as np
import pytest
from iron_cells import bcc, distorted, random_spins, unit

from soso_core.configuration import Configuration
from soso_core.engines.field_consistency import check_field, check_force, integrate_fields
from soso_core.errors import InputError
from soso_core.labels import LabelledConfiguration

CELL = distorted(bcc((2, 1, 1), random_spins(4, 31)), 32)
LENGTH = 2.2


def heisenberg(configuration, field_scale=1.0, force_scale=1.0, pull=0.0):
    """Label with J(r) e·e between all atoms of one cell; `pull` moves the achieved directions off the target."""
    spins_ac = unit(configuration.spins_ac + pull * np.array([1.0, 0.0, 0.0]))
    vectors_aac = configuration.positions_ac[:, None] - configuration.positions_ac[None]
    distance2_aa = np.sum(vectors_aac**2, axis=2)
    exchange_aa = -0.1 * np.exp(-distance2_aa / 9.0) * (1.0 - np.eye(len(configuration)))
    gradient_ac = exchange_aa @ spins_ac
    cosine_aa = spins_ac @ spins_ac.T
    slope_aac = (2.0 / 9.0) * (exchange_aa * cosine_aa)[:, :, None] * vectors_aac
    return LabelledConfiguration(
        Configuration(configuration.numbers_a, configuration.positions_ac, configuration.cell_vc, spins_ac),
        energy=float(0.5 * np.sum(exchange_aa * cosine_aa)),
        exchange_fields_ac=-field_scale * gradient_ac / LENGTH,
        moment_magnitudes_a=np.full(len(configuration), LENGTH),
        forces_ac=force_scale * slope_aac.sum(axis=1),
    )


def field(**faults):
    return check_field(lambda item: heisenberg(item, **faults), heisenberg(CELL, **faults), CELL, np.radians(4.0))


@pytest.mark.parametrize("scale", [1.0, 2.0, -1.0, 0.5])
def test_the_scale_of_fields_is_found(scale):
    found = field(field_scale=scale)
    # Simpson's rule errs in the fourth power of the angle, 2e-5 here.
    assert found.ratio == pytest.approx(scale, rel=1e-4)
    assert found.slope == pytest.approx(np.linalg.norm(found.labels[1].effective_fields_ac, axis=1).max())


def test_directions_that_were_not_asked_for_do_not_matter():
    """All achieved directions move, not only that of the tilted spin."""
    assert field(pull=0.1).ratio == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("scale", [1.0, 0.9])
def test_the_scale_of_forces_is_found(scale):
    found = check_force(
        lambda item: heisenberg(item, force_scale=scale), heisenberg(CELL, force_scale=scale), CELL, 0.02
    )
    assert found.ratio == pytest.approx(scale, rel=1e-4)


def test_an_atom_may_be_chosen():
    label = heisenberg
    assert check_field(label, label(CELL), CELL, 0.05, atom=2).atom == 2
    with pytest.raises(InputError, match="no atom 4; atoms are counted from 0 to 3"):
        check_field(label, label(CELL), CELL, 0.05, atom=4)


def test_a_field_too_small_to_tell_is_refused():
    flat = CELL.with_spins(np.tile([0.0, 0.0, 1.0], (4, 1)))
    with pytest.raises(InputError, match="too small to compare"):
        check_field(heisenberg, heisenberg(flat), flat, 0.05)


@pytest.mark.parametrize(("check", "quantity"), [(check_field, "exchange fields"), (check_force, "forces")])
def test_an_engine_without_fields_or_forces_is_refused(check, quantity):
    with pytest.raises(InputError, match=f"label has no {quantity}"):
        check(heisenberg, LabelledConfiguration(CELL, energy=-1.0), CELL, 0.05)


@pytest.mark.parametrize("angle", [0.1, 1.0, 2.5])
def test_a_constant_field_along_the_great_circle_works_by_its_whole_arc(angle):
    """-∫ B·de = -B θ for a field of constant size along the path, whatever the angle between the two ends."""
    start_ac, along_ac = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    end_ac = np.cos(angle) * start_ac + np.sin(angle) * along_ac
    end_along_ac = np.cos(angle) * along_ac - np.sin(angle) * start_ac
    found = integrate_fields(start_ac, 0.3 * along_ac, end_ac, 0.3 * end_along_ac)
    assert found == pytest.approx(-0.3 * angle, rel=1e-12)
