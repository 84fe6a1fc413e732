"""Parsers on stored outputs, with the faults that outputs have."""

import io
import json

import pytest
from aiida.common.links import LinkType
from aiida.common.log import configure_logging
from aiida.orm import CalcJobNode, FolderData, Int, Log
from aiida.plugins import CalculationFactory, ParserFactory
from aiida.plugins.entry_point import format_entry_point_string

from soso_workflows.calculations.base import ONE_THREAD, SosoCalculation
from soso_workflows.data.dataset import SosoDataset

pytestmark = pytest.mark.aiida


@pytest.fixture
def parse(localhost):
    """Return a function that parses files as if a job of the named plugin had written them."""

    def factory(name: str, files: dict[str, bytes], **inputs):
        process_type = format_entry_point_string("aiida.calculations", name)
        node = CalcJobNode(computer=localhost, process_type=process_type)
        node.set_option("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 1})
        for label, value in inputs.items():
            node.base.links.add_incoming(value.store(), link_type=LinkType.INPUT_CALC, link_label=label)
        node.store()
        retrieved = FolderData()
        for path, content in files.items():
            retrieved.base.repository.put_object_from_filelike(io.BytesIO(content), path)
        retrieved.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label="retrieved")
        retrieved.store()
        return ParserFactory(name).parse_from_node(node, store_provenance=False)

    return factory


@pytest.fixture
def labelled_text(pair_dataset) -> bytes:
    return SosoDataset.from_dataset([pair_dataset[0]]).content


def test_a_good_label(parse, labelled_text):
    results, job = parse("soso.label.tight_binding", {"soso.exit": b"0\n", "labelled.extxyz": labelled_text})
    assert job.is_finished_ok, job.exit_message
    assert results["label"].is_fully_labelled
    assert results["quality"]["converged"] is True


@pytest.mark.parametrize(
    ("status", "stderr", "expected"),
    [
        (None, b"", 300),
        (b"137\n", b"", 300),
        (b"0\n", b"", 301),
        (b"2\n", b"Error: unknown key 'k_mush'", 310),
        (b"1\n", b"Traceback", 320),
        (b"1\n", b"", 320),
        (b"3\n", b"Error: residual 2e-3 after 60 iterations", 410),
    ],
)
def test_how_a_command_fails(parse, status, stderr, expected):
    files = {"soso.err": stderr} if status is None else {"soso.err": stderr, "soso.exit": status}
    _, job = parse("soso.label.tight_binding", files)
    assert job.exit_status == expected
    assert stderr.decode() in job.exit_message


def test_a_truncated_label(parse, labelled_text):
    files = {"soso.exit": b"0\n", "labelled.extxyz": labelled_text[: len(labelled_text) // 2]}
    _, job = parse("soso.label.tight_binding", files)
    assert job.exit_status == 302
    assert "labelled.extxyz" in job.exit_message


def test_a_label_without_labels(parse, pair_dataset):
    content = SosoDataset.from_configurations([pair_dataset[0].configuration]).content
    _, job = parse("soso.label.tight_binding", {"soso.exit": b"0\n", "labelled.extxyz": content})
    assert job.exit_status == 302
    assert "energy" in job.exit_message


def test_a_model(parse, model_file):
    results, job = parse("soso.fit", {"soso.exit": b"0\n", "model.soso": model_file.read_bytes()})
    assert job.is_finished_ok
    assert results["model"].base.attributes.get("n_energies") == 6


def test_a_truncated_model(parse, model_file):
    _, job = parse("soso.fit", {"soso.exit": b"0\n", "model.soso": model_file.read_bytes()[:100]})
    assert job.exit_status == 302


@pytest.mark.parametrize(("asked", "expected"), [(6, 0), (7, 0), (5, 302)])
def test_a_batch(parse, pair_dataset, asked, expected):
    """There may be fewer that are new than were asked for, and never more."""
    content = SosoDataset.from_configurations([item.configuration for item in pair_dataset]).content
    _, job = parse("soso.explore", {"soso.exit": b"0\n", "candidates.extxyz": content}, n_select=Int(asked))
    assert job.exit_status == expected


def test_notes_of_an_exploration_are_warnings(parse, pair_dataset):
    content = SosoDataset.from_configurations([item.configuration for item in pair_dataset]).content
    files = {
        "soso.exit": b"0\n",
        "candidates.extxyz": content,
        "soso.out": b"next batch\nnote: 7 of 12 left out\n6 written\n",
    }
    configure_logging(with_orm=True)  # a command run in this interpreter may have taken the database's handler away
    parse("soso.explore", files, n_select=Int(6))
    assert [log.message for log in Log.collection.all() if "of 12 left" in log.message] == ["7 of 12 left out"]


LEARNING = {"energy_rmse_meV_per_spin": 2.0, "half_energy_rmse_meV_per_spin": 3.0}
ALTERNATIVE = {"name": "x", "energy_rmse_meV_per_spin": 1.0, "present_rmse_meV_per_spin": 2.0}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (json.dumps({"learning_curve": LEARNING, "alternatives": [ALTERNATIVE]}), 0),
        (json.dumps({"learning_curve": LEARNING, "alternatives": [ALTERNATIVE]})[:40], 302),
        (json.dumps({"learning_curve": LEARNING, "alternatives": [{"name": "x"}]}), 302),
        (json.dumps({"learning_curve": {"energy_rmse_meV_per_spin": 2.0}, "alternatives": [ALTERNATIVE]}), 302),
        (json.dumps({"alternatives": [ALTERNATIVE]}), 302),
        ("[]", 302),
    ],
)
def test_alternatives(parse, content, expected):
    results, job = parse("soso.alternatives", {"soso.exit": b"0\n", "alternatives.json": content.encode()})
    assert job.exit_status == expected
    assert expected or results["alternatives"].get_dict() == {"learning_curve": LEARNING, "alternatives": [ALTERNATIVE]}


@pytest.mark.parametrize("name", ["soso.fit", "soso.explore", "soso.alternatives", "soso.label.tight_binding"])
def test_each_calculation_has_its_parser(name):
    options = CalculationFactory(name).spec().inputs["metadata"]["options"]
    assert options["parser_name"].default == name
    assert options["withmpi"].default is False
    environment = options["environment_variables"].default()
    assert environment["OMP_NUM_THREADS"] == "1"
    assert ("SOSO_NUM_THREADS" in environment) == name.startswith("soso.label")


def test_an_engine_of_somebody_else_keeps_to_one_core():
    assert SosoCalculation.spec().inputs["metadata"]["options"]["environment_variables"].default() == ONE_THREAD
