"""Settings: frozen, validated, and every fault named in one line."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from soso_core.errors import InputError


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys refused, numbers must be numbers and finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


SomeSettings = TypeVar("SomeSettings", bound=BaseModel)


def parse_settings(kind: type[SomeSettings], values: Any, source: str) -> SomeSettings:
    """Return `values` (a mapping) as settings of the given kind.

    Raises InputError with one line: source, key, what is wrong.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "settings"
        if first["type"] == "extra_forbidden":
            raise InputError(f"{source}: unknown key '{key}'; known here: {_known_keys(kind, first['loc'])}") from None
        detail = str(first["msg"]).removeprefix("Value error, ")
        given = "" if first["type"] == "missing" else f" (given: {first['input']!r:.60})"
        raise InputError(f"{source}: {key}: {detail}{given}") from None


def read_yaml(path: Path | str) -> Any:
    """Return the content of a YAML file, safely loaded.  Raises InputError for a missing or malformed file."""
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf8")) or {}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"cannot read {path}: not a text file") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None


def read_settings(kind: type[SomeSettings], path: Path | str) -> SomeSettings:
    """Read settings of the given kind from a YAML file.  Raises InputError in one line."""
    return parse_settings(kind, read_yaml(path), str(path))


def _known_keys(kind: type[BaseModel], location: tuple[int | str, ...]) -> str:
    model: Any = kind
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        model = getattr(field, "annotation", None)
    return ", ".join(getattr(model, "model_fields", {})) or "see the documentation"
