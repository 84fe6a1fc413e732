"""The engine against its readable twin, and its small pieces against their definitions."""

import numpy as np
import pytest
from iron_cells import bcc, distorted, random_spins, skewed
from reference import tight_binding as twin

from soso_core.engines.k_mesh import mesh_counts, mesh_points
from soso_core.engines.tight_binding import TightBindingSettings, label
from soso_core.engines.tight_binding.crystal import build_crystal
from soso_core.engines.tight_binding.radial import TaperedPower
from soso_core.engines.tight_binding.scf import solve
from soso_core.engines.tight_binding.slater_koster import bond_gradients, hopping_blocks


def test_hopping_blocks_equal_the_table_of_slater_and_koster():
    rng = np.random.default_rng(1)
    directions_pc, hoppings_ph = random_spins(20, 2), rng.normal(size=(20, 3))
    blocks_pab = hopping_blocks(directions_pc, hoppings_ph)
    for direction_c, hoppings_h, block_ab in zip(directions_pc, hoppings_ph, blocks_pab, strict=True):
        np.testing.assert_allclose(block_ab, twin.tabulated_block(direction_c, *hoppings_h), atol=1e-13)


def test_bond_gradients_equal_differences_of_contracted_blocks():
    rng = np.random.default_rng(3)
    vectors_pc, orders_pab = 2.5 * random_spins(6, 4), rng.normal(size=(6, 5, 5))
    law, scale_h = TaperedPower(2.48, 5.0, 3.7, 0.6), np.array([-0.66, 0.44, -0.11])

    def contracted(vectors_pc):
        distances_p = np.linalg.norm(vectors_pc, axis=1)
        blocks_pab = hopping_blocks(vectors_pc / distances_p[:, None], law(distances_p)[0][:, None] * scale_h)
        return np.sum(orders_pab * blocks_pab, axis=(1, 2))

    value_p, slope_p = law(np.linalg.norm(vectors_pc, axis=1))
    gradients_pc = bond_gradients(vectors_pc, value_p[:, None] * scale_h, slope_p[:, None] * scale_h, orders_pab)
    steps = 1e-5 * np.eye(3)
    differences_pc = np.stack([(contracted(vectors_pc + s) - contracted(vectors_pc - s)) / 2e-5 for s in steps], axis=1)
    assert np.abs(differences_pc).max() > 1.0
    np.testing.assert_allclose(gradients_pc, differences_pc, atol=1e-8)


def test_the_radial_law_ends_smoothly():
    law = TaperedPower(2.48, 5.0, 3.7, 0.6)
    distances_p = np.linspace(2.0, 4.0, 2001)
    values_p, slopes_p = law(distances_p)
    # Second differences of a function with continuous curvature: the error of a central slope is step² f'''/6 ~ 1e-5.
    np.testing.assert_allclose(slopes_p[1:-1], (values_p[2:] - values_p[:-2]) / 2e-3, atol=5e-5)
    assert not values_p[distances_p > 3.7].any()
    assert law(np.array([2.48]))[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    "configuration",
    [distorted(bcc((1, 1, 1), random_spins(2, 5)), 6), distorted(skewed(3, random_spins(3, 7)), 8)],
    ids=["two atoms", "three atoms, skewed"],
)
def test_the_label_equals_its_readable_twin(configuration):
    counts = (2, 1, 3)
    settings = TightBindingSettings(k_mesh=counts, tolerance=1e-9)
    found = solve(build_crystal(configuration, settings), settings).unknowns
    energy, charges_a, moments_ac = twin.energy_and_densities(
        configuration, settings, found.moment_magnitudes_a, found.electrons_a, found.constraint_fields_ac, counts
    )
    assert label(configuration, settings).energy == pytest.approx(energy, rel=0, abs=1e-7)
    np.testing.assert_allclose(charges_a, found.electrons_a, rtol=0, atol=1e-8)
    # Along the spins with these magnitudes, and nothing across: the constraint is fulfilled.
    np.testing.assert_allclose(
        moments_ac, found.moment_magnitudes_a[:, None] * configuration.spins_ac, rtol=0, atol=1e-8
    )


def test_the_mesh_follows_the_cell():
    spacing = TightBindingSettings().k_spacing_per_angstrom
    expected = {(1, 1, 1): (6, 6, 6), (2, 1, 1): (3, 6, 6), (2, 2, 2): (3, 3, 3), (3, 3, 3): (2, 2, 2)}
    for repeats, counts in expected.items():
        n_atoms = 2 * int(np.prod(repeats))
        assert mesh_counts(bcc(repeats, np.zeros((n_atoms, 3))).cell_vc, spacing) == counts


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_mesh_contains_minus_k_for_every_k(shift):
    cell_vc = skewed(2, np.zeros((2, 3))).cell_vc
    points_kc = mesh_points(cell_vc, (2, 3, 4), shift)
    fractions_kv = points_kc @ cell_vc.T / (2 * np.pi)
    assert len(fractions_kv) == 24
    assert np.abs(fractions_kv - [shift / 2, shift / 3, shift / 4]).sum(axis=1).min() < 1e-12
    for fraction_v in fractions_kv:
        distance_kv = fractions_kv + fraction_v
        assert np.abs(distance_kv - np.round(distance_kv)).max(axis=1).min() < 1e-12
