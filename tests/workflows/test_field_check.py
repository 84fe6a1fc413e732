"""Energies against fields after every fit: a warning beyond ten per cent."""

from types import SimpleNamespace

import pytest

from soso_workflows.functions import _field_check


def fitted(scale):
    model = SimpleNamespace(scales=SimpleNamespace(field_scale=scale))
    return SimpleNamespace(get_model=lambda: model)


@pytest.mark.parametrize("scale", [0.91, 1.0, 1.09])
def test_a_small_disagreement_is_none(scale):
    assert _field_check(fitted(scale)) == {"field_scale": scale, "warnings": []}


@pytest.mark.parametrize("scale", [0.89, 1.11])
def test_a_large_one_is_named(scale):
    (warning,) = _field_check(fitted(scale))["warnings"]
    assert f"{scale:.2f} times" in warning


def test_no_model_no_check():
    assert _field_check(None) == {}
