"""The one on-disk form of a model: a zip of .npy arrays and a JSON header (npz), never a pickle.

Entry `header` is JSON in UTF-8 as an array of bytes: format name, integer version, and for the model and its
pair-only baseline the settings, species, hyperparameters and record.  Arrays are `model/<name>` and `baseline/<name>`.
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
from soso_core.formats.atomic_write import atomic_write
from soso_core.gp.model.basis import ModelBasis
from soso_core.gp.model.covariance import Points
from soso_core.gp.model.fitted import FitRecord, FittedModel, References
from soso_core.gp.model.hyperparameters import MOMENT, TARGETS, Hyperparameters
from soso_core.gp.model.inducing import InducingPoints
from soso_core.gp.model.moments import MomentModel
from soso_core.gp.model.normal_equations import NormalEquations
from soso_core.gp.model.settings import FitSettings
from soso_core.settings import parse_settings

FORMAT_NAME = "soso-model"
FORMAT_VERSION = 1
"""Raised whenever a program of the version before could not read the file, or would misread it."""
OLDEST_DATE = (1980, 1, 1, 0, 0, 0)

TOTALS = ("yty", "n_rows", "effective_count", "log_factors")
"""Numbers of `NormalEquations`."""
MIN_VALUE, MAX_VALUE = 1e-100, 1e100
"""Limits of hyperparameters: the squares of others would overflow or vanish."""


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
        problem = f"format version {version}; this program reads version {FORMAT_VERSION}"
        raise InputError(f"model file {file} has {problem}: fit the model again")


def _facts(model: FittedModel) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "settings": model.basis.settings.model_dump(mode="json"),
        "species": list(model.basis.species),
        "hyperparameters": _hyperparameter_facts(model.hyperparameters),
        "record": asdict(model.record),
        "calibration": dict(model.calibration),
    }
    if model.moment_model is not None:
        facts["moment_hyperparameters"] = _hyperparameter_facts(model.moment_model.hyperparameters)
    if model.equations is not None:
        facts["sums"] = {t: {name: getattr(each, name) for name in TOTALS} for t, each in model.equations.items()}
    return facts


def _hyperparameter_facts(hyperparameters: Hyperparameters) -> dict[str, Any]:
    return {**vars(hyperparameters), "prior": dict(hyperparameters.prior), "noise": dict(hyperparameters.noise)}


def _arrays(model: FittedModel) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "weights_m": model.weights_m,
        "cholesky_mm": model.cholesky_mm,
        "energies_s": model.references.energies_s,
        "moments_s": model.references.moments_s,
        "centre_sm": model.basis.centre_sm,
    }
    if (inducing := model.basis.inducing) is not None:
        arrays |= {"x_bf": inducing.points.x_af, "species_b": inducing.points.species_a}
        arrays |= {f"whitening_{t}": array for t, array in enumerate(inducing.whitening_t)}
    if model.moment_model is not None:
        arrays |= {
            "moment_weights_m": model.moment_model.weights_m,
            "moment_cholesky_mm": model.moment_model.cholesky_mm,
        }
    for target, equation in sorted((model.equations or {}).items()):
        upper = np.triu_indices(len(equation.gram_mm))
        arrays |= {f"sums_{target}_gram": equation.gram_mm[upper], f"sums_{target}_projection_m": equation.projection_m}
    return arrays


def _under(name: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")}


def _model(facts: Any, arrays: Mapping[str, Any], baseline: FittedModel | None) -> FittedModel:
    settings = parse_settings(FitSettings, facts["settings"], "settings")
    species = _species(facts["species"])
    n_species = len(species)
    basis = ModelBasis.build(settings, species, _inducing(arrays, settings, species))
    size = basis.size
    basis = ModelBasis(settings, species, basis.inducing, _floats(arrays, "centre_sm", (n_species, size)))
    return FittedModel(
        basis,
        _floats(arrays, "weights_m", (size,)),
        _factor(arrays, "cholesky_mm", size),
        _read_hyperparameters(facts["hyperparameters"], basis, frozenset(TARGETS)),
        References(
            _floats(arrays, "energies_s", (n_species,)), _floats(arrays, "moments_s", (n_species,), may_be_nan=True)
        ),
        _record(facts["record"]),
        baseline,
        _moment_model(facts, arrays, basis),
        _equations(facts, arrays, size),
        {str(target): _positive(value) for target, value in facts["calibration"].items()},
    )


def _moment_model(facts: Any, arrays: Mapping[str, Any], basis: ModelBasis) -> MomentModel | None:
    if "moment_hyperparameters" not in facts:
        return None
    hyperparameters = _read_hyperparameters(facts["moment_hyperparameters"], basis, frozenset({MOMENT}))
    weights_m = _floats(arrays, "moment_weights_m", (basis.size,))
    return MomentModel(weights_m, _factor(arrays, "moment_cholesky_mm", basis.size), hyperparameters)


def _equations(facts: Any, arrays: Mapping[str, Any], size: int) -> dict[str, NormalEquations] | None:
    if "sums" not in facts:
        return None
    upper = np.triu_indices(size)
    equations = {}
    for target, fact in facts["sums"].items():
        if target not in (*TARGETS, MOMENT):
            raise InputError(f"sums: unknown target {target!r}")
        gram_mm = np.zeros((size, size))
        gram_mm[upper] = _floats(arrays, f"sums_{target}_gram", (len(upper[0]),))
        gram_mm = gram_mm + np.triu(gram_mm, 1).T
        projection_m = _floats(arrays, f"sums_{target}_projection_m", (size,))
        equations[target] = NormalEquations(gram_mm, projection_m, *_totals(fact))
    return equations


def _totals(fact: Any) -> tuple[float, int, float, float]:
    yty, n_rows, effective_count, log_factors = (fact[name] for name in TOTALS)
    if not isinstance(yty, float) or not 0.0 <= yty < np.inf:
        raise InputError(f"sums: yty {yty!r} is not a sum of squares")
    if isinstance(n_rows, bool) or not isinstance(n_rows, int) or n_rows < 1:
        raise InputError(f"sums: n_rows {n_rows!r} is not a positive integer")
    if not isinstance(effective_count, float) or not 0.0 < effective_count <= n_rows:
        raise InputError(f"sums: effective_count {effective_count!r} is not in the range 0 to {n_rows} (n_rows)")
    if not isinstance(log_factors, float) or not 0.0 <= log_factors < np.inf:
        raise InputError(f"sums: log_factors {log_factors!r} is not a non-negative number")
    return yty, n_rows, effective_count, log_factors


def _factor(arrays: Mapping[str, Any], name: str, size: int) -> FloatArray:
    cholesky_mm = _floats(arrays, name, (size, size))
    if not np.all(np.diag(cholesky_mm) > 0.0):
        raise InputError(f"{name}: its diagonal must be positive")
    return cholesky_mm


def _species(values: Any) -> tuple[int, ...]:
    species = tuple(int(number) for number in values)
    in_order = bool(species) and list(species) == sorted(set(species))
    if not in_order or species[0] < 1 or species[-1] >= len(chemical_symbols):
        raise InputError(f"species {species}: expected atomic numbers in increasing order")
    return species


def _inducing(arrays: Mapping[str, Any], settings: FitSettings, species: tuple[int, ...]) -> InducingPoints | None:
    if "x_bf" not in arrays:
        return None
    n_points = len(arrays["x_bf"])
    bare = ModelBasis.build(settings, species, None)
    species_b = arrays["species_b"]
    if species_b.shape != (n_points,) or species_b.dtype != np.int64 or not n_points:
        raise InputError(f"species_b: expected {n_points} integers")
    if species_b.min() < 0 or species_b.max() >= len(species):
        raise InputError(f"species_b: expected indices below {len(species)}")
    species_b.setflags(write=False)
    names = [f"whitening_{t}" for t in range(len(bare.covariance.monomials))]
    whitening_t = tuple(_floats(arrays, name, (n_points, arrays[name].shape[-1])) for name in names)
    return InducingPoints(Points(_floats(arrays, "x_bf", (n_points, bare.descriptor.size)), species_b), whitening_t)


def _floats(arrays: Mapping[str, Any], name: str, shape: tuple[int, ...], may_be_nan: bool = False) -> FloatArray:
    """Return a read-only array as it was stored: its memory order decides the last bits of products."""
    array = arrays[name]
    if array.dtype != np.float64 or array.shape != shape:
        raise InputError(f"{name}: {array.dtype} of shape {array.shape}, expected float64 of shape {shape}")
    if np.any(np.isinf(array)) or (np.any(np.isnan(array)) and not may_be_nan):
        raise InputError(f"{name}: not all values are finite")
    array.setflags(write=False)
    return np.asarray(array)


def _read_hyperparameters(facts: Any, basis: ModelBasis, targets: frozenset[str]) -> Hyperparameters:
    prior = {str(name): _positive(value) for name, value in facts["prior"].items()}
    noise = {str(name): _positive(value) for name, value in facts["noise"].items()}
    if set(prior) != set(basis.blocks) or not noise or not set(noise) <= targets:
        raise InputError("hyperparameters: names do not belong to this model")
    return Hyperparameters(prior, noise, _positive(facts["field_scale"]))


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < np.inf:
        raise InputError(f"hyperparameters: {value!r} is not a positive number")
    if not MIN_VALUE < value < MAX_VALUE:
        raise InputError(f"hyperparameters: value {value!r} is outside the representable range (1e-100 to 1e100)")
    return float(value)


def _record(values: Any) -> FitRecord:
    counts = (values["n_configurations"], values["n_energies"], values["n_field_configurations"])
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise InputError("record: counts must be integers")
    digests = tuple(str(digest) for digest in values["digests"])
    return FitRecord(*counts, str(values["fingerprint"]), digests)
