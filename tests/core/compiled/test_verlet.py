"""A list with a skin gives what a fresh one gives, as long as it says it holds."""

from itertools import pairwise

import numpy as np
import pytest
from compiled_models import fitted, iron_model, large_cell
from spin_cells import iron_germanium, skewed_iron

from soso_core import Configuration
from soso_core.compiled.model import CompiledModel
from soso_core.compiled.verlet import VerletList
from soso_core.neighbours import find_neighbours


def test_list_holds_the_pairs_of_a_fresh_search():
    cell = skewed_iron(2)
    near = CompiledModel.of(iron_model()).neighbours(cell)
    fresh = find_neighbours(cell, near.cutoff)
    shifts_pc = near.shifts_t4[near.shift_p, :3]
    i_p = np.repeat(np.arange(len(cell)), np.diff(near.offsets_a))
    vectors_pc = cell.positions_ac[near.j_p] + shifts_pc - cell.positions_ac[i_p]
    np.testing.assert_allclose(np.linalg.norm(vectors_pc, axis=1), near.distances_p, atol=1e-12)
    np.testing.assert_allclose(np.sort(near.distances_p), np.sort(fresh.distances_p), atol=1e-12)


def test_bins_are_sorted_and_hold_every_pair_in_reach():
    """Sorting is what lets kernels skip whole groups beyond the cutoff."""
    cell, compiled = large_cell(3), CompiledModel.of(fitted("all channels"))
    fit = compiled.pairs.fit
    near = compiled.neighbours(cell, skin=0.3)
    species_a = (cell.numbers_a == 32).astype(np.int64)
    atoms_a8 = np.concatenate([cell.positions_ac, np.zeros((len(cell), 5))], axis=1)
    source = near.near(atoms_a8, species_a, 2, fit)
    n_found = 0
    for a in range(len(cell)):
        for first, last in pairwise(source.starts_ab[a]):
            vectors_pc = cell.positions_ac[source.j_p[first:last]] + source.shifts_t4[source.shift_p[first:last], :3]
            distances_p = np.linalg.norm(vectors_pc - cell.positions_ac[a], axis=1)
            assert (last - first) % 4 == 0
            assert np.all(np.diff(distances_p[distances_p < 100.0]) >= -1e-12)
            n_found += int(np.sum(distances_p < 100.0))
    assert n_found == np.sum(near.distances_p < fit.cutoff + 0.3)


@pytest.mark.parametrize("seed", [0, 1])
def test_random_walk(seed):
    """Atoms wander over rebuilds of the list; polynomials differ a little where they overlap."""
    compiled = CompiledModel.of(fitted("all channels"))
    cell, rng = large_cell(seed), np.random.default_rng(seed)
    near, n_rebuilt = compiled.neighbours(cell, skin=0.3), 0
    for _ in range(20):
        cell = cell.with_positions(cell.positions_ac + rng.normal(scale=0.02, size=cell.positions_ac.shape))
        kept = near.update(cell.positions_ac, cell.cell_vc)
        n_rebuilt += kept is not near
        near = kept
        with_skin, fresh = compiled.predict(cell, near), compiled.predict(cell)
        assert with_skin.energy == pytest.approx(fresh.energy, abs=1e-7 * len(cell))
        np.testing.assert_allclose(with_skin.forces_ac, fresh.forces_ac, atol=3e-6)
        np.testing.assert_allclose(with_skin.effective_fields_ac, fresh.effective_fields_ac, atol=3e-7)
    assert 2 <= n_rebuilt < 20


def test_when_a_list_holds():
    cell = skewed_iron(4)
    near = CompiledModel.of(iron_model()).neighbours(cell, skin=0.2)
    moved_ac = cell.positions_ac.copy()
    moved_ac[1, 2] += 0.099
    assert near.update(moved_ac, cell.cell_vc) is near
    moved_ac[1, 2] += 0.002
    assert near.update(moved_ac, cell.cell_vc) is not near
    assert near.update(cell.positions_ac, cell.cell_vc * (1 + 1e-12)) is not near


def test_a_list_that_no_longer_holds_is_not_used():
    compiled, cell = CompiledModel.of(iron_model()), skewed_iron(5)
    near = compiled.neighbours(cell, skin=0.1)
    strained = Configuration(cell.numbers_a, 1.05 * cell.positions_ac, 1.05 * cell.cell_vc, cell.spins_ac)
    assert compiled.predict(strained, near).energy == compiled.predict(strained).energy


def test_atoms_far_outside_their_cell_cost_no_more():
    """As a long run leaves them that nobody wraps: a list of the images that occur, not of all up to them."""
    cell, reach = skewed_iron(2), 4.6
    far_ac = cell.positions_ac.copy()
    far_ac[1] += np.array([4000.0, -3000.0, 2000.0]) @ cell.cell_vc
    near, far = (VerletList.of(positions_ac, cell.cell_vc, reach, 0.3) for positions_ac in (cell.positions_ac, far_ac))
    assert len(far.shifts_t4) <= len(far.j_p) + 1
    i_p = np.repeat(np.arange(len(cell)), np.diff(far.offsets_a))
    vectors_pc = far_ac[far.j_p] + far.shifts_t4[far.shift_p, :3] - far_ac[i_p]
    np.testing.assert_allclose(np.linalg.norm(vectors_pc, axis=1), far.distances_p, atol=1e-8)
    np.testing.assert_allclose(np.sort(far.distances_p), np.sort(near.distances_p), atol=1e-8)


def test_a_list_is_sorted_again_for_other_species():
    """Two atoms exchange their elements and spins; the positions, and with them the list, stay."""
    compiled, cell = CompiledModel.of(fitted("pairs of zeta 4")), iron_germanium(9)
    neighbours = compiled.neighbours(cell, 0.3)
    compiled.predict(cell, neighbours)
    order = [3, 1, 2, 0]
    exchanged = Configuration(cell.numbers_a[order], cell.positions_ac, cell.cell_vc, cell.spins_ac[order])
    assert compiled.predict(exchanged, neighbours).energy == pytest.approx(compiled.predict(exchanged).energy, abs=1e-9)
