"""Every fault planted in a clean set is found, in its place, and nothing else; a clean set stays clean."""

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given, settings
from hypothesis import strategies as st
from spin_cells import heisenberg_label, iron_germanium, skewed_iron

from soso_core import LabelledConfiguration
from soso_core.formats.atoms import atoms_from_labelled, labelled_from_atoms
from soso_core.validation import Kind, check_frames, clean_frames


def clean_item(seed, n_frames=14):
    """A frame with all labels; lengths between 1.0 and 2.5 μB as in disordered iron, their mean drifting too."""
    cell = skewed_iron(seed) if seed % 2 else iron_germanium(seed)
    rng = np.random.default_rng(1000 + seed)
    item = heisenberg_label(cell)
    lengths_a = np.where(cell.is_magnetic_a, rng.uniform(1.0, 1.7 + 0.8 * seed / n_frames, len(cell)), 0.05)
    forces_ac = rng.normal(size=(len(cell), 3))
    effective_fields_ac = item.effective_fields_ac / lengths_a[:, None]
    return LabelledConfiguration(
        cell, item.energy, exchange_fields_ac=effective_fields_ac, moment_magnitudes_a=lengths_a, forces_ac=forces_ac
    )


def clean_set(n_frames=14):
    return [atoms_from_labelled(clean_item(seed)) for seed in range(n_frames)]


def relabel(atoms, **changes):
    """Replace results; None removes one."""
    results = {**atoms.calc.results, **changes}
    atoms.calc = SinglePointCalculator(atoms, **{k: v for k, v in results.items() if v is not None})


def spin_too_long(atoms):
    atoms.arrays["spins"][2] *= 1.3


def spin_rounded(atoms):
    atoms.arrays["spins"][2] *= 1.0005


def spin_lost(atoms):
    atoms.arrays["spins"][2] = 0.0


def no_spins(atoms):
    del atoms.arrays["spins"]


def nan_in(column, row=1):
    def plant(atoms):
        atoms.arrays[column][row] = np.nan

    return plant


def nan_force(atoms):
    forces_ac = atoms.calc.results["forces"].copy()
    forces_ac[1, 2] = np.inf
    relabel(atoms, forces=forces_ac)


def not_periodic(atoms):
    atoms.pbc = [True, True, False]


def flat_cell(atoms):
    atoms.set_cell(atoms.cell.array * [[1], [1], [0]])


def one_on_top_of_another(atoms):
    atoms.positions[3] = atoms.positions[0] + [0.1, 0.2, 0.1] + atoms.cell.array[1]


def negative_moment(atoms):
    atoms.arrays["moments"][2] *= -1


def moment_times(factor):
    def plant(atoms):
        atoms.arrays["moments"][2] = 1.6 * factor

    return plant


def field_along(atoms):
    atoms.arrays["exchange_fields"] += 0.5 * atoms.arrays["spins"]


def field_of_one_along(atoms):
    exchange_fields_ac = atoms.arrays["exchange_fields"]
    largest = np.argmax(np.linalg.norm(exchange_fields_ac, axis=1))
    exchange_fields_ac[largest] += 0.4 * np.linalg.norm(exchange_fields_ac[largest]) * atoms.arrays["spins"][largest]


def no_fields(atoms):
    del atoms.arrays["exchange_fields"]


def no_moments(atoms):
    del atoms.arrays["moments"]


PLANTED = {
    "spin too long": (spin_too_long, Kind.SPIN_LENGTH, 2, "length 1.3, not 1"),
    "spin rounded": (spin_rounded, Kind.SPIN_LENGTH, 2, "length 1.0005"),
    "spin lost": (spin_lost, Kind.SPIN_ZERO, 2, "spin is zero, but the exchange field is"),
    "no spins": (no_spins, Kind.SPINS_MISSING, None, "column 'spins' is missing"),
    "NaN position": (nan_in("positions"), Kind.UNUSABLE, 1, "positions is nan, and 2 more"),
    "NaN spin": (nan_in("spins"), Kind.UNUSABLE, 1, "spins is nan"),
    "NaN moment": (nan_in("moments"), Kind.UNUSABLE, 1, "moments is nan"),
    "NaN field": (nan_in("exchange_fields", (1, 2)), Kind.UNUSABLE, 1, "fields is nan"),
    "infinite force": (nan_force, Kind.UNUSABLE, 1, "forces is inf"),
    "NaN energy": (lambda atoms: relabel(atoms, energy=np.nan), Kind.UNUSABLE, None, "energy is nan"),
    "energy in words": (
        lambda atoms: relabel(atoms, energy="low"),
        Kind.UNUSABLE,
        None,
        "energy is not a number: 'low'",
    ),
    "not periodic": (not_periodic, Kind.NOT_PERIODIC, None, "pbc is [True, True, False]"),
    "flat cell": (flat_cell, Kind.REFUSED, None, "cell volume is 0"),
    "close atoms": (one_on_top_of_another, Kind.CLOSE_ATOMS, 0, "0.245 Å from atom 3"),
    "negative moment": (negative_moment, Kind.MOMENT_SIGN, 2, "must be positive"),
    "moment times ten": (moment_times(10), Kind.MOMENT_OUTLIER, 2, "moment is 16 μB"),
    "a tenth of the moment": (moment_times(0.1), Kind.MOMENT_OUTLIER, 2, "moment is 0.16 μB"),
    "fields along the spins": (field_along, Kind.FIELD_ALONG_SPIN, ..., "% of the field is along the spin"),
    "one field along its spin": (field_of_one_along, Kind.FIELD_ALONG_SPIN, ..., "37 % of the field is along"),
    "no energy": (lambda atoms: relabel(atoms, energy=None), Kind.ENERGY_MISSING, None, "the energy is missing"),
    "no fields": (no_fields, Kind.FIELDS_MISSING, None, "exchange_fields are missing"),
    "fields without lengths": (no_moments, Kind.REFUSED, None, "need the column 'moments'"),
    "energy slipped": (
        lambda atoms: relabel(atoms, energy=10 * atoms.calc.results["energy"]),
        *(Kind.ENERGY_OUTLIER, None, "meV/atom from the median"),
    ),
}
ALSO = {"NaN moment": {Kind.REFUSED}}
"""What a planted fault makes true besides: fields without lengths."""


@given(shift=st.integers(0, 200))
@settings(max_examples=15, deadline=None)
def test_a_clean_set_stays_clean(shift):
    frames = [atoms_from_labelled(clean_item(shift + 2 * seed, n_frames=430)) for seed in range(14)]
    assert check_frames(frames) == []
    assert check_frames(frames[:1]) == []
    cleaned = clean_frames(frames, [])
    assert cleaned.actions == ()
    assert list(cleaned.frames) == frames


@pytest.mark.parametrize("fault", PLANTED)
@pytest.mark.parametrize("where", [1, 7, 13])
def test_a_planted_fault_is_found_alone_and_in_its_place(fault, where):
    plant, kind, atom, said = PLANTED[fault]
    frames = clean_set()
    plant(frames[where])
    findings = check_frames(frames)
    assert {item.kind for item in findings} == {kind} | ALSO.get(fault, set())
    (found,) = [item for item in findings if item.kind is kind]
    assert found.configuration == where
    assert atom is ... or found.atom == atom
    assert said in found.line("set.extxyz")
    assert found.line("set.extxyz").startswith(f"set.extxyz, configuration {where}")


DROPPED = {
    "spin too long",
    "spin lost",
    "no spins",
    "NaN position",
    "NaN spin",
    "not periodic",
    "flat cell",
    "close atoms",
}
STAYS = {Kind.ENERGY_MISSING, Kind.FIELDS_MISSING}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_cleaned_set_has_no_fault_but_missing_labels(fault):
    frames = clean_set()
    PLANTED[fault][0](frames[7])
    before = [atoms.arrays.get("spins", atoms.positions).copy() for atoms in frames]
    findings = check_frames(frames)
    cleaned = clean_frames(frames, findings)
    assert len(cleaned.frames) == (13 if fault in DROPPED else 14)
    assert {item.kind for item in check_frames(cleaned.frames)} <= STAYS
    assert all(labelled_from_atoms(atoms) for atoms in cleaned.frames)
    mended = fault not in ("no energy", "no fields")
    assert [index for index, _ in cleaned.actions[:1]] == [7] * mended
    for atoms, spins in zip(frames, before, strict=True):  # the originals are left alone
        np.testing.assert_array_equal(atoms.arrays.get("spins", atoms.positions), spins)


def test_cleaning_keeps_what_is_sound():
    frames = clean_set()
    negative_moment(frames[3])
    relabel(frames[5], energy=np.nan)
    field_along(frames[7])
    spin_rounded(frames[9])
    cleaned = [labelled_from_atoms(atoms) for atoms in clean_frames(frames, check_frames(frames)).frames]
    expected = [clean_item(seed) for seed in range(14)]
    assert cleaned[3].moment_magnitudes_a is None
    assert cleaned[3].exchange_fields_ac is None
    assert cleaned[3].energy == expected[3].energy
    assert cleaned[5].energy is None
    np.testing.assert_array_equal(cleaned[5].forces_ac, expected[5].forces_ac)
    # 1e-15: one projection of numbers below 1
    np.testing.assert_allclose(cleaned[7].exchange_fields_ac, expected[7].exchange_fields_ac, atol=1e-15)
    np.testing.assert_allclose(cleaned[9].configuration.spins_ac, expected[9].configuration.spins_ac, atol=1e-15)


def test_no_energies_at_all_is_one_finding():
    frames = clean_set()
    for atoms in frames:
        relabel(atoms, energy=None)
    (found,) = check_frames(frames)
    assert found.line("a.xyz") == "a.xyz: no configuration has an energy"


def test_no_fields_at_all_is_a_choice():
    frames = clean_set()
    for atoms in frames:
        no_fields(atoms)
    assert check_frames(frames) == []


def test_many_faults_in_one_set_are_all_found():
    frames = clean_set()
    faults = [name for name in PLANTED if name not in ("no energy", "energy slipped")][:14]
    for atoms, name in zip(frames, faults, strict=True):
        PLANTED[name][0](atoms)
    found = {(item.configuration, item.kind) for item in check_frames(frames)}
    assert {(k, PLANTED[name][1]) for k, name in enumerate(faults)} <= found


class TestMixedLengths:
    """MW_int and M_int in one set."""

    def mixed(self, factor, scaled):
        frames = [atoms_from_labelled(clean_item(seed, n_frames=1000)) for seed in range(1, 29, 2)]
        for atoms in frames[:scaled]:
            atoms.arrays["moments"] *= factor
        return frames

    @pytest.mark.parametrize("factor", [0.66, 0.69, 0.72])
    @pytest.mark.parametrize("scaled", [2, 7, 12])
    def test_two_groups_are_suspected(self, factor, scaled):
        frames = self.mixed(1.0, 0)
        for atoms in frames:  # medians within 3 %: definitions differ, disorder does not
            atoms.arrays["moments"] = 2.2 + 0.05 * np.sin(np.arange(4) + atoms.positions[0, 0])
        for atoms in frames[:scaled]:
            atoms.arrays["moments"] = factor * atoms.arrays["moments"]
        (found,) = check_frames(frames)
        assert found.kind is Kind.MIXED_MOMENTS
        assert found.value == pytest.approx(factor, abs=0.02)
        assert "(suspected)" in found.text
        assert f"({scaled} and {14 - scaled} configurations" in found.text

    def test_one_broad_group_is_not(self):
        assert check_frames(self.mixed(1.0, 0)) == []

    @pytest.mark.parametrize("factor", [0.5, 0.85])
    def test_another_ratio_is_not(self, factor):
        frames = self.mixed(1.0, 0)
        for k, atoms in enumerate(frames):
            atoms.arrays["moments"] = np.full(4, 2.2 * (factor if k < 7 else 1.0))
        # The fields were not changed with the lengths, so that they disagree with the energies.
        assert {item.kind for item in check_frames(frames)} <= {Kind.FIELD_SCALE}

    def test_order_explains_short_lengths(self):
        """Ferromagnets with 2.2 μB beside disorder with 1.5 μB are physics."""
        frames = self.mixed(1.0, 0)
        for k, atoms in enumerate(frames):
            axis = np.array([0.0, 0.0, 1.0])
            spins_ac = atoms.arrays["spins"] * [1.0, 1.0, 0.2] + (3.0 if k < 7 else 0.0) * axis
            atoms.arrays["spins"] = spins_ac / np.linalg.norm(spins_ac, axis=1, keepdims=True)
            atoms.arrays["moments"] = np.full(4, 2.2 if k < 7 else 1.5)
            del atoms.arrays["exchange_fields"]
        orders = [np.linalg.norm(atoms.arrays["spins"].mean(axis=0)) for atoms in frames]
        assert min(orders[:7]) > max(orders[7:])
        assert check_frames(frames) == []

    def test_the_file_says_so(self):
        frames = clean_set()
        for k, atoms in enumerate(frames):
            atoms.info["moment_kind"] = "MW_int" if k < 3 else "M_int"
        (found,) = check_frames(frames)
        assert found.line("a.xyz") == "a.xyz: moment_kind differs: MW_int, M_int"


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (lambda atoms: atoms.info.update(label_grade="E"), "label_grade"),
        (lambda atoms: atoms.arrays.update(target_spins=np.full((len(atoms), 3), np.nan)), "target_spins"),
        (lambda atoms: relabel(atoms, energy=1e300), "energy"),
    ],
)
def test_what_the_reader_would_refuse_is_found_and_dropped(plant, said):
    frames = clean_set()
    plant(frames[3])
    finding = next(one for one in check_frames(frames) if one.configuration == 3)
    assert finding.kind is Kind.REFUSED
    assert said in finding.text
    assert len(clean_frames(frames, [finding]).frames) == len(frames) - 1


def test_fields_that_are_zero_to_rounding_point_nowhere():
    """Symmetry leaves 1e-18 eV/μB in every direction, and what is projected out leaves as little."""
    frames = clean_set()
    rng = np.random.default_rng(6)
    frames[2].arrays["exchange_fields"][:] = 1e-18 * rng.normal(size=(len(frames[2]), 3))
    assert not [one for one in check_frames(frames) if one.kind is Kind.FIELD_ALONG_SPIN]
