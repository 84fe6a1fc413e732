"""Duplicates: found through every symmetry, never invented; counted against group theory."""

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from spin_cells import heisenberg_label, iron_germanium, skewed_iron

from soso_core import Configuration, LabelledConfiguration
from soso_core.formats.extxyz import atoms_from_labelled
from soso_core.validation import Kind, check_frames, clean_frames
from soso_core.validation.duplicates import check_duplicates
from soso_core.validation.frame import raw_frame

CELLS = {"iron": skewed_iron, "alloy": iron_germanium, "pair": lambda seed: skewed_iron(seed, 2)}


def transformed(item, seed, reverse, mirror):
    """The same physics: spins rotated, crystal rotated, moved and wrapped, atoms renamed; 8 decimals as in files."""
    rng = np.random.default_rng(seed)
    where = item.configuration
    spin_rotation, rotation = (Rotation.random(random_state=rng.integers(2**31)).as_matrix() for _ in range(2))
    spin_rotation, rotation = spin_rotation * (-1 if reverse else 1), rotation * (-1 if mirror else 1)
    order = rng.permutation(len(where))
    cell_vc = where.cell_vc @ rotation.T
    fractions = (np.linalg.solve(where.cell_vc.T, where.positions_ac.T).T + rng.uniform(size=3)) % 1.0
    spins_ac = where.spins_ac[order] @ spin_rotation.T
    new = Configuration(
        where.numbers_a[order], np.round(fractions[order] @ cell_vc, 8), np.round(cell_vc, 8), np.round(spins_ac, 8)
    )
    return LabelledConfiguration(
        new,
        item.energy,
        exchange_fields_ac=item.exchange_fields_ac[order] @ spin_rotation.T,
        moment_magnitudes_a=item.moment_magnitudes_a[order],
    )


def frames_of(items):
    return [atoms_from_labelled(item) for item in items]


@given(
    cell=st.sampled_from(sorted(CELLS)),
    seed=st.integers(0, 10_000),
    reverse=st.booleans(),
    mirror=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_symmetry_hides_no_duplicate(cell, seed, reverse, mirror):
    items = [heisenberg_label(CELLS[cell](seed + k)) for k in range(3)]
    findings = check_frames(frames_of([*items, transformed(items[1], seed, reverse, mirror)]))
    (found,) = [item for item in findings if item.kind is Kind.DUPLICATE]
    assert (found.configuration, found.other, found.labels_equal) == (3, 1, True)
    assert "same as configuration 1 up to symmetry; labels equal" in found.text


@given(cell=st.sampled_from(sorted(CELLS)), seed=st.integers(0, 10_000), change=st.sampled_from(["move", "turn"]))
@settings(max_examples=60, deadline=None)
def test_a_small_change_is_no_duplicate(cell, seed, change):
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
    assert _duplicates([where, other]) == []


def test_an_atom_off_its_site_in_an_ideal_crystal_is_no_duplicate():
    """There the change of every symmetric sum is of second order."""
    crystal = bulk("Fe", "bcc", a=2.83, cubic=True) * (2, 2, 2)
    spins_ac = np.tile([0.0, 0.0, 1.0], (16, 1))
    ideal = Configuration(crystal.numbers, crystal.positions, crystal.cell.array, spins_ac)
    moved_ac = crystal.positions.copy()
    moved_ac[0, 0] += 0.01
    assert _duplicates([ideal, ideal.with_positions(moved_ac)]) == []
    back_ac = crystal.positions.copy()
    back_ac[5, 2] -= 0.01
    assert len(_duplicates([ideal.with_positions(moved_ac), ideal.with_positions(back_ac)])) == 1


def _duplicates(configurations):
    frames = frames_of(LabelledConfiguration(where) for where in configurations)
    return check_duplicates([raw_frame(k, atoms)[0] for k, atoms in enumerate(frames)])


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
    repeated = {item.configuration for item in _duplicates(configurations)}
    assert repeated == set(range(len(orbits), len(orbits) + 60))


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


def labelled_twice(**changes):
    item = heisenberg_label(skewed_iron(1))
    labels = {
        "energy": item.energy,
        "exchange_fields_ac": item.exchange_fields_ac,
        "moment_magnitudes_a": item.moment_magnitudes_a,
    }
    return [item, LabelledConfiguration(item.configuration, **{**labels, **changes})]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"energy": heisenberg_label(skewed_iron(1)).energy + 0.004}, "labels differ: energy by 1 meV/atom"),
        ({"energy": None}, "labels differ: only configuration 0 has energy"),
        ({"exchange_fields_ac": None}, "labels differ: only configuration 0 has fields"),
        ({"moment_magnitudes_a": np.full(4, 2.3)}, "labels differ: moments by 0.1 μB"),
        ({"forces_ac": np.zeros((4, 3))}, "labels differ: only configuration 1 has forces"),
    ],
)
def test_different_labels_are_said_and_kept(changes, said):
    frames = frames_of(labelled_twice(**changes))
    findings = check_frames(frames)
    (found,) = [item for item in findings if item.kind is Kind.DUPLICATE]
    assert said in found.text
    assert found.labels_equal is False
    assert len(clean_frames(frames, findings).frames) == 2


def test_equal_ones_are_dropped_but_the_first():
    frames = frames_of([*labelled_twice(), heisenberg_label(skewed_iron(2)), *labelled_twice()])
    cleaned = clean_frames(frames, check_frames(frames))
    assert len(cleaned.frames) == 2
    dropped = tuple(action for action in cleaned.actions if action[1].startswith("dropped"))
    assert dropped == tuple((k, "dropped (repeats configuration 0)") for k in (1, 3, 4))


def test_a_duplicate_stays_when_the_first_is_dropped():
    frames = frames_of(labelled_twice())
    frames[0].arrays["spins"][0] *= 1.3
    cleaned = clean_frames(frames, check_frames(frames))
    assert next(action for action in cleaned.actions if action[1].startswith("dropped"))[0] == 0
    assert len(cleaned.frames) == 1
