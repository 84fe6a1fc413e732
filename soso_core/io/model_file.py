"""The one on-disk form of a model: a zip of .npy arrays and a JSON header (npz), never a pickle.

Entry `header` is JSON in UTF-8 as an array of bytes: format name, integer version, and for the model and its
pair-only baseline the settings, species, scales and record.  Arrays are `model/<name>` and `baseline/<name>`.
The same model gives the same bytes.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from soso_core.arrays import FloatArray
from soso_core.errors import InputError
from soso_core.gp.basis import ModelBasis
from soso_core.gp.evidence import Scales
from soso_core.gp.fitted import FitRecord, FittedModel
from soso_core.gp.inducing import InducingPoints
from soso_core.gp.settings import FitSettings
from soso_core.io.atomic_write import atomic_write
from soso_core.settings import parse_settings

FORMAT_NAME = "soso-model"
FORMAT_VERSION = 1
"""Raised whenever an older program could not read, or would misread, what is written."""
OLDEST_DATE = (1980, 1, 1, 0, 0, 0)
TARGETS = frozenset({"energy", "field", "force", "stress"})


def save_model(path: Path | str, model: FittedModel) -> None:
    """Write a model, whole or not at all.  Raises InputError when the file cannot be written."""
    header: dict[str, Any] = {"format": FORMAT_NAME, "version": FORMAT_VERSION, "model": _facts(model)}
    arrays = {f"model/{name}": array for name, array in _arrays(model).items()}
    if model.baseline is not None:
        header["baseline"] = _facts(model.baseline)
        arrays |= {f"baseline/{name}": array for name, array in _arrays(model.baseline).items()}
    text = json.dumps(header, sort_keys=True, allow_nan=False).encode("utf8")
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {"header": np.frombuffer(text, dtype=np.uint8), **arrays}.items():
            entry = zipfile.ZipInfo(f"{name}.npy", OLDEST_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as handle:
                np.lib.format.write_array(handle, array, allow_pickle=False)


def load_model(path: Path | str) -> FittedModel:
    """Read a model.  Raises InputError, in one line, for a missing, foreign, truncated or corrupt file."""
    file = Path(path)
    header, arrays = _read(file)
    _check_format(file, header)
    try:
        baseline = None
        if "baseline" in header:
            baseline = _model(header["baseline"], _under("baseline", arrays), None)
        return _model(header["model"], _under("model", arrays), baseline)
    except KeyError as error:
        raise InputError(f"model file {file} is corrupt: {error} is missing") from None
    except (InputError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"model file {file} is corrupt: {error}") from None


def _read(file: Path) -> tuple[Any, dict[str, Any]]:
    try:
        with file.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return json.loads(arrays.pop("header").tobytes()), arrays
    except OSError as error:
        if error.strerror:
            raise InputError(f"cannot read model {file}: {error.strerror}") from None
        raise InputError(f"{file} is not a SOSO model, or it is truncated") from None
    except Exception:  # damaged bytes make zip, npy and JSON readers raise nearly anything
        raise InputError(f"{file} is not a SOSO model, or it is truncated") from None


def _check_format(file: Path, header: Any) -> None:
    if not isinstance(header, dict) or header.get("format") != FORMAT_NAME:
        raise InputError(f"{file} is not a SOSO model")
    version = header.get("version")
    if version != FORMAT_VERSION:
        raise InputError(f"model {file} has format version {version}; this program reads version {FORMAT_VERSION}")


def _facts(model: FittedModel) -> dict[str, Any]:
    return {
        "settings": model.basis.settings.model_dump(mode="json", exclude_none=True),
        "species": list(model.basis.species),
        "prior": dict(model.scales.prior),
        "noise": dict(model.scales.noise),
        "record": asdict(model.record),
    }


def _arrays(model: FittedModel) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "weights_m": model.weights_m,
        "lower_mm": model.lower_mm,
        "offsets_s": model.offsets_s,
        "moments_s": model.moments_s,
        "centre_sm": model.basis.centre_sm,
    }
    if (points := model.basis.inducing) is not None:
        arrays |= {"x_bf": points.x_bf, "species_b": points.species_b, "whitening_bm": points.whitening_bm}
    return arrays


def _under(name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}


def _model(facts: Any, arrays: Mapping[str, Any], baseline: FittedModel | None) -> FittedModel:
    settings = parse_settings(FitSettings, facts["settings"], "settings")
    species = _species(facts["species"])
    n_species = len(species)
    basis = ModelBasis.uncentred(settings, species, _inducing(arrays, settings, species))
    size = basis.size
    basis = ModelBasis(settings, species, basis.inducing, _floats(arrays, "centre_sm", (n_species, size)))
    lower_mm = _floats(arrays, "lower_mm", (size, size))
    if not np.all(np.diag(lower_mm) > 0.0):
        raise InputError("lower_mm: its diagonal must be positive")
    return FittedModel(
        basis,
        _floats(arrays, "weights_m", (size,)),
        lower_mm,
        _scales(facts, basis),
        _floats(arrays, "offsets_s", (n_species,)),
        _floats(arrays, "moments_s", (n_species,), may_be_nan=True),
        _record(facts["record"]),
        baseline,
    )


def _species(values: Any) -> tuple[int, ...]:
    species = tuple(int(number) for number in values)
    in_order = bool(species) and list(species) == sorted(set(species))
    if not in_order or species[0] < 1 or species[-1] >= len(chemical_symbols):
        raise InputError(f"species {species}: expected atomic numbers in increasing order")
    return species


def _inducing(arrays: Mapping[str, Any], settings: FitSettings, species: tuple[int, ...]) -> InducingPoints | None:
    if "x_bf" not in arrays:
        return None
    n_points, n_columns = len(arrays["x_bf"]), arrays["whitening_bm"].shape[-1]
    n_features = ModelBasis.uncentred(settings, species, None).descriptor.size
    species_b = arrays["species_b"]
    if species_b.shape != (n_points,) or species_b.dtype != np.int64 or not n_points:
        raise InputError(f"species_b: expected {n_points} integers")
    if species_b.min() < 0 or species_b.max() >= len(species):
        raise InputError(f"species_b: expected indices below {len(species)}")
    species_b.setflags(write=False)
    return InducingPoints(
        _floats(arrays, "x_bf", (n_points, n_features)),
        species_b,
        _floats(arrays, "whitening_bm", (n_points, n_columns)),
    )


def _floats(arrays: Mapping[str, Any], name: str, shape: tuple[int, ...], may_be_nan: bool = False) -> FloatArray:
    """Return a read-only array as it was stored: its memory order decides the last bits of products."""
    array = arrays[name]
    if array.dtype != np.float64 or array.shape != shape:
        raise InputError(f"{name}: {array.dtype} of shape {array.shape}, expected float64 of shape {shape}")
    if np.any(np.isinf(array)) or (np.any(np.isnan(array)) and not may_be_nan):
        raise InputError(f"{name}: not all values are finite")
    array.setflags(write=False)
    return np.asarray(array)


def _scales(facts: Any, basis: ModelBasis) -> Scales:
    scales = Scales(dict(facts["prior"]), dict(facts["noise"]))
    if set(scales.prior) != set(basis.blocks) or not set(scales.noise) <= TARGETS:
        raise InputError("scales: names do not belong to this model")
    for value in (*scales.prior.values(), *scales.noise.values()):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < np.inf:
            raise InputError(f"scales: {value!r} is not a positive number")
    return scales


def _record(values: Any) -> FitRecord:
    counts = (values["n_configurations"], values["n_energies"], values["n_field_configurations"])
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise InputError("record: counts must be integers")
    return FitRecord(*counts, str(values["fingerprint"]))
