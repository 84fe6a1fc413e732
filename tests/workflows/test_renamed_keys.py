"""A campaign file with an old key gets one line that names the new key, wherever the key stands, or the remedy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml

import soso_workchains
from soso_core.active.offline.study import StudySettings
from soso_core.dynamics.monte_carlo.simulation import MonteCarloSettings
from soso_core.engines.abinit.settings import AbinitSettings
from soso_core.engines.gpaw.settings import GpawSettings
from soso_core.engines.tight_binding.settings import TightBindingSettings
from soso_core.engines.vasp.settings import VaspSettings
from soso_core.errors import InputError
from soso_core.gp.model.settings import FitSettings
from soso_core.settings import REMOVED_KEYS, RENAMED_KEYS, Settings
from soso_workflows.campaign.campaign_file import CampaignSettings, read_campaign
from soso_workflows.vasp.settings import VaspLabelSettings

DEMO = Path(soso_workchains.__file__).parent / "campaigns" / "bcc_fe_demo.yaml"
ENGINES = {
    "abinit": [(AbinitSettings, ())],
    "gpaw": [(GpawSettings, ())],
    "tight_binding": [(TightBindingSettings, ())],
    "vasp": [(VaspLabelSettings, ()), (VaspSettings, ("overrides",))],
}


def places(kind: Any, key: str, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of a key in settings of this kind; a list has one entry, a mapping the entry Fe."""
    if isinstance(kind, type) and issubclass(kind, Settings):
        for name, field in kind.model_fields.items():
            if name == key:
                yield (*path, name)
            yield from places(field.annotation, key, (*path, name))
        return
    inner = {list: (0,), tuple: (0,), dict: ("Fe",)}.get(get_origin(kind), ())
    for argument in get_args(kind):
        yield from places(argument, key, (*path, *inner))


def campaign_with(engine: str, path: tuple[str | int, ...], key: str) -> dict[str, Any]:
    """Return the demo for an engine, with a key at a path."""
    value: Any = {key: 1.0}
    for part in reversed(path[:-1]):
        value = [value] if part == 0 else {part: value}
    demo = {**yaml.safe_load(DEMO.read_text(encoding="utf8")), "engine": engine, "engine_settings": {}}
    return {**demo, **value}


CASES = [
    pytest.param("tight_binding", path, old, id=f"{old}-in-{'.'.join(map(str, path[:-1])) or 'campaign'}")
    for old, new in RENAMED_KEYS.items()
    for path in places(CampaignSettings, new)
] + [
    pytest.param(engine, path, old, id=f"{old}-in-{engine}")
    for old, new in RENAMED_KEYS.items()
    for engine, kinds in ENGINES.items()
    for kind, prefix in kinds
    for path in places(kind, new, ("engine_settings", *prefix))
]


REMOVED = {
    "score": ("exploration", "score"),
    "only_if_worth_it": ("exploration", "only_if_worth_it"),
    "penalty_width": ("fit", "penalty_width"),
}


def error_of(content: dict[str, Any], folder: Path) -> str:
    """Return the error of a campaign file without the name of the file."""
    (folder / "bcc_fe.cif").write_text((DEMO.parent / "bcc_fe.cif").read_text(encoding="utf8"), encoding="utf8")
    file = folder / "campaign.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf8")
    with pytest.raises(InputError) as caught:
        read_campaign(file)
    source, _, text = str(caught.value).partition(": ")
    assert source == str(file)
    assert len(text.splitlines()) == 1
    return text


@pytest.mark.aiida
@pytest.mark.parametrize(("engine", "path", "old"), CASES)
def test_an_old_key_in_a_campaign_is_named_with_the_new_one(engine, path, old, tmp_path):
    message = error_of(campaign_with(engine, path, old), tmp_path)
    assert f"{old}' has been renamed to '{RENAMED_KEYS[old]}'" in message


@pytest.mark.aiida
def test_a_new_name_that_belongs_to_another_section_is_not_offered(tmp_path):
    message = error_of(campaign_with("vasp", ("engine_settings", "x"), "minimum_moment_ub"), tmp_path)
    assert message.startswith("engine_settings: unknown key 'minimum_moment_ub'; known keys: protocol, overrides, ")


@pytest.mark.aiida
def test_an_unknown_key_below_an_optional_section_gets_the_keys_of_the_section(tmp_path):
    message = error_of(campaign_with("tight_binding", ("fit", "x"), "colour"), tmp_path)
    assert message == f"unknown key 'fit.colour'; known keys: {', '.join(FitSettings.model_fields)}"


@pytest.mark.aiida
@pytest.mark.parametrize(("old", "path"), REMOVED.items())
def test_a_removed_key_gets_its_remedy(old, path, tmp_path):
    message = error_of(campaign_with("tight_binding", path, old), tmp_path)
    assert message == f"key '{'.'.join(path)}' has been removed; {REMOVED_KEYS[old]}"


@pytest.mark.aiida
def test_a_removed_acquisition_function_gets_its_remedy(tmp_path):
    demo = yaml.safe_load(DEMO.read_text(encoding="utf8"))
    message = error_of({**demo, "exploration": {"acquisition": "farthest-point"}}, tmp_path)
    remedy = REMOVED_KEYS["farthest-point"]
    assert message == f"exploration.acquisition: the value farthest-point has been removed; {remedy}"


def test_every_new_name_is_a_key_of_some_settings():
    assert {StudySettings, MonteCarloSettings} < set(_all_settings(Settings)), "imported, with all that they import"
    known = {name for kind in _all_settings(Settings) for name in kind.model_fields}
    assert set(RENAMED_KEYS.values()) <= known


def _all_settings(kind: type[Settings]) -> Iterator[type[Settings]]:
    for found in kind.__subclasses__():
        yield found
        yield from _all_settings(found)
