"""`soso data`: formats in and out, findings, exit codes."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from soso_core.app import formats
from soso_core.dataset import Dataset
from soso_core.formats import read_dataset, read_deepmd, read_embset, read_structure, write_dataset
from soso_core.labels import LabelledConfiguration

ALL_SUFFIXES = [suffix for item in formats.FORMATS.values() for suffix in item.suffixes]
ROUNDING = 1e-14
"""Length times unit vector, divided again."""


def on_one_lattice(dataset):
    """Move all configurations onto the lattice of the first, as EMBSET needs."""
    first = dataset[0].configuration
    return Dataset(
        tuple(
            LabelledConfiguration(
                first.with_spins(item.configuration.spins_ac),
                energy=item.energy,
                exchange_fields_ac=item.exchange_fields_ac,
                moment_magnitudes_a=item.moment_magnitudes_a,
            )
            for item in dataset
        )
    )


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.energy == b.energy
        for name in ("exchange_fields_ac", "moment_magnitudes_a"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=ROUNDING, atol=ROUNDING)
        for name in ("numbers_a", "positions_ac", "cell_vc", "spins_ac"):
            mine, theirs = (getattr(x.configuration, name) for x in (a, b))
            np.testing.assert_allclose(mine, theirs, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("words", [("folder.deepmd",), ("folder", "--to", "deepmd")])
def test_deepmd_and_back(desk, small_dataset, words):
    outcome = desk("data", "convert", "train.extxyz", "-o", *words)
    assert (outcome.status, outcome.stdout) == (0, f"8 configurations written to {words[0]} (deepmd)\n")
    assert_same(read_deepmd(words[0]), small_dataset)
    assert desk("data", "convert", words[0], "-o", "back.xyz").status == 0
    assert_same(read_dataset("back.xyz"), small_dataset)


def test_several_systems(desk, small_dataset, alloy_dataset):
    write_dataset("both.extxyz", alloy_dataset + small_dataset)
    assert desk("data", "convert", "both.extxyz", "-o", "both.deepmd").status == 0
    assert [path.name for path in sorted(Path("both.deepmd").iterdir())] == ["000_Fe2Ge2", "001_Fe4", "soso.json"]
    assert_same(read_deepmd("both.deepmd"), alloy_dataset + small_dataset)


def test_embset_and_back(desk, small_dataset):
    dataset = on_one_lattice(small_dataset)
    write_dataset("one.extxyz", dataset)
    assert desk("data", "convert", "one.extxyz", "-o", "EMBSET", "--structure", "lattice.extxyz").status == 0
    assert_same(read_embset("EMBSET", read_structure("lattice.extxyz")), dataset)
    assert desk("data", "convert", "EMBSET", "-o", "back.extxyz", "--structure", "lattice.extxyz").status == 0
    assert_same(read_dataset("back.extxyz"), dataset)
    assert desk("data", "convert", "EMBSET", "-o", "set.deepmd", "--structure", "lattice.extxyz").status == 0
    assert_same(read_deepmd("set.deepmd"), dataset)


@pytest.mark.parametrize("name", formats.WRITABLE)
def test_every_format_is_written_and_read(desk, small_dataset, name):
    output = f"out{formats.FORMATS[name].suffixes[0]}"
    dataset = on_one_lattice(small_dataset)
    write_dataset("one.extxyz", dataset)
    assert name in desk("data", "convert", "one.extxyz", "-o", output, "--structure", "lattice.extxyz").stdout
    if name in formats.READABLE:
        assert desk("data", "convert", output, "-o", "back.extxyz", "--structure", "lattice.extxyz").status == 0
        assert_same(read_dataset("back.extxyz"), dataset)


def test_the_help_names_the_endings_of_every_format(desk):
    words = desk("data", "convert", "--help").stdout.split()
    assert all(f"*{suffix}" in (word.strip(",;()") for word in words) for suffix in ALL_SUFFIXES)


def test_a_format_of_one_direction_is_refused_in_the_other(desk, monkeypatch):
    both = formats.FORMATS["extxyz"]
    monkeypatch.setitem(formats.FORMATS, "prose", formats.Format((".txt",), None, both.write))
    monkeypatch.setitem(formats.FORMATS, "stone", formats.Format((".slab",), both.read, None))
    message = desk.refuses("data", "convert", "a.txt", "-o", "b.extxyz")
    assert "cannot read a.txt: prose can only be written" in message
    message = desk.refuses("data", "convert", "train.extxyz", "-o", "b.slab")
    assert "cannot write b.slab: stone can only be read" in message


def test_a_folder_of_ours_is_replaced_another_is_not(desk):
    for _ in range(2):
        assert desk("data", "convert", "train.extxyz", "-o", "set.deepmd").status == 0
    Path("set.deepmd/notes.txt").write_text("mine")
    assert "contains files not written by soso" in desk.refuses("data", "convert", "train.extxyz", "-o", "set.deepmd")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train.extxyz", "-o", "out"), "the format of out is unknown; add --to"),
        (("fit.yaml", "-o", "a.extxyz"), "the format of fit.yaml is unknown; add --from"),
        (("missing.extxyz", "-o", "a.deepmd"), "cannot read missing.extxyz: No such file"),
        (("missing.deepmd", "-o", "a.extxyz"), "cannot read missing.deepmd: no such folder"),
        (("train.extxyz", "-o", "a.extxyz", "--from", "deepmd"), "not a folder"),
        (("empty", "-o", "a.extxyz"), "no type.raw in it or below it"),
        (("EMBSET", "-o", "a.extxyz"), "EMBSET has no lattice; give a structure file with --structure"),
        (("EMBSET", "-o", "a.extxyz", "--structure", "nowhere.cif"), "nowhere.cif: no such file"),
        (("EMBSET", "-o", "a.extxyz", "--structure", "iron.cif"), "EMBSET, line 1 .* expected an energy, found 2"),
        (("train.extxyz", "-o", "new.embset"), "train.extxyz: configuration 1: cell or positions differ"),
        (("batch.extxyz", "-o", "new.embset"), "batch.extxyz: configuration 0: an EMBSET file needs energy"),
        (("batch.extxyz", "-o", "new.deepmd"), "batch.extxyz: configuration 0: DeePMD-kit needs the column"),
        (("one.extxyz", "-o", "new.embset", "--structure", "iron.cif"), "the lattice in iron.cif does not match: "),
        (("one.extxyz", "-o", "new.embset", "--structure", "POSCAR"), "the lattice is written as extended XYZ"),
        (("one.extxyz", "-o", "new.embset", "--structure", "no/a.xyz"), "the folder no does not exist"),
        (("train.extxyz", "-o", "train.extxyz"), "input and output are the same"),
        (("train.extxyz", "-o", ".", "--to", "deepmd"), "input and output are the same"),
        (("train.extxyz", "-o", "fit.yaml", "--to", "deepmd"), "it is a file"),
        (("train.extxyz", "-o", "no/set.deepmd"), "the folder no does not exist"),
        (("train.extxyz", "-o", "empty", "--to", "extxyz"), "it is a folder"),
        (("train.extxyz", "-o", "a.xyz", "--to", "pickle"), "Invalid value for '--to'"),
    ],
)
def test_convert_refuses(desk, small_dataset, words, said):
    Path("empty").mkdir()
    Path("EMBSET").write_text("not data\n")
    write_dataset("one.extxyz", on_one_lattice(small_dataset))
    assert re.search(said, desk.refuses("data", "convert", *words))
    assert not any(name.endswith(".part") or name.startswith("new") for name in desk.names())


@pytest.fixture
def tidy(desk, small_dataset):
    """The desk with fields transverse in train.extxyz; those of the other tests are projected by the reader."""
    items = [
        LabelledConfiguration(
            item.configuration,
            item.energy,
            exchange_fields_ac=item.effective_fields_ac / item.moment_magnitudes_a[:, None],
            moment_magnitudes_a=item.moment_magnitudes_a,
        )
        for item in small_dataset
    ]
    write_dataset("train.extxyz", items)
    return desk


def test_a_clean_set(tidy):
    outcome = tidy("data", "check", "train.extxyz", "--json", "findings.json", "--clean", "cleaned.extxyz")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines()[0] == "train.extxyz: 8 configurations, 0 findings"
    assert json.loads(Path("findings.json").read_text()) == {
        "file": "train.extxyz",
        "n_configurations": 8,
        "findings": [],
    }
    assert Path("cleaned.extxyz").read_bytes() == Path("train.extxyz").read_bytes()


def planted(name="bad.extxyz"):
    """Frames 0 and 8 alike; a spin of length 1.3 in 1, a NaN energy in 2, a negative moment in 3."""
    frames = Path("train.extxyz").read_text().splitlines(keepends=True)
    blocks = [frames[k : k + 6] for k in range(0, len(frames), 6)]
    words = blocks[1][2].split()
    words[4:7] = [f"{1.3 * float(word):.17g}" for word in words[4:7]]
    blocks[1][2] = " ".join(words) + "\n"
    energy = blocks[2][1].split("energy=")[1].split()[0]
    blocks[2][1] = blocks[2][1].replace(f"energy={energy}", "energy=nan")
    words = blocks[3][3].split()
    words[7] = "-2.2"
    blocks[3][3] = " ".join(words) + "\n"
    Path(name).write_text("".join(line for block in [*blocks, blocks[0]] for line in block))


def test_findings_name_file_configuration_atom_and_number(tidy):
    planted()
    outcome = tidy("data", "check", "bad.extxyz", "--json", "findings.json")
    assert (outcome.status, outcome.stderr) == (1, "")
    assert outcome.stdout.splitlines() == [
        "bad.extxyz, configuration 1, atom 0: spin has length 1.3, not 1",
        "bad.extxyz, configuration 2: energy is nan",
        "bad.extxyz, configuration 3, atom 1: moment is -2.2 μB, must be positive",
        "bad.extxyz, configuration 8: same as configuration 0 up to symmetry; labels equal",
        "bad.extxyz: 9 configurations, 4 findings",
    ]
    findings = json.loads(Path("findings.json").read_text())["findings"]
    kinds = [item["kind"] for item in findings]
    assert kinds == ["spin_length", "unusable", "moment_sign", "duplicate"]
    assert findings[0]["value"] == pytest.approx(1.3)
    assert findings[1]["value"] == "nan"
    assert findings[3]["other"] == 0


def test_the_strict_reader_takes_the_cleaned_file(tidy, small_dataset):
    planted()
    outcome = tidy("data", "check", "bad.extxyz", "--clean", "cleaned.extxyz")
    assert outcome.status == 1
    assert "configuration 1: dropped (spin has length 1.3, not 1)" in outcome.stdout
    assert "configuration 2: energy removed (energy is nan)" in outcome.stdout
    assert "configuration 3: moments removed (moment is -2.2 μB, must be positive)" in outcome.stdout
    assert "configuration 8: dropped (repeats configuration 0)" in outcome.stdout
    assert outcome.stdout.splitlines()[-1] == "7 of 9 configurations written to cleaned.extxyz"
    cleaned = read_dataset("cleaned.extxyz")
    kept = [small_dataset[k] for k in (0, 2, 3, 4, 5, 6, 7)]
    for mine, original in zip(cleaned, kept, strict=True):
        np.testing.assert_array_equal(mine.configuration.spins_ac, original.configuration.spins_ac)
    assert [item.energy is None for item in cleaned] == [False, True, *[False] * 5]
    assert [item.moment_magnitudes_a is None for item in cleaned] == [False, False, True, *[False] * 4]


def test_nothing_left_writes_nothing(desk):
    Path("bad.extxyz").write_text("1\nProperties=species:S:1:pos:R:3:spins:R:3\nFe 0 0 0 0 0 1\n")
    outcome = desk("data", "check", "bad.extxyz", "--clean", "cleaned.extxyz")
    assert outcome.status == 2
    assert "no configuration is left; cleaned.extxyz was not written" in outcome.stderr
    assert not Path("cleaned.extxyz").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("missing.extxyz",), "cannot read missing.extxyz: No such file"),
        (("cut.extxyz",), "truncated"),
        (("fit.yaml",), "expected a number of atoms"),
        (("train.extxyz", "--clean", "train.extxyz"), "input and output are the same"),
        (("train.extxyz", "--json", "train.extxyz"), "input and output are the same"),
        (("train.extxyz", "--json", "a", "--clean", "a"), "--clean and --json both name a"),
        (("train.extxyz", "--clean", "no/a"), "the folder no does not exist"),
    ],
)
def test_check_refuses(desk, words, said):
    Path("cut.extxyz").write_text("".join(Path("train.extxyz").read_text().splitlines(keepends=True)[:-1]))
    assert said in desk.refuses("data", "check", *words)


@pytest.mark.parametrize("command", ["convert", "check"])
def test_help_of_the_subcommands(desk, command):
    outcome = desk("data", command, "--help")
    assert outcome.status == 0
    assert f"Example:\n    soso data {command} " in outcome.stdout


def test_converted_files_have_usual_permissions(desk):
    desk("data", "convert", "train.extxyz", "-o", "set.deepmd")
    mask = os.umask(0)
    os.umask(mask)
    assert Path("set.deepmd").stat().st_mode & 0o777 == 0o777 & ~mask
