"""DeePMD-kit folders: what is written is what is read, and what others write badly is named."""

import contextlib
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spin_cells import heisenberg_label, iron_germanium, skewed_iron

from soso_core import Dataset, InputError, LabelledConfiguration
from soso_core.formats import read_deepmd, write_deepmd

ROUNDING = 1e-14
"""Moments are products and are divided again; virials are products with the volume: two roundings each."""
ON_DISK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def full_label(cell, seed=0):
    """Energy, fields, lengths, forces and stress, all different."""
    rng = np.random.default_rng(seed)
    plain = heisenberg_label(cell)
    stress_cc = rng.normal(scale=0.01, size=(3, 3))
    lengths_a = np.where(cell.is_magnetic_a, rng.uniform(1.0, 2.5, len(cell)), 0.0)
    return LabelledConfiguration(
        cell,
        energy=plain.energy,
        exchange_fields_ac=plain.exchange_fields_ac,
        moment_magnitudes_a=lengths_a,
        forces_ac=rng.normal(size=(len(cell), 3)),
        stress_cc=stress_cc + stress_cc.T,
    )


def assert_same(one, other):
    """All numbers agree to rounding; what is absent is absent."""
    pairs = [(getattr(one.configuration, n), getattr(other.configuration, n)) for n in ("numbers_a", "positions_ac")]
    pairs += [(getattr(one.configuration, n), getattr(other.configuration, n)) for n in ("cell_vc", "spins_ac")]
    names = ("energy", "exchange_fields_ac", "moment_magnitudes_a", "forces_ac", "stress_cc")
    pairs += [(getattr(one, n), getattr(other, n)) for n in names]
    for mine, theirs in pairs:
        assert (mine is None) == (theirs is None)
        if mine is not None:
            np.testing.assert_allclose(mine, theirs, rtol=ROUNDING, atol=ROUNDING)


@pytest.fixture
def folder(tmp_path):
    """Three frames of one system with every label."""
    write_deepmd(tmp_path / "data", [full_label(iron_germanium(seed), seed) for seed in range(3)])
    return tmp_path / "data"


@st.composite
def datasets(draw):
    """Frames of up to three systems, each with its own choice of labels."""
    items = []
    for seed in range(draw(st.integers(1, 6))):
        cell = draw(st.sampled_from([lambda s: skewed_iron(s, 2), skewed_iron, iron_germanium]))(seed)
        full = full_label(cell, seed)
        names = [n for n in ("energy", "exchange_fields_ac", "forces_ac", "stress_cc") if draw(st.booleans())]
        labels = {name: getattr(full, name) for name in names}
        items.append(LabelledConfiguration(cell, moment_magnitudes_a=full.moment_magnitudes_a, **labels))
    return Dataset(tuple(items))


@given(dataset=datasets())
@ON_DISK
def test_round_trip(tmp_path, dataset):
    write_deepmd(tmp_path / "data", dataset)
    back = list(read_deepmd(tmp_path / "data"))
    assert len(back) == len(dataset)
    by_system = {}
    for item in dataset:
        by_system.setdefault(tuple(item.configuration.numbers_a), []).append(item)
    for one, other in zip([item for items in by_system.values() for item in items], back, strict=True):
        assert_same(one, other)


def test_the_layout_is_that_of_the_manual(folder):
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        *("type.raw", "type_map.raw", "soso.json"),
        *(f"set.000/{name}.npy" for name in ("coord", "box", "energy", "force", "virial", "spin", "force_mag")),
    }
    assert (folder / "type.raw").read_text().split() == ["0", "0", "0", "1"]
    assert (folder / "type_map.raw").read_text().split() == ["Fe", "Ge"]
    shapes = {path.stem: np.load(path, allow_pickle=False).shape for path in folder.glob("set.000/*.npy")}
    assert shapes["spin"] == shapes["force_mag"] == shapes["coord"] == shapes["force"] == (3, 12)
    assert shapes["box"] == shapes["virial"] == (3, 9)
    assert shapes["energy"] == (3, 1)


def test_signs_and_units(tmp_path):
    """Built by hand: a moment of 2 μB along -y, one atom without, tension as a negative virial."""
    system = tmp_path / "by_hand"
    (system / "set.000").mkdir(parents=True)
    (system / "type.raw").write_text("1 0\n")
    (system / "type_map.raw").write_text("O\nNi\n")
    rows = {
        "coord": [0, 0, 0, 2, 0, 0],
        "box": [4, 0, 0, 0, 4, 0, 0, 0, 4],
        "spin": [0, -2, 0, 0, 0, 0],
        "force_mag": [0.1, 0, 0, 0, 0, 0],
        "virial": [-64, 0, 0, 0, 0, 0, 0, 0, 32],
        "energy": -7,
    }
    for name, row in rows.items():
        np.save(system / "set.000" / f"{name}.npy", np.array([row], dtype=np.float32))
    (item,) = read_deepmd(tmp_path)
    assert item.configuration.symbols == ("Ni", "O")
    np.testing.assert_array_equal(item.configuration.spins_ac, [[0, -1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(item.moment_magnitudes_a, [2, 0])
    np.testing.assert_allclose(item.effective_fields_ac[0], [0.2, 0, 0], rtol=1e-7)  # float32 on disk
    np.testing.assert_allclose(item.stress_cc, np.diag([1, 0, -0.5]), rtol=ROUNDING)
    assert item.energy == -7.0
    assert item.forces_ac is None


def test_sets_are_read_in_order(folder):
    (folder / "set.000").rename(folder / "set.001")
    write_deepmd(folder.parent / "other", [full_label(iron_germanium(9), 9)])
    (folder.parent / "other" / "set.000").rename(folder / "set.000")
    items = read_deepmd(folder)
    assert_same(items[0], full_label(iron_germanium(9), 9))
    assert_same(items[3], full_label(iron_germanium(2), 2))


def test_orders_of_atoms_are_different_systems(tmp_path):
    cell = iron_germanium(0)
    turned = type(cell)(cell.numbers_a[::-1], cell.positions_ac[::-1], cell.cell_vc, cell.spins_ac[::-1])
    write_deepmd(tmp_path / "data", [full_label(turned), full_label(cell)])
    assert [path.name for path in sorted((tmp_path / "data").glob("*_*"))] == ["000_Fe3Ge", "001_Fe3Ge"]
    for one, other in zip(read_deepmd(tmp_path / "data"), [full_label(turned), full_label(cell)], strict=True):
        assert_same(one, other)


FAULTS = {
    "nopbc": (lambda f: (f / "nopbc").touch(), "only fully periodic"),
    "no type.raw": (lambda f: (f / "type.raw").unlink(), "no type.raw in it or below it"),
    "no type_map": (lambda f: (f / "type_map.raw").unlink(), "cannot read .*type_map.raw: No such file"),
    "type beyond the map": (lambda f: (f / "type.raw").write_text("0 0 0 2"), "numbers below 2"),
    "negative type": (lambda f: (f / "type.raw").write_text("0 0 0 -1"), "numbers below 2"),
    "empty type.raw": (lambda f: (f / "type.raw").write_text(""), "no atoms"),
    "binary type.raw": (lambda f: (f / "type.raw").write_bytes(b"\xff\xfe"), "not a text file"),
    "not an element": (lambda f: (f / "type_map.raw").write_text("Fe TYPE_1"), "'TYPE_1' is not an element"),
    "no sets": (lambda f: (f / "set.000").rename(f / "sets"), r"no folder set\.\*"),
    "no spins": (lambda f: (f / "set.000" / "spin.npy").unlink(), "spin.npy: No such file"),
    "mixed types": (lambda f: (f / "set.000" / "real_atom_types.npy").touch(), "mixed types"),
    "frames differ": (lambda f: np.save(f / "set.000" / "energy.npy", np.zeros(2)), "differ in their number of frames"),
    "wrong width": (lambda f: np.save(f / "set.000" / "coord.npy", np.zeros((3, 9))), "expected 12 numbers per frame"),
    "text": (lambda f: np.save(f / "set.000" / "energy.npy", np.array(["a", "b", "c"])), "not an array of numbers"),
    "scalar": (lambda f: np.save(f / "set.000" / "energy.npy", np.array(1.0)), "expected 1 numbers per frame"),
    "NaN": (lambda f: np.save(f / "set.000" / "spin.npy", np.full((3, 12), np.nan)), "frame 0: moment of atom 0 is"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_in_one_line(folder, fault):
    break_it, said = FAULTS[fault]
    break_it(folder)
    with pytest.raises(InputError, match=said) as caught:
        read_deepmd(folder)
    assert "\n" not in str(caught.value)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("exploded"),))


def test_pickles_are_not_opened(folder, monkeypatch):
    monkeypatch.chdir(folder)
    energy = folder / "set.000" / "energy.npy"
    for content in (pickle.dumps(Bomb()), None):
        if content is None:
            np.save(energy, np.array([Bomb()] * 3, dtype=object), allow_pickle=True)
        else:
            energy.write_bytes(content)
        with pytest.raises(InputError, match=r"energy\.npy"):
            read_deepmd(folder)
    assert not Path("exploded").exists()


@given(name=st.sampled_from(["coord", "spin", "energy", "virial"]), keep=st.floats(0.0, 0.99))
@ON_DISK
def test_truncated_arrays_are_refused(folder, name, keep):
    file = folder / "set.000" / f"{name}.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(InputError, match=f"{name}.npy"):
        read_deepmd(folder)
    file.write_bytes(whole)


@given(name=st.sampled_from(["type.raw", "type_map.raw", "set.000/box.npy"]), garbage=st.binary(max_size=200))
@ON_DISK
def test_garbage_is_refused_or_read_but_never_crashes(folder, name, garbage):
    file = folder / name
    whole = file.read_bytes()
    file.write_bytes(garbage)
    with contextlib.suppress(InputError):  # any other exception fails the test
        read_deepmd(folder)
    file.write_bytes(whole)


def test_spins_need_lengths(tmp_path):
    with pytest.raises(InputError, match="configuration 1: DeePMD-kit needs the column"):
        write_deepmd(tmp_path / "data", [full_label(skewed_iron(0)), LabelledConfiguration(skewed_iron(1))])
    assert list(tmp_path.iterdir()) == []


def test_our_own_folder_is_replaced_and_nothing_of_it_stays(folder):
    write_deepmd(folder, [LabelledConfiguration(skewed_iron(1), energy=1.0, moment_magnitudes_a=np.full(4, 2.0))])
    (item,) = read_deepmd(folder)
    assert item.energy == 1.0
    assert not (folder / "set.000" / "force.npy").exists()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("theirs", ["notes.txt", "set.000/hessian.npy"])
def test_a_folder_with_a_file_of_others_is_not_touched(folder, theirs):
    (folder / theirs).write_text("mine")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="contains files not written by soso"):
        write_deepmd(folder, [full_label(skewed_iron(1))])
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_without_our_mark_is_not_touched(folder):
    for mark in (json.dumps({"format": "other"}), None):
        (folder / "soso.json").write_text(mark) if mark else (folder / "soso.json").unlink()
        with pytest.raises(InputError, match="contains files not written by soso"):
            write_deepmd(folder, [full_label(skewed_iron(1))])


def test_a_failure_half_way_leaves_the_old_folder(folder, monkeypatch):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    saved = []

    def full_disk(file, array, **extra):
        saved.append(file)
        if len(saved) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_deepmd(folder, [full_label(skewed_iron(1))])
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_rename_that_fails_brings_the_old_folder_back(folder, monkeypatch):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    rename, done = Path.replace, []

    def second_fails(self, target):
        done.append(self)
        if len(done) == 2:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", second_fails)
    with pytest.raises(InputError, match="Input/output error"):
        write_deepmd(folder, [full_label(skewed_iron(1))])
    assert len(done) == 3
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_thousand_sets_and_more_keep_their_order(tmp_path):
    """Labels in turn make a set of every frame; names must sort as they are counted."""
    cell = skewed_iron(0, 2)
    one = LabelledConfiguration(cell, energy=1.0, moment_magnitudes_a=np.ones(2))
    other = replace(one, forces_ac=np.ones((2, 3)))
    frames = [replace(other if k % 2 else one, energy=float(k)) for k in range(1003)]
    write_deepmd(tmp_path / "data", frames)
    assert [item.energy for item in read_deepmd(tmp_path / "data")] == list(range(1003))
