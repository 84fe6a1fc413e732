"""Every engine with an entry point `soso.label.*` fulfils the contract of LabelWorkChain, physics included."""

import pytest
from aiida.engine import run_get_node
from aiida.orm import Dict
from aiida.plugins import WorkflowFactory
from aiida.plugins.entry_point import get_entry_point_names
from label_contract import CHECKS, Bench, Runs, harnesses, the_label_is_complete_and_graded

from soso_core.errors import InputError
from soso_workchains.label.command import CommandLabelWorkChain
from soso_workchains.label.contract import LabelWorkChain
from soso_workflows.campaign.campaign_file import ENGINE_PREFIX
from soso_workflows.data.dataset import SosoDataset

ENGINES = sorted(name for name in get_entry_point_names("aiida.workflows") if name.startswith(ENGINE_PREFIX))
HARNESSES = harnesses()

pytestmark = [pytest.mark.aiida, pytest.mark.usefixtures("aiida_profile")]


@pytest.fixture(params=ENGINES)
def engine(request):
    return WorkflowFactory(request.param)


def test_there_is_an_engine_and_each_can_be_run():
    assert "soso.label.tight_binding" in ENGINES
    assert set(ENGINES) <= set(HARNESSES), "an engine needs a file tests/contracts/harness_<engine>.py"


def test_it_is_a_label_workchain(engine):
    assert issubclass(engine, LabelWorkChain)
    assert not getattr(engine, "__abstractmethods__", None)
    assert 0.0 < engine.FIELD_TOLERANCE <= 0.05


def test_inputs_and_outputs(engine):
    spec = engine.spec()
    assert spec.inputs["configuration"].required
    assert spec.inputs["configuration"].valid_type is SosoDataset
    assert spec.outputs["label"].valid_type is SosoDataset
    assert spec.outputs["quality"].valid_type is Dict
    assert spec.outputs["label"].required
    assert spec.outputs["quality"].required


def test_exit_codes(engine):
    codes = {code.status: label for label, code in engine.spec().exit_codes.items()}
    expected = {400: "ERROR_ENGINE_FAILED", 410: "ERROR_NOT_CONVERGED", 420: "ERROR_LABEL_INCOMPLETE"}
    assert expected.items() <= codes.items()


def test_an_unknown_setting_is_named(engine):
    with pytest.raises(InputError, match="no_such_key"):
        engine.validate_settings({"no_such_key": 1}, "campaign.yaml")


@pytest.mark.parametrize("name", ENGINES)
def test_settings_become_inputs(name, stand_in, tmp_path):
    engine, settings = WorkflowFactory(name), dict(HARNESSES[name].settings)
    inputs = engine.inputs_from_settings(engine.validate_settings(settings, "here"), stand_in(tmp_path))
    assert set(inputs) <= set(engine.spec().inputs)


def _physics():
    """Yield every engine with every check, marked by the time that it takes."""
    for name in filter(HARNESSES.get, ENGINES):
        for check in CHECKS:
            is_left_out = HARNESSES[name].costly and check is not the_label_is_complete_and_graded
            marks = [pytest.mark.long] if HARNESSES[name].slow else [pytest.mark.slow] if is_left_out else []
            yield pytest.param(name, check, marks=marks, id=f"{name.removeprefix(ENGINE_PREFIX)}-{check.__name__}")


@pytest.fixture(scope="module")
def runs(request, localhost, tmp_path_factory):
    """Return the labels of one engine, made for real."""
    harness = HARNESSES[request.param]
    if (reason := harness.missing()) is not None:
        pytest.skip(reason)
    bench = Bench(localhost, tmp_path_factory.mktemp("engine"), request.getfixturevalue)
    return Runs(WorkflowFactory(request.param), harness, harness.code(bench))


@pytest.mark.parametrize(("runs", "check"), _physics(), indirect=["runs"])
def test_physics(runs, check):
    check(runs)


BEHIND_SOSO = [name for name in ENGINES if issubclass(WorkflowFactory(name), CommandLabelWorkChain)]


@pytest.fixture(params=BEHIND_SOSO)
def label(request, stand_in, tmp_path, pair_dataset):
    """Return a function that labels one configuration with an engine whose command has these faults."""

    def run(**faults):
        engine = WorkflowFactory(request.param)
        inputs = engine.inputs_from_settings(engine.validate_settings({}, "here"), stand_in(tmp_path, **faults))
        configuration = SosoDataset.from_configurations([pair_dataset[0].configuration])
        return run_get_node(engine, configuration=configuration, **inputs)

    return run


def test_a_label_comes_out(label, pair_dataset):
    results, node = label()
    assert node.is_finished_ok, node.exit_message
    item = results["label"].get_dataset()[0]
    assert item.energy == pytest.approx(pair_dataset[0].energy, abs=1e-12)
    for name in LabelWorkChain.REQUIRED_LABELS:
        assert getattr(item, name) is not None
    assert results["quality"]["converged"] is True


@pytest.mark.parametrize(("fault", "status"), [("not-converged", 410), ("crash", 400)])
def test_a_failure_says_why(label, fault, status):
    results, node = label(label={"0": fault})
    assert node.exit_status == status
    assert fault in node.exit_message
    assert "label" not in results


def test_one_configuration_at_a_time(pair_dataset, stand_in, tmp_path):
    engine = WorkflowFactory("soso.label.tight_binding")
    with pytest.raises(ValueError, match="one configuration, not 6"):
        run_get_node(engine, configuration=SosoDataset.from_dataset(pair_dataset), code=stand_in(tmp_path))
