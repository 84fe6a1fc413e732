"""Settings from YAML: immutable and validated; each error is one line that names file and key."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from types import MappingProxyType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from soso_core.errors import InputError, reading


class Settings(BaseModel):
    """Base of all settings: immutable, without unknown keys, all numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _check_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false in place of a number; pydantic alone would convert them to 1 and 0."""
        items = value if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(item, bool) for item in items) and not _takes_booleans(cls, info.field_name):
            raise ValueError("true and false are not allowed")
        return value


SomeSettings = TypeVar("SomeSettings", bound=BaseModel)

RENAMED_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "gentle_initial_moment_ub": "gentle_initial_moment_muB",
        "gentle_penalty_ev_per_ub2": "gentle_penalty_ev_per_muB2",
        "initial_moment_ub": "initial_moment_muB",
        "initial_moments_ub": "initial_moments_muB",
        "maximum_angle_degree": "max_angle_degree",
        "minimum_distance_angstrom": "min_distance_angstrom",
        "minimum_moment_ub": "min_moment_muB",
        "penalty_ev_per_ub2": "penalty_ev_per_muB2",
        "selection": "acquisition",
        "stop_at_model_form": "diagnose_model_form",
        "strategies": "acquisitions",
        "trusted": "variance_fraction",
    }
)
"""Old names of keys and the present ones, for the error message of an old file."""
REMOVED_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "farthest-point": "choose energy-variance, mean-variance or random",
        "only_if_worth_it": "remove this key; variance_fraction sets the share of a batch chosen by the variance",
        "penalty_width": "remove this key and apply `soso data subtract-penalty` to the labels before the fit",
        "score": "remove this key; candidates are ranked by the variance of their energies alone",
    }
)
"""Keys, and values of keys, that exist no longer, and the changes that an old file needs."""
NOT_A_MAPPING = "expected keys and values"
NOT_A_MAPPING_TYPES = frozenset({"model_type", "dict_type"})
"""Pydantic's names of that error."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, which alone would use the last of two equal keys."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping.  Raises MarkedYAMLError for a key that is given twice."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(problem=f"key '{key.value}' is given twice", problem_mark=key.start_mark)
            seen.add((key.tag, str(key.value)))
        return node


def parse_settings(kind: type[SomeSettings], values: Any, source: str) -> SomeSettings:
    """Return `values` (a mapping) as settings of the given kind.

    Raises InputError, in one line: `source`, the key, the problem.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        unknown = [item for item in error.errors() if item["type"] == "extra_forbidden"]
        first = (unknown or error.errors())[0]  # a missing key is often a misspelt one
        key = ".".join(str(part) for part in first["loc"] if part != "[key]") or "settings"
        key = key if key.isprintable() else repr(key)[1:-1]
        if first["type"] == "extra_forbidden":
            known = _known_keys(kind, first["loc"])
            raise InputError(f"{source}: {_explain_unknown(key, str(first['loc'][-1]), known)}") from None
        if first["type"] == "literal_error" and (remedy := REMOVED_KEYS.get(str(first["input"]))):
            raise InputError(f"{source}: {key}: the value {first['input']} has been removed; {remedy}") from None
        detail = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] in NOT_A_MAPPING_TYPES:
            detail = NOT_A_MAPPING
        of_mapping = first["type"] == "value_error" and isinstance(first["input"], dict)
        given = "" if first["type"] == "missing" or of_mapping else f" (given: {first['input']!r:.60})"
        raise InputError(f"{source}: {key}: {detail}{given}") from None


def read_yaml(path: Path | str) -> dict[Any, Any]:
    """Return the keys and values of a YAML file, safely loaded.

    Raises InputError for a missing or malformed file, a key given twice, or anything but keys and values.
    """
    with reading(Path(path)):
        text = Path(path).read_text(encoding="utf8")
    try:
        content = yaml.load(text, _UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: {NOT_A_MAPPING}")
    return content


def read_settings(kind: type[SomeSettings], path: Path | str) -> SomeSettings:
    """Read settings of the given kind from a YAML file.  Raises InputError in one line."""
    return parse_settings(kind, read_yaml(path), str(path))


def merge_keys(chosen: Mapping[Any, Any], given: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return keys and values in which `given` overrules `chosen`, within sections, too."""
    merged = dict(chosen)
    for key, value in given.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge_keys(merged[key], value) if both else value
    return merged


def show_settings(values: Mapping[str, Any]) -> str:
    """Return keys and values as indented lines of YAML, to follow a heading."""
    is_flat = not any(isinstance(value, (dict, list)) for value in values.values())
    style = False if is_flat else None  # PyYAML's None writes the innermost collections in one line each
    text = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, default_flow_style=style)
    return "\n" + indent(text.rstrip(), "  ")


def _takes_booleans(kind: type[BaseModel], name: str | None) -> bool:
    annotation = kind.model_fields[name].annotation if name in kind.model_fields else None
    return annotation is bool or bool in get_args(annotation)


def _explain_unknown(key: str, name: str, known: Mapping[str, Any]) -> str:
    """Return the message for an unknown key `name`; `key` is its full name, `known` the keys of its section."""
    if (new_name := RENAMED_KEYS.get(name)) in known:
        return f"key '{key}' has been renamed to '{new_name}'"
    if name in REMOVED_KEYS:
        return f"key '{key}' has been removed; {REMOVED_KEYS[name]}"
    return f"unknown key '{key}'; known keys: {', '.join(known) or 'see the documentation'}"


def _known_keys(kind: type[BaseModel], location: tuple[int | str, ...]) -> Mapping[str, Any]:
    """Return the fields of the section in which a location ends; entries of lists and mappings are no sections."""
    fields: Mapping[str, Any] = kind.model_fields
    for part in location[:-1]:
        if part in fields:
            fields = getattr(_find_model(fields[str(part)].annotation), "model_fields", {})
    return fields


def _find_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation such as `Model | None` or `tuple[Model, ...]`; None without one."""
    if hasattr(annotation, "model_fields"):
        return annotation  # type: ignore[no-any-return]
    return next(filter(None, map(_find_model, get_args(annotation))), None)
