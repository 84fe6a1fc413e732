"""`soso fit`: settings between which the evidence chooses, and --update."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from spin_cells import complete_dataset, skewed_iron

from soso_core import Configuration, LabelledConfiguration
from soso_core.formats import read_dataset, write_dataset
from soso_core.gp.inference.regression import update
from soso_core.gp.model.model_file import load_model

THREE_BODY = {
    "pair": {"cutoff_angstrom": 3.5, "n_max": 3, "lambda_max": 1},
    "descriptor": None,
    "three_body": {"cutoff_angstrom": 3.3, "n_max": 2, "l_max": 1, "decay": 2.0},
    "zeta": 2,
    "n_inducing": 4,
}


@pytest.fixture
def iron(desk):
    """A desk with complete labels: old.extxyz, new.extxyz, and settings with a three-body part alone."""
    write_dataset("old.extxyz", complete_dataset([skewed_iron(seed) for seed in range(4)]))
    write_dataset("new.extxyz", complete_dataset([skewed_iron(seed) for seed in range(3, 7)]))
    Path("three.yaml").write_text(yaml.safe_dump(THREE_BODY))
    return desk


def fitted(desk, *more):
    outcome = desk("fit", "old.extxyz", "-o", "m.soso", "--settings", "three.yaml", *more)
    assert (outcome.status, outcome.stderr) == (0, "")
    return outcome.stdout


def table_rows(text, first):
    return [line.split() for line in text.splitlines() if line.strip().startswith(first)]


def test_null_leaves_a_part_out(iron):
    text = fitted(iron)
    model = load_model("m.soso")
    assert model.basis.settings.descriptor is None
    assert model.basis.settings.three_body.n_max == 2
    for word in ("noise, force", "noise, stress", "noise, moment", "prior, gp 1-1 1-P1", "calibration factor, stress"):
        assert word in text, word
    # One choice is left: there was nothing to compare.
    assert "compared by log evidence" not in text
    # Settings are shown as in a file.
    assert table_rows(text, "descriptor") == [["descriptor", "null"]]
    assert "1-1, 1-P1, P1-P1, vector-vector" in text
    assert table_rows(text, "noise, moment")[0][-1] == "μB"


def test_both_parts_null_are_refused(iron):
    Path("none.yaml").write_text(yaml.safe_dump(THREE_BODY | {"three_body": None}))
    assert "the GP needs one of them" in iron.refuses("fit", "old.extxyz", "-o", "m.soso", "--settings", "none.yaml")


def test_what_the_file_leaves_open_is_compared(iron):
    """The decay is not in the file: three of the six choices remain; the first is taken unless clearly worse."""
    open_settings = THREE_BODY | {"three_body": {"cutoff_angstrom": 3.3, "n_max": 2, "l_max": 1}}
    Path("three.yaml").write_text(yaml.safe_dump(open_settings))
    text = fitted(iron)
    table = text[text.index("compared by log evidence") :].split("settings\n")[0]
    rows = [line.split() for line in table.splitlines() if line.split() and line.split()[0] in ("2", "4", "6")]
    assert [row[0] for row in rows] == ["2", "4", "6"]
    assert max(float(row[1]) for row in rows) == 0.0
    chosen = [row for row in rows if row[-1] == "chosen"]
    assert len(chosen) == 1
    assert chosen[0] == rows[0] or float(chosen[0][1]) == 0.0
    assert load_model("m.soso").basis.settings.three_body.decay == float(chosen[0][0])


def test_update_adds_what_is_new(iron):
    fitted(iron)
    outcome = iron("fit", "new.extxyz", "-o", "more.soso", "--update", "m.soso")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert "3 of 4 configurations are new to the model" in outcome.stdout
    assert "model of 7 configurations written to more.soso" in outcome.stdout
    old, more = load_model("m.soso"), load_model("more.soso")
    assert more.basis.settings == old.basis.settings
    np.testing.assert_array_equal(more.basis.inducing.points.x_af, old.basis.inducing.points.x_af)
    assert more.record.digests[:4] == old.record.digests
    expected = update(old, complete_dataset([skewed_iron(seed) for seed in range(4, 7)]))
    cell = skewed_iron(50)
    mine, direct = more.predict(cell), expected.predict(cell)
    # Text of the data carries all digits but the last bits.
    assert mine.energy == pytest.approx(direct.energy, abs=1e-7)
    assert mine.energy_model_std == pytest.approx(direct.energy_model_std, rel=1e-5)
    assert mine.energy_model_std < old.predict(cell).energy_model_std


def test_an_update_with_nothing_new_is_the_same_model(iron):
    text = fitted(iron)
    outcome = iron("fit", "old.extxyz", "-o", "same.soso", "--update", "m.soso")
    assert text[text.index("hyperparameters") : text.index("model of")] in outcome.stdout
    assert "0 of 4 configurations are new to the model" in outcome.stdout
    assert Path("same.soso").read_bytes() == Path("m.soso").read_bytes()


def test_an_update_keeps_its_settings(iron):
    fitted(iron)
    words = ("fit", "new.extxyz", "-o", "more.soso", "--update", "m.soso")
    assert "--update keeps the settings" in iron.refuses(*words, "--settings", "three.yaml")


def test_an_update_refuses_what_the_model_has_never_seen(iron):
    """The desk's own model knows energies, fields and moments only."""
    assert "hold force labels" in iron.refuses("fit", "new.extxyz", "-o", "more.soso", "--update", "model.soso")


def test_an_update_does_not_write_over_the_old_model(iron):
    fitted(iron)
    iron.refuses("fit", "new.extxyz", "-o", "m.soso", "--update", "m.soso")


def test_predictions_carry_every_deviation(iron):
    fitted(iron)
    assert iron("predict", "m.soso", "new.extxyz", "-o", "out.extxyz").status == 0
    text = Path("out.extxyz").read_text()
    for column in ("exchange_fields_std:R:3", "forces_std:R:3", "moments_std:R:1", "energy_std="):
        assert column in text


def test_moments_of_a_species_that_never_had_one(iron):
    """Lengths of iron are known, those of the other species are not: given ones, or a warning."""
    cell, other = skewed_iron(20), skewed_iron(21)
    alloys = [Configuration([26, 32, 32, 26], c.positions_ac, c.cell_vc, c.spins_ac) for c in (cell, other)]
    known = [
        LabelledConfiguration(i.configuration, i.energy, moment_magnitudes_a=i.moment_magnitudes_a)
        for i in complete_dataset([cell])
    ]
    bare = [LabelledConfiguration(item.configuration, item.energy) for item in complete_dataset(alloys)]
    write_dataset("old.extxyz", [*known, *bare])
    fitted(iron)
    assert np.isnan(load_model("m.soso").references.moments_s[1])
    write_dataset("given.extxyz", [LabelledConfiguration(alloys[0], moment_magnitudes_a=np.full(4, 0.7))])
    write_dataset("bare.extxyz", [LabelledConfiguration(alloys[0])])
    for data, expected, warned in (("given", 0.7, False), ("bare", 1.0, True)):
        outcome = iron("predict", "m.soso", f"{data}.extxyz", "-o", "out.extxyz")
        assert outcome.status == 0
        assert ("2 atoms have no known moment magnitude" in outcome.stderr) == warned
        predicted = read_dataset("out.extxyz")[0]
        np.testing.assert_allclose(predicted.moment_magnitudes_a[1:3], expected)
        assert np.all(predicted.moment_magnitudes_a[[0, 3]] > 1.5)
        assert np.isfinite(predicted.exchange_fields_ac).all()


def test_labels_that_do_not_belong_together_are_noted(iron):
    """Fields fifty times too large and turned round are not those of the energies."""
    assert "RMSE is no better" not in fitted(iron)
    old = read_dataset("old.extxyz")
    write_dataset("old.extxyz", [replace(item, exchange_fields_ac=-50.0 * item.exchange_fields_ac) for item in old])
    assert "note: the field RMSE is no better than predicting zero" in fitted(iron)
