"""`soso evaluate`: every target, notes, figures and calibration."""

import json
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from soso_core.dataset import Dataset
from soso_core.formats import read_dataset, write_dataset
from soso_core.gp.assessment.evaluation import Evaluation
from soso_core.gp.model.model_file import load_model
from soso_core.labels import LabelledConfiguration, transverse

ERROR = 2.0
"""Errors of the labels below, in predicted standard deviations."""
CUBIC_STRESS = 0.01 * np.eye(3)
"""eV/Å³, added to every predicted stress."""
KEYS = {
    "energy": "energy_{}_meV_per_spin",
    "field": "field_{}_meV",
    "force": "force_{}_meV_per_angstrom",
    "moment": "moment_{}_muB",
}


def off_labels(model, train, n_copies=1):
    """Return labels of every kind that differ from the predictions by ERROR deviations, signs alternating."""
    rng = np.random.default_rng(3)
    items = []
    for item in [item for item in train for _ in range(n_copies)]:
        where = item.configuration
        moved = replace(where, positions_ac=where.positions_ac + 0.01 * rng.standard_normal((len(where), 3)))
        said = model.predict(moved, with_force_std=True)
        sign_ac = rng.choice([-1.0, 1.0], size=(len(where), 3))
        gradient_ac = transverse(
            said.effective_fields_ac + ERROR * sign_ac * said.effective_fields_std_ac, where.spins_ac
        )
        moment_magnitudes_a = said.moment_magnitudes_a + ERROR * sign_ac[:, 0] * said.moments_std_a
        items.append(
            LabelledConfiguration(
                moved,
                energy=said.energy + ERROR * sign_ac[0, 0] * said.energy_std,
                info={"engine": "these tests"},  # such energies hold no penalty
                exchange_fields_ac=gradient_ac / moment_magnitudes_a[:, None],
                moment_magnitudes_a=moment_magnitudes_a,
                forces_ac=said.forces_ac + ERROR * sign_ac * said.forces_std_ac,
                stress_cc=said.stress_cc + CUBIC_STRESS,
            )
        )
    return Dataset(tuple(items))


@pytest.fixture
def blind(desk, small_model, small_dataset):
    """A file blind.extxyz with labels of every kind that the model has not seen."""
    write_dataset("blind.extxyz", off_labels(small_model, small_dataset, n_copies=3))
    return read_dataset("blind.extxyz")


def evaluated(desk, model="model.soso", data="blind.extxyz"):
    outcome = desk("evaluate", model, data, "--json", "errors.json")
    assert (outcome.status, outcome.stderr) == (0, "")
    return outcome.stdout, json.loads(Path("errors.json").read_text())


def test_every_target_has_its_row(desk, blind):
    text, _ = evaluated(desk)
    rows = {line.split(",")[0].strip(): line for line in text.splitlines() if "," in line}
    assert list(rows) == ["energy", "-∂E/∂e", "force", "stress", "moment"]
    assert [rows[name].split()[1] for name in rows] == ["meV/spin", "meV", "meV/Å", "meV/Å³", "μB"]
    assert max(map(len, text.splitlines())) <= 80, "a row must not be folded in a terminal of 80 columns"


def test_errors_are_those_put_in(desk, blind):
    _, errors = evaluated(desk)
    for target in ("energy", "force", "moment"):
        error, expected = (errors[KEYS[target].format(what)] for what in ("rmse", "std"))
        # Rows of the file are exact to rounding of the labels; energies of -32 eV keep 1e-13 of their 1e-3.
        assert error == pytest.approx(ERROR * expected, rel=1e-8), target
    assert errors["stress_rmse_meV_per_angstrom3"] == pytest.approx(1e3 * np.sqrt(3 / 6) * CUBIC_STRESS[0, 0], rel=1e-8)
    assert errors["field_rmse_meV"] > errors["field_std_meV"]


def test_size_of_the_labels_and_relative_error(desk, blind):
    text, errors = evaluated(desk)
    forces = np.concatenate([item.forces_ac for item in blind])
    energies = np.array([item.energy_per_spin for item in blind])
    size = 1e3 * np.sqrt(np.mean(forces**2))
    assert errors["force_rms_meV_per_angstrom"] == pytest.approx(size, rel=1e-12)
    assert errors["energy_spread_meV_per_spin"] == pytest.approx(1e3 * np.std(energies), rel=1e-9)
    (row,) = (line for line in text.splitlines() if line.strip().startswith("force,"))
    assert f"{100 * errors['force_rmse_meV_per_angstrom'] / size:.1f}" in row.split()


def test_spread_leaves_out_what_composition_says(desk, small_dataset, alloy_dataset):
    """Energies of two compositions differ by electronvolts; an error is compared with what varies within each."""
    mixed = Dataset(small_dataset.labelled + alloy_dataset.labelled)
    write_dataset("mixed.extxyz", mixed)
    assert desk("fit", "mixed.extxyz", "-o", "mixed.soso", "--settings", "fit.yaml").status == 0
    _, before = evaluated(desk, "mixed.soso", "mixed.extxyz")
    shifted = [replace(item, energy=item.energy + 100.0 * np.sum(item.configuration.numbers_a == 32)) for item in mixed]
    write_dataset("shifted.extxyz", shifted)
    _, after = evaluated(desk, "mixed.soso", "shifted.extxyz")
    # 400 eV a cell are taken off again: 1e-12 of them, in meV.
    assert after["energy_spread_meV_per_spin"] == pytest.approx(before["energy_spread_meV_per_spin"], abs=1e-6)
    assert before["energy_spread_meV_per_spin"] < 100.0


def test_a_target_without_labels_has_no_row(desk, small_dataset):
    energies = [LabelledConfiguration(item.configuration, energy=item.energy) for item in small_dataset]
    write_dataset("energies.extxyz", energies)
    text, errors = evaluated(desk, data="energies.extxyz")
    assert "-∂E/∂e" not in text
    assert "force" not in text
    assert errors["force_rmse_meV_per_angstrom"] is None
    assert errors["field_std_meV"] is None
    assert list(errors["reliability"]) == ["energy"]


def test_forces_alone_can_be_compared(desk, blind):
    write_dataset("forces.extxyz", [LabelledConfiguration(i.configuration, forces_ac=i.forces_ac) for i in blind])
    _, errors = evaluated(desk, data="forces.extxyz")
    assert errors["n_labels"] == {"force": 12 * len(blind)}
    assert errors["energy_rmse_meV_per_spin"] is None


def test_moments_are_nothing_to_a_model_without_them(desk, small_dataset):
    write_dataset("energies.extxyz", [LabelledConfiguration(i.configuration, energy=i.energy) for i in small_dataset])
    write_dataset(
        "lengths.extxyz",
        [LabelledConfiguration(i.configuration, moment_magnitudes_a=i.moment_magnitudes_a) for i in small_dataset],
    )
    assert desk("fit", "energies.extxyz", "-o", "e.soso", "--settings", "fit.yaml").status == 0
    assert "nothing to compare with" in desk.refuses("evaluate", "e.soso", "lengths.extxyz")
    _, errors = evaluated(desk, data="lengths.extxyz")
    assert errors["moment_rmse_muB"] is not None


def test_the_file_is_an_evaluation(desk, blind):
    _, errors = evaluated(desk)
    evaluation = Evaluation.model_validate(errors)
    assert evaluation.n_trained_on == 0
    assert evaluation.pair_only is not None
    curve = evaluation.reliability["force"]
    assert curve.n_labels == evaluation.n_labels["force"]
    # Every error is ERROR deviations, so each is inside an interval that is expected to hold 95.45 % and in none below.
    assert set(curve.observed) == {0.0}
    assert curve.coverage_90 == 0.0


def test_labels_seen_in_training_are_counted(desk, small_dataset, blind):
    write_dataset("some.extxyz", small_dataset.labelled[:3] + blind.labelled[:2])
    text, errors = evaluated(desk, data="some.extxyz")
    said = "note: the model was fitted to 3 of 5 configurations of some.extxyz; errors on those are not blind"
    assert said in text.splitlines()
    assert errors["n_trained_on"] == 3
    text, errors = evaluated(desk)
    assert "note:" not in text
    assert errors["n_trained_on"] == 0


def test_energies_nobody_taught_are_a_note(desk, small_dataset):
    names = ("exchange_fields_ac", "moment_magnitudes_a")
    fields = [LabelledConfiguration(i.configuration, **{n: getattr(i, n) for n in names}) for i in small_dataset]
    write_dataset("fields.extxyz", fields)
    assert desk("fit", "fields.extxyz", "-o", "f.soso", "--settings", "fit.yaml").status == 0
    text, _ = evaluated(desk, "f.soso", "train.extxyz")
    assert (
        "note: the model was fitted to no energies; its energies are known up to a constant only" in text.splitlines()
    )


def test_calibration_makes_the_interval_true(desk, small_model, blind):
    outcome = desk("evaluate", "model.soso", "blind.extxyz", "--calibrate", "calibrated.soso")
    assert (outcome.status, outcome.stderr) == (0, "")
    calibrated = load_model("calibrated.soso")
    for target, n_labels in (("force", 12 * len(blind)), ("moment", 4 * len(blind)), ("energy", len(blind))):
        # 90 % of the errors must be within 1.645 new deviations; the prior has the weight of 5.
        whole = ERROR / 1.6448536 * small_model.calibration_factor(target)
        expected = np.sqrt((n_labels * whole**2 + 5) / (n_labels + 5))
        assert calibrated.calibration_factor(target) == pytest.approx(expected, rel=1e-6), target
    _, before = evaluated(desk)
    _, after = evaluated(desk, "calibrated.soso")
    assert after["force_rmse_meV_per_angstrom"] == before["force_rmse_meV_per_angstrom"]
    assert after["force_std_meV_per_angstrom"] > 1.1 * before["force_std_meV_per_angstrom"]
    np.testing.assert_array_equal(calibrated.weights_m, small_model.weights_m)
    assert calibrated.record == small_model.record


def test_a_factor_at_its_limit_is_noted(desk, small_model, blind):
    off = [replace(item, forces_ac=item.forces_ac + 100.0, stress_cc=CUBIC_STRESS) for item in blind]
    write_dataset("off.extxyz", off)
    text = desk("evaluate", "model.soso", "off.extxyz", "--calibrate", "c.soso").stdout
    noted = [line for line in text.splitlines() if line.startswith("note:")]
    assert noted == ["note: force: at the limit of 5: the model, not its error bars, is wrong"]
    table = text[text.index("calibration factors") :]
    assert [line.split()[0] for line in table.splitlines()[4:8]] == ["energy", "field", "force", "moment"]
    assert "stress" not in table


def test_a_target_without_blind_labels_keeps_its_calibration(desk, small_model, blind):
    write_dataset("forces.extxyz", [LabelledConfiguration(i.configuration, forces_ac=i.forces_ac) for i in blind])
    assert desk("evaluate", "model.soso", "forces.extxyz", "--calibrate", "c.soso").status == 0
    calibrated = load_model("c.soso")
    assert calibrated.calibration_factor("energy") == small_model.calibration_factor("energy")
    assert calibrated.calibration_factor("force") != small_model.calibration_factor("force")


def test_calibration_refuses_labels_of_the_training(desk, small_dataset, blind):
    write_dataset("some.extxyz", (*blind.labelled[:2], small_dataset[4]))
    said = desk.refuses("evaluate", "model.soso", "some.extxyz", "--calibrate", "c.soso", "--json", "e.json")
    assert "some.extxyz, configuration 2: the model was fitted to it (1 of 3)" in said


def test_a_picture_has_the_format_of_its_name(desk, blind):
    for name in ("errors.png", "errors.svg", "errors.pdf", "upper.PNG"):
        outcome = desk("evaluate", "model.soso", "blind.extxyz", "--plot", name)
        assert (outcome.status, outcome.stderr) == (0, "")
        assert f"drawn in {name}" in outcome.stdout
    height, width, _ = matplotlib.image.imread("errors.png").shape
    assert width > height > 1000, "two rows of three panels"
    assert Path("upper.PNG").read_bytes().startswith(b"\x89PNG")
    assert Path("errors.pdf").read_bytes().startswith(b"%PDF")
    assert Path("errors.svg").read_text().lstrip().startswith("<?xml")
    assert not [name for name in desk.names() if "tmp" in name]


def test_bad_outputs_are_refused_before_the_work(desk):
    assert "its name must end in .png, .svg or .pdf" in desk.refuses("evaluate", "model.soso", "x", "--plot", "e.gif")
    assert "its name must end in" in desk.refuses("evaluate", "model.soso", "train.extxyz", "--plot", "errors")
    words = ("evaluate", "model.soso", "train.extxyz")
    assert "the folder nowhere does not exist" in desk.refuses(*words, "--plot", "nowhere/e.png")
    assert "input and output are the same" in desk.refuses(*words, "--calibrate", "model.soso")
    assert "--json and --plot both name e.png" in desk.refuses(*words, "--json", "e.png", "--plot", "./e.png")
