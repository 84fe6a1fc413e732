"""The tables of settings in the documentation are those of the code: every key, its default, what it may be."""

from enum import Enum
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pages import ROOT, table_after
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from soso_core.gp.assessment.evaluation import Evaluation
from soso_core.validation import Kind

PAGE = ROOT / "docs" / "reference" / "commands.md"
TABLES = (
    "soso_workflows.campaign.campaign_file:CampaignSettings",
    "soso_core.active.candidates.settings:ExplorationSettings",
    "soso_core.active.selection.uncertainty:ScoreSettings",
    "soso_core.active.offline.study:StudySettings",
    "soso_core.active.candidates.settings:GeneratorSettings",
    "soso_core.active.candidates.settings:ExploreSettings",
    "soso_core.active.stopping.policy:PolicySettings",
    "soso_core.gp.model.settings:FitSettings",
    "soso_core.gp.model.settings:PairPartSettings",
    "soso_core.descriptors.parameters:PairDescriptorParameters",
    "soso_core.descriptors.parameters:ThreeBodyParameters",
    "soso_core.engines.tight_binding.settings:TightBindingSettings",
    "soso_core.engines.tight_binding.settings:SpeciesParameters",
    "soso_workflows.vasp.settings:VaspLabelSettings",
    "soso_core.engines.vasp.settings:VaspSettings",
    "soso_core.engines.vasp.settings:MixingSettings",
    "soso_core.engines.gpaw.settings:GpawSettings",
    "soso_core.engines.gpaw.settings:GpawSpecies",
    "soso_core.engines.abinit.settings:AbinitSettings",
    "soso_core.engines.replay:ReplaySettings",
)
SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
NAMES = {int: "integer", float: "number", str: "text", bool: "true or false", Path: "path", NoneType: "null"}


@pytest.mark.parametrize("name", TABLES)
def test_table_is_that_of_the_model(name):
    module, _, kind = name.partition(":")
    model = getattr(import_module(module), kind)
    fields = {key: field for key, field in model.model_fields.items() if key not in inherited(model)}
    expected = [[f"`{key}`", default(field), allowed(field)] for key, field in fields.items()]
    rows = table_after(PAGE, f"<!-- {name} -->")
    assert [row[:3] for row in rows] == expected
    assert all(len(row) == 4 and row[3] for row in rows), "every key has a meaning"


def inherited(model: type[BaseModel]) -> set[str]:
    """Return the keys of a parent whose table is on the page already."""
    parents = [base for base in model.__bases__ if f"{base.__module__}:{base.__name__}" in TABLES]
    return {key for base in parents for key in base.model_fields}


def default(field: FieldInfo) -> str:
    """Return a default as it would stand in a YAML file."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or is_models(value):
        return "below"
    return f"`{written(value)}`"


def is_models(value: Any) -> bool:
    """Whether a default is a list or mapping of settings."""
    items = list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else []
    return bool(items) and isinstance(items[0], BaseModel)


def written(value: Any) -> str:
    """Return a value in YAML's flow style."""
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(written(item) for item in value) + "]"
    if isinstance(value, dict):
        assert not value
        return "{}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def allowed(field: FieldInfo) -> str:
    """Return kind and limits of a field."""
    return with_limits(kind_of(field.annotation), field.metadata)


def kind_of(annotation: Any) -> str:
    """Return in words what an annotation allows."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        (metadata,) = annotation.__metadata__
        return with_limits(kind_of(arguments[0]), metadata.metadata)
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
    """Return a kind and the limits that pydantic keeps beside it."""
    limits = [
        f"{SIGNS[name]} {written(getattr(item, name))}" for item in metadata for name in SIGNS if hasattr(item, name)
    ]
    return f"{kind} {', '.join(limits)}" if limits else kind


def test_keys_of_an_evaluation():
    rows = table_after(PAGE, "<!-- soso_core.gp.assessment.evaluation:Evaluation -->")
    assert [row[0].strip("`") for row in rows] == list(Evaluation.model_fields)


def test_findings_table_is_that_of_the_check():
    rows = table_after(PAGE, "<!-- soso_core.validation.finding:Kind -->")
    assert [row[0].strip("`") for row in rows] == [kind.value for kind in Kind]
    assert all(len(row) == 3 and row[1] and row[2] for row in rows)
