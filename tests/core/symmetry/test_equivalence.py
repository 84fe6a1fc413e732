"""Equivalence of configurations: found through every symmetry, never invented; counted against group theory."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from spin_cells import heisenberg_label, iron_germanium, skewed_iron, transformed

from soso_core import Configuration
from soso_core.symmetry.equivalence import equivalence_classes, fingerprint
from soso_core.symmetry.match import are_equivalent

CELLS = {"iron": skewed_iron, "alloy": iron_germanium, "pair": lambda seed: skewed_iron(seed, 2)}


@given(
    cell=st.sampled_from(sorted(CELLS)),
    seed=st.integers(0, 10_000),
    reverse=st.booleans(),
    mirror=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_symmetry_hides_no_equivalent_configuration(cell, seed, reverse, mirror):
    items = [heisenberg_label(CELLS[cell](seed + k)) for k in range(3)]
    items.append(transformed(items[1], seed, reverse, mirror))
    assert equivalence_classes([item.configuration for item in items]).tolist() == [0, 1, 2, 1]


@given(cell=st.sampled_from(sorted(CELLS)), seed=st.integers(0, 10_000), change=st.sampled_from(["move", "turn"]))
@settings(max_examples=60, deadline=None)
def test_a_small_change_is_not_equivalent(cell, seed, change):
    """0.01 Å, the displacement of phonon sets, and a turn of 2 degrees of one spin."""
    where = CELLS[cell](seed)
    rng = np.random.default_rng(seed)
    if change == "move":
        positions_ac = where.positions_ac.copy()
        positions_ac[0] += 0.01 * np.linalg.qr(rng.normal(size=(3, 3)))[0][0]
        other = where.with_positions(positions_ac)
    else:
        spins_ac = where.spins_ac.copy()
        axis = np.cross(spins_ac[0], spins_ac[1])
        turn = Rotation.from_rotvec(np.deg2rad(2) * axis / np.linalg.norm(axis)).as_matrix()
        spins_ac[0] = turn @ spins_ac[0]
        other = where.with_spins(spins_ac)
    assert _repeated([where, other]) == []


def test_an_atom_off_its_site_in_an_ideal_crystal_is_not_equivalent():
    """There the change of every symmetric sum is of second order."""
    crystal = bulk("Fe", "bcc", a=2.83, cubic=True) * (2, 2, 2)
    spins_ac = np.tile([0.0, 0.0, 1.0], (16, 1))
    ideal = Configuration(crystal.numbers, crystal.positions, crystal.cell.array, spins_ac)
    moved_ac = crystal.positions.copy()
    moved_ac[0, 0] += 0.01
    assert _repeated([ideal, ideal.with_positions(moved_ac)]) == []
    back_ac = crystal.positions.copy()
    back_ac[5, 2] -= 0.01
    assert len(_repeated([ideal.with_positions(moved_ac), ideal.with_positions(back_ac)])) == 1


def _repeated(configurations):
    """The indices of the configurations that are equivalent to an earlier one."""
    first_k = equivalence_classes(configurations)
    return np.flatnonzero(first_k != np.arange(len(first_k))).tolist()


@pytest.mark.parametrize("n_flipped", [2, 3, 4])
def test_as_many_kinds_of_flips_as_the_space_group_says(n_flipped):
    """Collinear spins on an ideal lattice: with four flips, pair sums alone confuse some of them."""
    crystal = bulk("Fe", "bcc", a=2.83, cubic=True) * (2, 2, 2)
    patterns = list(itertools.combinations(range(16), n_flipped))
    orbits = _orbits(patterns, _permutations(crystal))
    assert len(orbits) > 2
    some = [patterns[k] for k in np.random.default_rng(0).choice(len(patterns), 60)]
    configurations = []
    for pattern in [*sorted(orbits), *some]:
        spins_ac = np.tile([0.0, 0.0, 1.0], (16, 1))
        spins_ac[list(pattern)] *= -1.0
        configurations.append(Configuration(crystal.numbers, crystal.positions, crystal.cell.array, spins_ac))
    assert _repeated(configurations) == list(range(len(orbits), len(orbits) + 60))


def _permutations(crystal: Atoms):
    """Where each of the 48 x 16 operations of the cubic supercell sends every atom."""
    scaled = np.rint(crystal.get_scaled_positions() * 4).astype(int)  # in quarters of the cell
    index = {tuple(row): k for k, row in enumerate(scaled % 4)}
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            for shift in scaled:
                moved = (scaled[:, axes] * signs + shift) % 4
                yield [index[tuple(row)] for row in moved]


def _orbits(patterns, permutations):
    """Sets of patterns that the permutations turn into each other, each named by its smallest member."""
    tables = np.array(list(permutations))
    return {min(map(tuple, np.sort(tables[:, pattern], axis=1).tolist())) for pattern in map(list, patterns)}


def test_equivalent_configurations_on_two_sides_of_a_bin_are_found():
    """Bins of fingerprints have edges; configurations equal within rounding may lie on either side of one."""
    where = skewed_iron(4)
    scaled = [
        Configuration(where.numbers_a, where.positions_ac * scale, where.cell_vc * scale, where.spins_ac)
        for scale in 1.0 + 2e-7 * np.arange(200)
    ]
    bins = [fingerprint(item).bin_index for item in scaled]
    edge = int(np.flatnonzero(np.diff(bins))[0])
    assert equivalence_classes(scaled[edge : edge + 2]).tolist() == [0, 0]
    assert equivalence_classes(scaled[edge + 1 : edge - 1 : -1] if edge else scaled[1::-1]).tolist() == [0, 0]


@pytest.mark.parametrize(("degrees", "expected"), [(0.001, True), (0.5, False)])
def test_the_exact_comparison_resolves_half_a_degree(degrees, expected):
    where = skewed_iron(4)
    spins_ac = where.spins_ac.copy()
    axis = np.cross(spins_ac[0], spins_ac[1])
    turn = Rotation.from_rotvec(np.deg2rad(degrees) * axis / np.linalg.norm(axis))
    spins_ac[0] = turn.apply(spins_ac[0])
    assert are_equivalent(where, where.with_spins(spins_ac)) is expected


def test_species_in_another_order_are_not_equivalent():
    """The match itself tells ABAB from AABB on the same sites, without the help of a fingerprint."""
    sites_ac, cell_vc = 2.5 * np.array([[0.0, 0.0, k] for k in range(4)]), np.diag([4.0, 4.0, 10.0])
    alternating, paired = (
        Configuration(n, sites_ac, cell_vc, np.zeros((4, 3))) for n in ([26, 32] * 2, [26, 26, 32, 32])
    )
    assert are_equivalent(alternating, alternating)
    assert not are_equivalent(alternating, paired)
