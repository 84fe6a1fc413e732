"""Bad input: one line that says what is wrong, exit status 2, nothing touched."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

DATA_COMMANDS = {
    "label": ("label", "tight-binding", "bad.extxyz", "-o", "out"),
    "fit": ("fit", "bad.extxyz", "-o", "out"),
    "predict": ("predict", "model.soso", "bad.extxyz", "-o", "out"),
    "evaluate": ("evaluate", "model.soso", "bad.extxyz", "--json", "out"),
}
HEADER = (
    'Lattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:spins:R:3:moments:R:1:exchange_fields:R:3 energy=-1.0 '
)
ROW = "Fe 0 0 0 0 0 1 2.2 0.1 0 0\n"
FRAME = f'1\n{HEADER}pbc="T T T"\n{ROW}'
BAD_DATA = {
    "spin of length 1.3": (FRAME.replace("0 0 1 2.2", "0 0 1.3 2.2"), "configuration 0: spin of atom 0 has length 1.3"),
    "second frame": (FRAME + FRAME.replace("0 0 1 2.2", "0 0 1.3 2.2"), "configuration 1: spin of atom 0"),
    "NaN position": (FRAME.replace("Fe 0 0 0", "Fe 0 nan 0"), "position of atom 0 is nan"),
    "text for a number": (FRAME.replace("Fe 0 0 0", "Fe 0 zero 0"), "zero"),
    "missing column": (FRAME.replace("spins:R:3", "other:R:3"), "column 'spins' is missing"),
    "missing value": (FRAME.replace("0.1 0 0\n", "0.1 0\n"), "bad.extxyz, line 3 (configuration 0): 10 columns"),
    "value too many": (FRAME.replace("0.1 0 0\n", "0.1 0 0 7\n"), "12 columns, Properties announce 11"),
    "empty": ("", "bad.extxyz is empty"),
    "blank": ("\n\n", "bad.extxyz is empty"),
    "truncated": (FRAME + "2\n" + HEADER + "\n" + ROW, "truncated"),
    "no atoms": (f'0\n{HEADER}pbc="T T T"\n', "at least one atom"),
    "not periodic": (FRAME.replace("T T T", "T T F"), "only fully periodic cells"),
    "no cell": (FRAME.replace('Lattice="3 0 0 0 3 0 0 0 3"', ""), "cell volume is 0"),
    "flat cell": (FRAME.replace("0 0 0 3 0 0 0 3", "0 0 0 3 0 0 0 0"), "cell volume is 0"),
    "unknown element": (FRAME.replace("Fe", "Qq"), "Qq"),
    "prose": ("Dear reader,\nthis is not a crystal.\n", "expected a number of atoms"),
    "binary": (bytes(range(128, 256)), "not a text file"),
}
BAD_LABELS = {
    "NaN energy": (FRAME.replace("energy=-1.0", "energy=nan"), "energy is nan"),
    "text for energy": (FRAME.replace("energy=-1.0", "energy=low"), "energy"),
    "NaN field": (FRAME.replace("0.1 0 0", "0.1 nan 0"), "exchange_fields of atom 0 is nan"),
    "fields without lengths": (FRAME.replace("moments:R:1", "other:R:1"), "need the column 'moments'"),
    "negative length": (FRAME.replace("2.2", "-2.2"), "moment of magnetic atom 0 is -2.2"),
}


def write(name, content):
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("command", DATA_COMMANDS)
@pytest.mark.parametrize("fault", BAD_DATA)
def test_bad_configurations(desk, command, fault):
    content, said = BAD_DATA[fault]
    write("bad.extxyz", content)
    assert said in desk.refuses(*DATA_COMMANDS[command])


@pytest.mark.parametrize("command", ["fit", "evaluate"])
@pytest.mark.parametrize("fault", BAD_LABELS)
def test_bad_labels(desk, command, fault):
    content, said = BAD_LABELS[fault]
    write("bad.extxyz", content)
    assert said in desk.refuses(*DATA_COMMANDS[command])


@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_missing_data(desk, command):
    assert "cannot read bad.extxyz: No such file" in desk.refuses(*DATA_COMMANDS[command])


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_an_element_the_model_does_not_know(desk, command):
    write("bad.extxyz", FRAME + FRAME.replace("Fe", "Co"))
    assert "bad.extxyz, configuration 1: element Co is unknown" in desk.refuses(*DATA_COMMANDS[command])


def test_nothing_to_fit(desk):
    assert "nothing to fit" in desk.refuses("fit", "batch.extxyz", "-o", "out")


def test_no_spin_to_fit(desk):
    write("bad.extxyz", FRAME.replace("0 0 1 2.2 0.1 0 0", "0 0 0 0 0 0 0"))
    assert "bad.extxyz: no atom carries a spin" in desk.refuses("fit", "bad.extxyz", "-o", "out")


def test_nothing_to_compare_with(desk):
    said = desk.refuses("evaluate", "model.soso", "batch.extxyz", "--json", "out")
    assert "batch.extxyz: nothing to compare with" in said


MODEL_COMMANDS = {
    "predict": ("predict", "bad.soso", "batch.extxyz", "-o", "out"),
    "evaluate": ("evaluate", "bad.soso", "train.extxyz", "--json", "out"),
    "explore": ("explore", "bad.soso", "explore.yaml", "-o", "out"),
}


@pytest.mark.parametrize("command", MODEL_COMMANDS)
@pytest.mark.parametrize("fault", ["truncated", "foreign", "npz of others", "empty", "missing", "folder"])
def test_bad_models(desk, command, fault):
    said = "not a SOSO model"
    if fault == "truncated":
        write("bad.soso", Path("model.soso").read_bytes()[:2000])
    elif fault == "foreign":
        write("bad.soso", Path("train.extxyz").read_bytes())
    elif fault == "npz of others":
        with open("bad.soso", "wb") as handle:
            np.savez(handle, weights=np.zeros(3))
    elif fault == "empty":
        write("bad.soso", b"")
    elif fault == "folder":
        Path("bad.soso").mkdir()
        said = "Is a directory"
    else:
        said = "No such file"
    assert said in desk.refuses(*MODEL_COMMANDS[command])


SETTINGS_COMMANDS = {
    "label": ("label", "tight-binding", "batch.extxyz", "-o", "out", "--settings", "bad.yaml"),
    "fit": ("fit", "train.extxyz", "-o", "out", "--settings", "bad.yaml"),
    "generate": ("generate", "bad.yaml", "-o", "out"),
    "explore": ("explore", "model.soso", "bad.yaml", "-o", "out"),
}


@pytest.mark.parametrize("command", SETTINGS_COMMANDS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("colour: red\nstructure: iron.cif\n", "unknown key 'colour'; known keys: "),
        ("- 1\n- 2\n", "bad.yaml: expected keys and values"),
        ("[]\n", "bad.yaml: expected keys and values"),
        ("just words\n", "bad.yaml: expected keys and values"),
        ("seed: 1\nseed: 2\n", "key 'seed' is given twice"),
        ("a: {b: 1, b: 1}\n", "key 'b' is given twice"),
        ("a: [\n", "not valid YAML"),
        (b"\xff\xfe\x00", "bad.yaml"),
        (None, "cannot read bad.yaml: No such file"),
    ],
)
def test_bad_settings_files(desk, command, content, said):
    if content is not None:
        write("bad.yaml", content)
    assert said in desk.refuses(*SETTINGS_COMMANDS[command])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"structure": "nowhere.cif"}, r"cannot read structure nowhere\.cif: no such file"),
        ({"structure": "."}, "not a file"),
        ({"structure": "fit.yaml"}, r"cannot read structure fit\.yaml"),
        ({"structure": "molecule.xyz"}, "only fully periodic"),
        ({"supercell": [2, "x", 2]}, r"supercell\.1"),
        ({"supercell": [0, 1, 1]}, r"supercell\.0"),
        ({"n_select": 13}, "n_select is 13, but n_candidates only 12"),
        ({"n_select": 0}, "n_select"),
        ({"seed": -1}, "seed"),
        ({"seed": True}, "seed: true and false are not allowed"),
        ({"supercell": [2, True, 1]}, "supercell: true and false are not allowed"),
        ({"generators": [{"kind": "cone", "weight": True}]}, r"generators\.0\.weight: true and false"),
        ({"magnetic_species": ["Ni"]}, "no 'Ni' in the structure"),
        ({"magnetic_species": []}, "magnetic_species is empty"),
        ({"generators": []}, "generators"),
        ({"generators": [{"kind": "whirl"}]}, r"generators\.0\.kind"),
        ({"generators": [{"kind": "cone", "magnetisations": [1.0]}]}, "magnetisations"),
        ({"generators": [{"kind": "cone", "magnetisations": []}]}, "magnetisations"),
    ],
)
@pytest.mark.parametrize("command", ["generate", "explore"])
def test_bad_exploration(desk, command, values, said):
    write("molecule.xyz", "1\n\nFe 0 0 0\n")
    settings = yaml.safe_load(Path("explore.yaml").read_text())
    write("bad.yaml", yaml.safe_dump(settings | values))
    assert re.search(said, desk.refuses(*SETTINGS_COMMANDS[command]))


def test_missing_structure_key(desk):
    write("bad.yaml", "n_select: 3\n")
    assert "structure" in desk.refuses("generate", "bad.yaml", "-o", "out")


@pytest.mark.parametrize("value", ["'four'", "0", "2.5", "null"])
def test_bad_fit_settings(desk, value):
    write("bad.yaml", f"descriptor:\n  n_max: {value}\n")
    assert "descriptor.n_max" in desk.refuses("fit", "train.extxyz", "-o", "out", "--settings", "bad.yaml")


@pytest.mark.parametrize("part", ["pair", "descriptor"])
def test_a_taper_longer_than_the_cutoff(desk, part):
    write("bad.yaml", f"{part}: {{cutoff_angstrom: 2.0, taper_angstrom: 2.0}}\n")
    said = desk.refuses("fit", "train.extxyz", "-o", "out", "--settings", "bad.yaml")
    assert f"bad.yaml: {part}: taper_angstrom must be smaller than cutoff_angstrom, not 2 and 2\n" in said


def test_a_boolean_where_one_belongs(desk):
    write("bad.yaml", "k_shifted: true\nmax_iterations: true\n")
    said = desk.refuses("label", "tight-binding", "batch.extxyz", "-o", "out", "--settings", "bad.yaml")
    assert "max_iterations: true and false" in said


def test_unknown_engine(desk):
    said = desk.refuses("label", "crystal-ball", "batch.extxyz", "-o", "out")
    assert "unknown engine 'crystal-ball'; available: tight-binding" in said


OUTPUT_COMMANDS = {
    "label": ("label", "tight-binding", "batch.extxyz", "-o"),
    "fit": ("fit", "train.extxyz", "-o"),
    "predict": ("predict", "model.soso", "batch.extxyz", "-o"),
    "evaluate": ("evaluate", "model.soso", "train.extxyz", "--json"),
    "generate": ("generate", "explore.yaml", "-o"),
    "explore": ("explore", "model.soso", "explore.yaml", "-o"),
}


@pytest.mark.parametrize("command", OUTPUT_COMMANDS)
def test_bad_outputs(desk, command):
    words = OUTPUT_COMMANDS[command]
    Path("folder").mkdir()
    assert "it is a folder" in desk.refuses(*words, "folder")
    assert "the folder nowhere does not exist" in desk.refuses(*words, "nowhere/out")
    assert "the folder fit.yaml does not exist" in desk.refuses(*words, "fit.yaml/out")
    given = next(word for word in words[1:-1] if Path(word).exists())
    assert "input and output are the same" in desk.refuses(*words, given)


@pytest.mark.parametrize("command", OUTPUT_COMMANDS)
def test_folder_without_permission(desk, command, monkeypatch):
    locked = Path("locked")
    locked.mkdir()
    if os.geteuid() == 0:  # root may write anywhere, so only the answer to the question is changed
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != locked)
    else:
        locked.chmod(0o500)
    assert "no permission to write in locked" in desk.refuses(*OUTPUT_COMMANDS[command], "locked/out")


def test_usage_errors_are_one_line_too(desk):
    assert "Missing option '-o'" in desk.refuses("fit", "train.extxyz")
    assert "No such command 'fitt'" in desk.refuses("fitt")
    assert "--seed" in desk.refuses("fit", "train.extxyz", "-o", "out", "--seed", "many")
    assert "--seed" in desk.refuses("fit", "train.extxyz", "-o", "out", "--seed", "-1")
