"""What each command writes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
import yaml

from soso_core import __version__
from soso_core.active.selection import batch
from soso_core.app.cli import COMMANDS
from soso_core.dataset import Dataset
from soso_core.formats import read_configurations, read_dataset, write_dataset
from soso_core.gp.assessment.evaluation import evaluate
from soso_core.gp.inference.regression import choose
from soso_core.gp.model.fitted import FittedModel
from soso_core.gp.model.model_file import load_model, save_model
from soso_core.labels import LabelledConfiguration


def only(dataset, *names):
    """Return the same configurations with these labels alone."""
    return Dataset(
        tuple(LabelledConfiguration(item.configuration, **{n: getattr(item, n) for n in names}) for item in dataset)
    )


def test_version(desk):
    assert desk("--version").stdout.strip() == f"soso, version {__version__}"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_an_example(desk, command):
    outcome = desk(command, "--help")
    assert outcome.status == 0
    assert re.search(f"Examples?:\n    soso {command} ", outcome.stdout)


def test_help_lists_every_command_with_a_whole_sentence(desk):
    text = desk("--help").stdout
    assert all(f"\n  {command} " in text for command in COMMANDS)
    assert "..." not in text.split("Commands:")[1]


def test_without_arguments_it_shows_help_and_fails(desk):
    outcome = desk()
    assert outcome.status == 2
    assert outcome.stderr.startswith("Usage: soso")


def test_fit_writes_the_model_and_tells_what_it_did(desk, small_dataset, small_model):
    expected, _ = choose(small_dataset, [small_model.basis.settings], np.random.default_rng(0))
    save_model("expected.soso", expected)
    outcome = desk("fit", "train.extxyz", "-o", "new.soso", "--settings", "fit.yaml", "--seed", "0")
    assert outcome.status == 0
    assert outcome.stderr == ""
    for word in (
        "n_inducing",
        "prior, gp",
        "noise, energy",
        "noise, moment",
        "field scale",
        "calibration factor, field",
        "meV/√spin",
        "pair-only",
        "meV/spin",
        "new.soso",
    ):
        assert word in outcome.stdout
    assert Path("new.soso").read_bytes() == Path("expected.soso").read_bytes()


def test_fit_chooses_what_the_settings_leave_out(desk):
    Path("some.yaml").write_text("zeta: 1\npair: {n_max: 6}\n")
    assert desk("fit", "train.extxyz", "-o", "a.soso").status == 0
    assert desk("fit", "train.extxyz", "-o", "b.soso", "--settings", "some.yaml").status == 0
    chosen, given = (load_model(name).basis.settings for name in ("a.soso", "b.soso"))
    assert (given.zeta, given.pair.n_max) == (1, 6)
    assert given.descriptor == chosen.descriptor
    assert given.pair.cutoff_angstrom == chosen.pair.cutoff_angstrom
    assert given.n_inducing == chosen.n_inducing


def test_the_seed_draws_the_inducing_points(desk):
    for seed in (1, 2):
        desk("fit", "train.extxyz", "-o", f"{seed}.soso", "--settings", "fit.yaml", "--seed", seed)
    first, second = load_model("1.soso"), load_model("2.soso")
    assert not np.array_equal(first.basis.inducing.points.x_af, second.basis.inducing.points.x_af)


def test_evaluate_writes_the_numbers_of_evaluate(desk, small_model, small_dataset):
    outcome = desk("evaluate", "model.soso", "train.extxyz", "--json", "errors.json")
    assert outcome.status == 0
    expected = json.loads(evaluate(small_model, small_dataset).model_dump_json())
    assert json.loads(Path("errors.json").read_text()) == expected
    assert set(expected["pair_only"]) | {"pair_only"} == set(expected)
    assert f"{expected['field_rmse_meV']:.3f}" in outcome.stdout


@pytest.mark.parametrize(
    ("labels", "missing"),
    [
        (("energy",), "field_rmse_meV"),
        (("exchange_fields_ac", "moment_magnitudes_a"), "energy_rmse_meV_per_spin"),
    ],
)
def test_partial_labels_are_welcome_everywhere(desk, small_dataset, labels, missing):
    write_dataset("part.extxyz", only(small_dataset, *labels))
    assert desk("fit", "part.extxyz", "-o", "part.soso", "--settings", "fit.yaml").status == 0
    assert desk("evaluate", "part.soso", "part.extxyz", "--json", "errors.json").status == 0
    errors = json.loads(Path("errors.json").read_text())
    assert errors[missing] is None
    assert errors["pair_only"][missing] is None
    assert desk("predict", "part.soso", "part.extxyz", "-o", "out.extxyz").status == 0
    assert desk("explore", "part.soso", "explore.yaml", "-o", "next.extxyz").status == 0
    assert len(read_configurations("next.extxyz")) == 4


def test_a_fit_to_fields_alone_says_what_it_does_not_know(desk, small_dataset):
    write_dataset("fields.extxyz", only(small_dataset, "exchange_fields_ac", "moment_magnitudes_a"))
    said = "note: the data contain no energies; those of the model are known up to a constant only"
    assert said in desk("fit", "fields.extxyz", "-o", "a.soso", "--settings", "fit.yaml").stdout.splitlines()
    assert "note:" not in desk("fit", "train.extxyz", "-o", "b.soso", "--settings", "fit.yaml").stdout


def test_a_fit_says_which_repeats_it_left_out(desk, small_dataset):
    write_dataset("twice.extxyz", small_dataset.labelled * 2)
    said = f"note: twice.extxyz repeats {len(small_dataset)} of its configurations exactly; each counts once"
    assert said in desk("fit", "twice.extxyz", "-o", "a.soso", "--settings", "fit.yaml").stdout.splitlines()


def test_predictions_replace_labels_and_keep_the_rest(desk, small_model):
    frames = ase.io.read("train.extxyz", ":")
    for frame in frames:
        frame.calc.results["energy"] = 12345.0
        frame.info["source"] = "somewhere"
        frame.set_array("site", np.arange(4))
    ase.io.write("other.extxyz", frames)
    assert desk("predict", "model.soso", "other.extxyz", "-o", "out.extxyz").status == 0
    for item, frame in zip(read_dataset("out.extxyz"), ase.io.read("out.extxyz", ":"), strict=True):
        predicted = small_model.predict(item.configuration)
        assert item.energy == pytest.approx(predicted.energy, abs=1e-12)
        assert frame.info["energy_std"] == pytest.approx(predicted.energy_std, rel=1e-12)
        assert frame.info["source"] == "somewhere"
        np.testing.assert_array_equal(frame.arrays["site"], np.arange(4))
        np.testing.assert_allclose(item.effective_fields_ac, predicted.effective_fields_ac, atol=1e-14)
        std_ac = frame.arrays["exchange_fields_std"] * frame.arrays["moments"][:, None]
        np.testing.assert_allclose(std_ac, predicted.effective_fields_std_ac, atol=1e-14)
        np.testing.assert_allclose(item.forces_ac, predicted.forces_ac, atol=1e-14)
        np.testing.assert_allclose(item.stress_cc, predicted.stress_cc, atol=1e-14)


def test_moments_are_predicted_or_given_or_the_mean_or_warned_of(desk, small_dataset, small_model):
    moment_magnitudes_a = np.array([1.0, 2.0, 3.0, 4.0])
    own = [LabelledConfiguration(item.configuration, moment_magnitudes_a=moment_magnitudes_a) for item in small_dataset]
    write_dataset("own.extxyz", own)
    write_dataset("bare.extxyz", only(small_dataset))
    write_dataset("energies.extxyz", only(small_dataset, "energy"))
    desk("fit", "energies.extxyz", "-o", "no_lengths.soso", "--settings", "fit.yaml")
    save_model("means.soso", replace(small_model, moment_model=None))
    for model, data, expected, warned in (
        ("model.soso", "own.extxyz", np.full(4, 2.2), False),
        ("model.soso", "bare.extxyz", np.full(4, 2.2), False),
        ("means.soso", "own.extxyz", moment_magnitudes_a, False),
        ("means.soso", "bare.extxyz", np.full(4, 2.2), False),
        ("no_lengths.soso", "own.extxyz", moment_magnitudes_a, False),
        ("no_lengths.soso", "bare.extxyz", np.ones(4), True),
    ):
        outcome = desk("predict", model, data, "-o", "out.extxyz")
        assert outcome.status == 0
        assert ("soso: warning: " in outcome.stderr) == warned
        fitted = load_model(model)
        for item in read_dataset("out.extxyz"):
            # All training magnitudes are equal to their mean; rounding of text.
            np.testing.assert_allclose(item.moment_magnitudes_a, expected, rtol=1e-12)
            np.testing.assert_allclose(
                item.effective_fields_ac, fitted.predict(item.configuration).effective_fields_ac, atol=1e-14
            )


def test_predict_does_not_stumble_over_labels_it_replaces(desk):
    text = (
        Path("train.extxyz").read_text().replace("moments:R:1", "something:R:1").replace("energy=", "energy=1e999 old=")
    )
    Path("odd.extxyz").write_text(text)
    assert desk("predict", "model.soso", "odd.extxyz", "-o", "out.extxyz").status == 0
    assert all(item.energy is not None for item in read_dataset("out.extxyz"))


def test_atoms_without_spin_have_no_field(desk, alloy_dataset, alloy_model):
    save_model("alloy.soso", alloy_model)
    write_dataset("alloy.extxyz", only(alloy_dataset))
    assert desk("predict", "alloy.soso", "alloy.extxyz", "-o", "out.extxyz").status == 0
    for frame in ase.io.read("out.extxyz", ":"):
        germanium_a = frame.numbers == 32
        for name in ("moments", "exchange_fields", "exchange_fields_std"):
            assert np.all(frame.arrays[name][germanium_a] == 0.0)
            assert np.any(frame.arrays[name][~germanium_a] != 0.0)


def test_generate_writes_candidates_with_their_origin(desk):
    assert desk("generate", "explore.yaml", "-o", "first.extxyz").status == 0
    frames = ase.io.read("first.extxyz", ":")
    assert len(frames) == 4
    assert {frame.info["generator"] for frame in frames} == {"cone", "random"}
    for frame in frames:
        assert len(frame) == 4
        assert 0 <= frame.info["index"] < 12
        assert (frame.info["magnetisation"] > 0.0) == (frame.info["generator"] == "cone")
    again = Path("first.extxyz").read_bytes()
    desk("generate", "explore.yaml", "-o", "first.extxyz")
    assert Path("first.extxyz").read_bytes() == again


def test_explore_writes_scores_best_first(desk, small_model: FittedModel):
    outcome = desk("explore", "model.soso", "explore.yaml", "-o", "next.extxyz")
    assert outcome.status == 0
    frames = ase.io.read("next.extxyz", ":")
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    rows = [line.split()[:2] for line in outcome.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert rows[:4] == [[str(k), frame.info["chosen_by"]] for k, frame in enumerate(frames)]
    assert {frame.info["chosen_by"] for frame in frames} > {"random"}
    assert [frame.info["rank"] for frame in frames] == [0, 1, 2, 3]
    for frame, where in zip(frames, read_configurations("next.extxyz"), strict=True):
        expected = 1e3 * small_model.predict(where).energy_std / 4
        assert frame.info["energy_std_meV_per_spin"] == pytest.approx(expected, rel=1e-9)


def test_explore_tells_what_came_to_nothing(desk, monkeypatch):
    choose_batch = batch.next_batch

    def telling(*inputs):
        inputs[-1]("5 of 12 candidates left out")
        return choose_batch(*inputs)

    monkeypatch.setattr(batch, "next_batch", telling)
    outcome = desk("explore", "model.soso", "explore.yaml", "-o", "next.extxyz")
    assert "note: 5 of 12 candidates left out" in outcome.stdout.splitlines()


def test_explore_leaves_out_what_is_known(desk, small_model: FittedModel):
    desk("explore", "model.soso", "explore.yaml", "-o", "next.extxyz")
    values = yaml.safe_load(Path("explore.yaml").read_text())
    Path("again.yaml").write_text(yaml.safe_dump({**values, "known": "next.extxyz"}))
    assert desk("explore", "model.soso", "again.yaml", "-o", "again.extxyz").status == 0
    first, second = (
        {atoms.info["index"] for atoms in ase.io.read(f"{name}.extxyz", ":")} for name in ("next", "again")
    )
    assert second
    assert first.isdisjoint(second)
    outcome = desk("explore", "model.soso", "again.yaml", "-o", "next.extxyz")
    assert "input and output are the same" in outcome.stderr


def test_known_and_variance_fraction_are_for_explore_alone(desk):
    """One file serves both commands; the help of each says which keys have an effect."""
    assert desk("generate", "explore.yaml", "-o", "first.extxyz").status == 0
    values = yaml.safe_load(Path("explore.yaml").read_text())
    Path("again.yaml").write_text(yaml.safe_dump({**values, "known": "first.extxyz", "variance_fraction": 0.0}))
    assert desk("generate", "again.yaml", "-o", "again.extxyz").status == 0
    assert Path("again.extxyz").read_bytes() == Path("first.extxyz").read_bytes()
    assert "`known`, `acquisition` and `variance_fraction` have an effect in `soso explore` only" in " ".join(
        desk("generate", "--help").stdout.split()
    )
    assert "A share of the batch, `variance_fraction`, is chosen" in " ".join(desk("explore", "--help").stdout.split())


def test_alternatives_are_written_and_told(desk, small_dataset):
    write_dataset("some.extxyz", small_dataset.subset(range(8)))
    words = ("compare-models", "model.soso", "some.extxyz", "-o", "found.json", "--seed", "3")
    outcome = desk(*words)
    assert "more labels help; other forms were not tried" in outcome.stdout
    assert json.loads(Path("found.json").read_text())["alternatives"] == []
    outcome = desk(*words, "--even-if-labels-help")
    assert outcome.status == 0, outcome.stderr
    written = json.loads(Path("found.json").read_text())
    found, learning = written["alternatives"], written["learning_curve"]
    assert "a longer range of the pair part" in {item["name"] for item in found}
    assert all(item["name"] in outcome.stdout for item in found)
    half, whole = learning["half_field_rmse_meV"], learning["field_rmse_meV"]
    assert f"{half:.3f} {whole:.3f} {100 * whole / half:.0f} %" in " ".join(outcome.stdout.split())


def test_alternatives_need_energies_of_five_labels_or_more(desk, small_dataset):
    write_dataset("few.extxyz", small_dataset.subset(range(4)))
    assert "4 labels are too few" in desk("compare-models", "model.soso", "few.extxyz", "-o", "found.json").stderr
    write_dataset("none.extxyz", only(small_dataset, "exchange_fields_ac", "moment_magnitudes_a"))
    assert "have no energy to compare" in desk("compare-models", "model.soso", "none.extxyz", "-o", "found.json").stderr
    assert not Path("found.json").exists()


def test_the_structure_is_found_beside_the_settings(desk, monkeypatch):
    folder = Path("elsewhere")
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert desk("generate", "../explore.yaml", "-o", "first.extxyz").status == 0


@pytest.mark.parametrize("suffix", ["cif", "vasp", "xyz", "json"])
def test_any_structure_format(desk, suffix):
    ase.io.read("iron.cif").write(f"cell.{suffix}")
    settings = yaml.safe_load(Path("explore.yaml").read_text())
    Path("other.yaml").write_text(yaml.safe_dump(settings | {"structure": f"cell.{suffix}"}))
    outcome = desk("generate", "other.yaml", "-o", "first.extxyz")
    assert (outcome.status, outcome.stderr) == (0, "")
