"""Sphinx directive that writes the table of a settings model: every key, its default, its allowed values, its meaning.

```{settings} module:Model
:without: module:Parent
```

The rows come from the pydantic model, the meanings from the descriptions of its fields.  `without` leaves out the keys
of a parent whose table is elsewhere on the page.
"""

from enum import Enum
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HEADING = ("key", "default", "allowed", "meaning")
SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
NAMES = {int: "integer", float: "number", str: "text", bool: "true or false", Path: "path", NoneType: "null"}


class SettingsTable(SphinxDirective):
    """Insert the table of one settings model."""

    required_arguments = 1
    option_spec = {"without": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the table, parsed from Markdown."""
        parent = self.options.get("without")
        rows = table_rows(load_model(self.arguments[0]), load_model(parent) if parent else None)
        lines = [HEADING, ("---",) * len(HEADING), *rows]
        text = StringList([f"| {' | '.join(line)} |" for line in lines], source=self.arguments[0])
        container = nodes.Element()
        self.state.nested_parse(text, self.content_offset, container)
        return container.children


def load_model(name: str) -> type[BaseModel]:
    """Return the model called `module:Model`."""
    module, _, kind = name.partition(":")
    return getattr(import_module(module), kind)


def table_rows(model: type[BaseModel], parent: type[BaseModel] | None = None) -> list[tuple[str, str, str, str]]:
    """Return key, default, allowed values and meaning of every field of `model` that `parent` lacks.

    Raises ValueError for a field without a description.
    """
    inherited = parent.model_fields if parent else {}
    fields = {key: field for key, field in model.model_fields.items() if key not in inherited}
    missing = [key for key, field in fields.items() if not field.description]
    if missing:
        raise ValueError(f"{model.__module__}.{model.__name__}: no description of {', '.join(missing)}")
    return [(f"`{key}`", default(field), allowed(field), str(field.description)) for key, field in fields.items()]


def default(field: FieldInfo) -> str:
    """Return a default as a YAML file would state it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, tuple) else [value]
    return "below" if any(isinstance(item, BaseModel) for item in items) else f"`{yaml_text(value)}`"


def yaml_text(value: Any) -> str:
    """Return a value in the flow style of YAML."""
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(yaml_text(item) for item in value) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def allowed(field: FieldInfo) -> str:
    """Return type and limits of a field in words."""
    return with_limits(kind_of(field.annotation), field.metadata)


def kind_of(annotation: Any) -> str:
    """Return the type of an annotation in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        metadata = [item for part in annotation.__metadata__ for item in getattr(part, "metadata", [])]
        return with_limits(kind_of(arguments[0]), metadata)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(sorted((kind_of(item) for item in arguments), key="null".__ne__))
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"list, each {kind_of(arguments[0])}"
    if origin is tuple:
        return f"{len(arguments)}, each {kind_of(arguments[0])}"
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, (BaseModel, Enum))):
        return "keys"
    return NAMES[annotation]


def with_limits(kind: str, metadata: list[Any]) -> str:
    """Return a type with the limits that pydantic keeps beside it."""
    limits = [
        f"{SIGNS[name]} {yaml_text(getattr(item, name))}" for item in metadata for name in SIGNS if hasattr(item, name)
    ]
    return f"{kind} {', '.join(limits)}" if limits else kind


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive `settings`."""
    app.add_directive("settings", SettingsTable)
    return {"parallel_read_safe": True}
