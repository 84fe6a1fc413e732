"""The page of settings has a generated table for every model of settings, and every key has a meaning."""

import re
import sys
from typing import Any, get_args

import pytest
from pages import ROOT, table_after
from pydantic import BaseModel, Field

from soso_core.gp.assessment.evaluation import Evaluation
from soso_core.validation import Kind

sys.path.insert(0, str(ROOT / "docs" / "extensions"))
from settings_tables import load_model, table_rows

PAGE = ROOT / "docs" / "reference" / "commands.md"
NAMES = re.findall(r"^```\{settings\} (\S+)$", PAGE.read_text(encoding="utf8"), re.MULTILINE)
MODELS = {load_model(name) for name in NAMES}


class Example(BaseModel):
    """One field of each kind."""

    mesh: tuple[int, int] = Field(default=(1, 2), description="points")
    width_ev: float | None = Field(default=None, gt=0.0, le=1e-5, description="width")
    name: str = Field(description="label")
    parts: dict[str, "Example"] = Field(default={}, description="parts")


def models_in(annotation: Any) -> set[type[BaseModel]]:
    """Return the models that an annotation contains."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return set().union(*(models_in(argument) for argument in get_args(annotation)))


def test_rows_of_an_example():
    assert table_rows(Example) == [
        ("`mesh`", "`[1, 2]`", "2, each integer", "points"),
        ("`width_ev`", "`null`", "null or number > 0, ≤ 1e-05", "width"),
        ("`name`", "required", "text", "label"),
        ("`parts`", "`{}`", "keys", "parts"),
    ]


def test_a_key_without_a_meaning_is_an_error():
    class Silent(BaseModel):
        size: int = 1

    with pytest.raises(ValueError, match="no description of size"):
        table_rows(Silent)


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_the_page_has_a_meaning(name):
    assert len(table_rows(load_model(name))) == len(load_model(name).model_fields)


def test_models_inside_a_table_have_a_table():
    annotations = [field.annotation for model in MODELS for field in model.model_fields.values()]
    assert len(NAMES) == len(MODELS) >= 19
    assert set().union(*map(models_in, annotations)) <= MODELS


def test_keys_of_an_evaluation():
    rows = table_after(PAGE, "<!-- soso_core.gp.assessment.evaluation:Evaluation -->")
    assert [row[0].strip("`") for row in rows] == list(Evaluation.model_fields)


def test_findings_table_is_that_of_the_check():
    rows = table_after(PAGE, "<!-- soso_core.validation.finding:Kind -->")
    assert [row[0].strip("`") for row in rows] == [kind.value for kind in Kind]
    assert all(len(row) == 3 and row[1] and row[2] for row in rows)
