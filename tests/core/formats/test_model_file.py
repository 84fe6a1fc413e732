"""The model file: exact, reproducible, and deaf to anything that is not a model."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spin_cells import complete_dataset, iron_germanium

from soso_core.errors import InputError
from soso_core.gp.inference.regression import fit, update
from soso_core.gp.model.model_file import FORMAT_VERSION, load_model, save_model
from soso_core.gp.model.settings import FitSettings

MANY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session")
def content(small_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.soso"
    save_model(path, small_model)
    return path.read_bytes()


def assert_same_predictions(left, right, configuration):
    mine, other = left.predict(configuration), right.predict(configuration)
    for name in vars(mine):
        assert np.array_equal(getattr(mine, name), getattr(other, name)), name


def loaded_or_refused(path):
    """Return the model of a file, or the message of its refusal."""
    try:
        return load_model(path)
    except InputError as error:
        return str(error)


def rewritten(content, path, change_header=None, **changed):
    """Write the model with some arrays (None: left out) or the header changed."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = dict(archive.items())
    header = json.loads(arrays["header"].tobytes())
    if change_header is not None:
        change_header(header)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    arrays |= changed
    with path.open("wb") as handle:
        np.savez(handle, **{name: array for name, array in arrays.items() if array is not None})
    return path


@pytest.mark.parametrize("kind", ["small", "alloy"])
def test_predictions_of_a_loaded_model_are_the_same_bits(kind, request, tmp_path):
    model, dataset = request.getfixturevalue(f"{kind}_model"), request.getfixturevalue(f"{kind}_dataset")
    save_model(tmp_path / "m.soso", model)
    loaded = load_model(tmp_path / "m.soso")
    for item in dataset:
        assert_same_predictions(model, loaded, item.configuration)
        assert_same_predictions(model.baseline, loaded.baseline, item.configuration)
    assert np.array_equal(model.cholesky_mm, loaded.cholesky_mm)
    assert loaded.record == model.record
    assert loaded.basis.settings == model.basis.settings
    assert dict(loaded.hyperparameters.prior) == dict(model.hyperparameters.prior)


def test_the_same_model_gives_the_same_bytes(small_model, content, tmp_path):
    save_model(tmp_path / "again.soso", small_model)
    assert (tmp_path / "again.soso").read_bytes() == content
    save_model(tmp_path / "twice.soso", load_model(tmp_path / "again.soso"))
    assert (tmp_path / "twice.soso").read_bytes() == content


def test_models_without_baseline_or_moments_are_kept(small_model, tmp_path):
    bare = replace(small_model, baseline=None, references=replace(small_model.references, moments_s=np.array([np.nan])))
    save_model(tmp_path / "m.soso", bare)
    loaded = load_model(tmp_path / "m.soso")
    assert loaded.baseline is None
    assert np.isnan(loaded.references.moments_s).all()


LATTICE_AND_SPINS = FitSettings(
    pair={"cutoff_angstrom": 3.5, "n_max": 3, "lambda_max": 1},
    descriptor=None,
    three_body={"cutoff_angstrom": 3.3, "n_max": 2, "l_max": 1, "channel_pairs": [["1", "1"], ["P1", "P1"]]},
    zeta=2,
    n_inducing=4,
)


@pytest.fixture(scope="session")
def complete_model():
    """Every kind of label, and a GP of the three-body descriptor alone."""
    data = complete_dataset([iron_germanium(seed) for seed in range(3)], field_scale=1.05)
    return fit(data, LATTICE_AND_SPINS, np.random.default_rng(0))


@pytest.fixture(scope="session")
def complete_content(complete_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("complete") / "m.soso"
    save_model(path, complete_model)
    return path.read_bytes()


def test_every_part_comes_back(complete_model, complete_content, tmp_path):
    (tmp_path / "m.soso").write_bytes(complete_content)
    loaded = load_model(tmp_path / "m.soso")
    save_model(tmp_path / "again.soso", loaded)
    assert (tmp_path / "again.soso").read_bytes() == complete_content
    assert loaded.basis.settings == LATTICE_AND_SPINS
    assert loaded.basis.settings.descriptor is None
    assert vars(loaded.hyperparameters) == vars(complete_model.hyperparameters)
    assert loaded.hyperparameters.field_scale != 1.0
    assert vars(loaded.moment_model.hyperparameters) == vars(complete_model.moment_model.hyperparameters)
    assert loaded.calibration == complete_model.calibration
    assert loaded.record == complete_model.record
    assert loaded.equations.keys() == {"energy", "field", "force", "stress", "moment"}
    for target, mine in complete_model.equations.items():
        other = loaded.equations[target]
        # The file holds one triangle; the other one differs from it by rounding.
        np.testing.assert_array_equal(np.triu(other.gram_mm), np.triu(mine.gram_mm))
        np.testing.assert_array_equal(other.gram_mm, other.gram_mm.T)
        np.testing.assert_array_equal(other.projection_m, mine.projection_m)
        assert (other.yty, other.n_rows) == (mine.yty, mine.n_rows)
    for cell in (iron_germanium(0), iron_germanium(50)):
        assert_same_predictions(complete_model, loaded, cell)
        assert_same_predictions(complete_model.baseline, loaded.baseline, cell)
    assert loaded.energy_difference(iron_germanium(0), iron_germanium(50)) == complete_model.energy_difference(
        iron_germanium(0), iron_germanium(50)
    )


def test_a_loaded_model_is_updated_alike(complete_model, complete_content, tmp_path):
    (tmp_path / "m.soso").write_bytes(complete_content)
    new = complete_dataset([iron_germanium(seed) for seed in range(10, 13)])
    mine, other = (update(m, new).predict(iron_germanium(7)) for m in (complete_model, load_model(tmp_path / "m.soso")))
    for name, value in vars(mine).items():
        # One triangle of the sums was stored: rounding.
        if value is not None:
            expected = np.asarray(value)
            np.testing.assert_allclose(getattr(other, name), expected, rtol=0, atol=1e-8 * np.abs(expected).max())


def test_without_sums_it_predicts_the_same(complete_model, tmp_path):
    save_model(tmp_path / "m.soso", replace(complete_model, equations=None, moment_model=None))
    loaded = load_model(tmp_path / "m.soso")
    assert loaded.equations is None
    assert loaded.moment_model is None
    assert loaded.predict(iron_germanium(7)).energy == complete_model.predict(iron_germanium(7)).energy


def names_of(content):
    with np.load(io.BytesIO(content)) as archive:
        return [name for name in archive.files if name != "header"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda array: None,
        lambda array: array[:-1],
        lambda array: array[None],
        lambda array: array.astype(np.float32),
        lambda array: array.astype(complex),
        lambda array: np.full_like(array, np.inf if array.dtype == float else -1),
    ],
    ids=["absent", "shorter", "deeper", "single", "complex", "not finite"],
)
def test_every_array_is_looked_at(complete_content, tmp_path, damage):
    with np.load(io.BytesIO(complete_content)) as archive:
        arrays = {name: archive[name] for name in names_of(complete_content)}
    assert len(arrays) > 25
    for name, array in arrays.items():
        path = rewritten(complete_content, tmp_path / "m.soso", **{name: damage(array)})
        outcome = loaded_or_refused(path)
        assert isinstance(outcome, str), name
        assert len(outcome.splitlines()) == 1, outcome


@pytest.mark.parametrize("scale", [2e154, 1e-200])
def test_a_scale_whose_square_is_no_number_is_refused(complete_content, tmp_path, scale):
    def change(header):
        header["model"]["moment_hyperparameters"]["noise"]["moment"] = scale

    outcome = loaded_or_refused(rewritten(complete_content, tmp_path / "m.soso", change))
    assert isinstance(outcome, str)
    assert "outside the representable range" in outcome


def test_moments_without_a_noise_are_refused(complete_content, tmp_path):
    def change(header):
        header["model"]["moment_hyperparameters"]["noise"] = {}

    outcome = loaded_or_refused(rewritten(complete_content, tmp_path / "m.soso", change))
    assert isinstance(outcome, str)
    assert "names do not belong to this model" in outcome


def test_a_width_beyond_any_cutoff_is_refused(complete_content, tmp_path):
    def change(header):
        header["model"]["settings"]["three_body"]["sigma_angstrom"] = 1e300

    outcome = loaded_or_refused(rewritten(complete_content, tmp_path / "m.soso", change))
    assert isinstance(outcome, str)
    assert "sigma_angstrom" in outcome


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@MANY
@given(data=st.data(), value=JSON)
def test_any_header_is_read_or_refused(complete_content, tmp_path, data, value):
    """Some entry of the header, as deep as it lies, becomes anything."""

    def change(header):
        at = header
        while True:
            keys = sorted(at) if isinstance(at, dict) else range(len(at))
            key = data.draw(st.sampled_from(list(keys)))
            inner = at[key]
            if not isinstance(inner, (dict, list)) or not inner or data.draw(st.integers(0, 3)) == 0:
                at[key] = value
                return
            at = inner

    outcome = loaded_or_refused(rewritten(complete_content, tmp_path / "m.soso", change))
    if isinstance(outcome, str):
        assert len(outcome.splitlines()) == 1, outcome
    else:
        cell = iron_germanium(0)
        numbers_a = np.array(outcome.basis.species)[np.unique(cell.numbers_a, return_inverse=True)[1]]
        assert np.isfinite(outcome.predict(replace(cell, numbers_a=numbers_a)).energy)


def test_no_pickle_inside(content):
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


def test_loaded_arrays_are_read_only(content, tmp_path):
    (tmp_path / "m.soso").write_bytes(content)
    with pytest.raises(ValueError, match="read-only"):
        load_model(tmp_path / "m.soso").weights_m[0] = 1.0


@MANY
@given(fraction=st.floats(0.0, 0.9999))
def test_truncated(content, tmp_path, fraction):
    (tmp_path / "m.soso").write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(InputError, match="not a SOSO model, or it is truncated"):
        load_model(tmp_path / "m.soso")


@MANY
@given(garbage=st.binary(max_size=300), magic=st.sampled_from([b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x80\x04"]))
def test_garbage(tmp_path, garbage, magic):
    (tmp_path / "m.soso").write_bytes(magic + garbage)
    with pytest.raises(InputError):
        load_model(tmp_path / "m.soso")


@MANY
@given(data=st.data())
def test_a_flipped_bit_is_noticed_or_harmless(content, small_model, small_dataset, tmp_path, data):
    position = data.draw(st.integers(0, len(content) - 1))
    damaged = bytearray(content)
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / "m.soso").write_bytes(damaged)
    outcome = loaded_or_refused(tmp_path / "m.soso")
    if isinstance(outcome, str):
        assert len(outcome.splitlines()) == 1
    else:
        assert_same_predictions(outcome, small_model, small_dataset[0].configuration)


def test_newer_version_is_named(content, tmp_path):
    path = rewritten(content, tmp_path / "m.soso", lambda header: header.update(version=FORMAT_VERSION + 1))
    with pytest.raises(
        InputError, match=f"has format version {FORMAT_VERSION + 1}; this program reads version {FORMAT_VERSION}"
    ):
        load_model(path)


def test_foreign_npz(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="is not a SOSO model"):
        load_model(tmp_path / "other.npz")


def test_pickles_are_refused(tmp_path):
    np.savez(tmp_path / "m.soso.npz", header=np.array([{"format": "soso-model"}], dtype=object))
    with pytest.raises(InputError, match="is not a SOSO model"):
        load_model(tmp_path / "m.soso.npz")


def test_foreign_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.soso", "w") as archive:
        archive.writestr("header.npy", "nothing of the kind")
    with pytest.raises(InputError, match="is not a SOSO model"):
        load_model(tmp_path / "m.soso")


@pytest.mark.parametrize(
    ("name", "array", "said"),
    [
        ("model/weights_m", np.zeros(3), "weights_m: float64 of shape"),
        ("model/weights_m", np.zeros(3, dtype=np.float32), "weights_m: float32"),
        ("model/weights_m", None, "model/weights_m|weights_m"),
        ("model/x_bf", np.zeros((12, 3)), "x_bf"),
        ("model/species_b", np.full(12, 5), "species_b: expected indices below 1"),
        ("model/species_b", np.zeros(3, dtype=int), "species_b: expected 12 integers"),
        ("model/whitening_0", np.float64(1.0), "corrupt"),
        ("model/whitening_0", np.zeros((3, 4)), "whitening_0: float64 of shape"),
        ("model/whitening_0", None, "whitening_0"),
        ("model/moment_weights_m", np.zeros(3), "moment_weights_m: float64 of shape"),
        ("model/moment_cholesky_mm", None, "moment_cholesky_mm"),
        ("model/sums_field_gram", np.zeros(3), "sums_field_gram: float64 of shape"),
        ("model/sums_energy_projection_m", None, "sums_energy_projection_m"),
        ("baseline/cholesky_mm", np.zeros((16, 16)), "cholesky_mm: its diagonal must be positive"),
        ("model/energies_s", np.array([np.nan]), "energies_s: not all values are finite"),
        ("model/moments_s", np.array([np.inf]), "moments_s: not all values are finite"),
        ("baseline/cholesky_mm", None, "cholesky_mm"),
    ],
)
def test_wrong_arrays(content, tmp_path, name, array, said):
    path = rewritten(content, tmp_path / "m.soso", **{name: array})
    with pytest.raises(InputError, match=said):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["model"]["settings"].update(zeta="four"),
        lambda header: header["model"]["settings"].update(unheard_of=1),
        lambda header: header["model"].update(species=[0]),
        lambda header: header["model"].update(species=[500]),
        lambda header: header["model"].update(species="Fe"),
        lambda header: header["model"].update(species=None),
        lambda header: header["model"]["hyperparameters"]["prior"].update({"gp d d": -1.0}),
        lambda header: header["model"]["hyperparameters"]["prior"].update(other=1.0),
        lambda header: header["model"]["hyperparameters"]["prior"].pop("gp d d"),
        lambda header: header["model"]["hyperparameters"]["noise"].update(energy="loud"),
        lambda header: header["model"]["hyperparameters"]["noise"].update(moment=1.0),
        lambda header: header["model"]["hyperparameters"].update(field_scale=0.0),
        lambda header: header["model"]["moment_hyperparameters"]["noise"].update(energy=1.0),
        lambda header: header["model"]["moment_hyperparameters"].pop("prior"),
        lambda header: header["model"]["calibration"].update(energy=-1.0),
        lambda header: header["model"]["calibration"].update(energy=True),
        lambda header: header["model"].pop("calibration"),
        lambda header: header["model"]["sums"].update(torque={"yty": 1.0, "n_rows": 1}),
        lambda header: header["model"]["sums"]["field"].pop("yty"),
        lambda header: header["model"]["sums"]["field"].update(yty=-1.0),
        lambda header: header["model"]["sums"]["field"].update(yty=float("inf")),
        lambda header: header["model"]["sums"]["field"].update(n_rows=0),
        lambda header: header["model"]["sums"]["field"].update(effective_count=0.0),
        lambda header: header["model"]["sums"]["field"].update(effective_count=1e9),
        lambda header: header["model"]["sums"]["field"].update(log_factors=-1.0),
        lambda header: header["model"]["sums"]["field"].update(n_rows=2.5),
        lambda header: header["model"]["record"].pop("digests"),
        lambda header: header["model"]["record"].update(digests=7),
        lambda header: header["model"].pop("record"),
        lambda header: header["model"]["record"].update(n_energies=1.5),
        lambda header: header.update(model=[]),
        lambda header: header.pop("model"),
    ],
)
def test_wrong_header(content, tmp_path, change):
    path = rewritten(content, tmp_path / "m.soso", change)
    with pytest.raises(InputError, match="is corrupt") as caught:
        load_model(path)
    assert len(str(caught.value).splitlines()) == 1


def test_unwritable_leaves_nothing(small_model, tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        save_model(tmp_path, small_model)
    with pytest.raises(InputError, match="cannot write"):
        save_model(tmp_path / "nowhere" / "m.soso", small_model)
    assert list(tmp_path.parent.glob("*.part")) == list(tmp_path.rglob("*.part")) == []
