"""How often a step of a campaign reads the files of its nodes, and whether attributes agree with the files."""

import io
from dataclasses import replace

import pytest
from aiida.orm import Str, load_node
from aiida_fixtures import labelled_pair

from soso_core.formats import format_extxyz
from soso_workflows.data import dataset as nodes
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel
from soso_workflows.functions import loop as functions

pytestmark = [pytest.mark.aiida, pytest.mark.usefixtures("aiida_profile")]


@pytest.fixture
def parsed(monkeypatch):
    """Return the list of names of parsed files; it grows."""
    names = []

    def parse(text, name):
        names.append(name)
        return parse_text(text, name)

    parse_text = nodes.parse_extxyz
    monkeypatch.setattr(nodes, "parse_extxyz", parse)
    return names


def test_a_batch_reads_each_label_once_and_the_merged_dataset_when_it_is_made(parsed, model_file):
    made = [SosoDataset.from_dataset([labelled_pair(seed)]).store() for seed in (20, 21, 22)]
    known = SosoDataset.from_dataset([labelled_pair(seed) for seed in (23, 24)]).store()
    model, grade = SosoModel(model_file).store(), Str("C")
    labels = {f"label_{index:03d}": load_node(node.pk) for index, node in enumerate(made)}
    parsed.clear()
    assert all(functions.is_usable(label, "C") for label in labels.values())
    assert all(label.is_fully_labelled and "forces_ac" in label.labels for label in labels.values())
    assert parsed == []
    blind = functions.test_blind(model, grade, **labels)
    assert len(parsed) == 3
    merged = functions.merge_labels(grade, dataset=known, **labels)
    assert len(parsed) == 4
    assert not merged.digests <= model.digests
    functions.record_batch(min_grade=grade, dataset=merged, evaluation=blind["evaluation"], **labels)
    assert len(parsed) == 4


def test_a_split_batch_reads_each_new_node_once(parsed):
    candidates = SosoDataset.from_configurations([labelled_pair(seed).configuration for seed in (0, 1)])
    parsed.clear()
    split = functions.split_batch(candidates)
    assert len(parsed) == len(split) == 2
    assert split["configuration_001"].get_dataset()[0].configuration.n_magnetic == 2
    assert len(parsed) == 2


def test_attributes_agree_with_the_file():
    node = load_node(SosoDataset.from_dataset([labelled_pair(0), labelled_pair(1)]).store().pk)
    dataset = node.get_dataset()
    assert node.digests == {item.digest for item in dataset}
    assert node.grades == [item.grade for item in dataset]
    assert node.get_dataset() is dataset


def test_only_labels_of_every_configuration_are_listed():
    partial = replace(labelled_pair(1), forces_ac=None)
    for items in ([labelled_pair(0), partial], [partial, labelled_pair(0)]):
        node = SosoDataset.from_dataset(items)
        assert node.labels == ["energy", "exchange_fields_ac", "moment_magnitudes_a", "stress_cc"]
        assert node.find_missing_labels(["energy", "forces_ac"]) == ["forces_ac"]


def test_another_file_replaces_the_content():
    node, other = SosoDataset.from_dataset([labelled_pair(0)]), SosoDataset.from_dataset([labelled_pair(1)])
    node.set_file(io.BytesIO(format_extxyz([labelled_pair(1)]).encode()))
    assert node.digests == other.digests
    assert node.get_dataset()[0].digest == other.get_dataset()[0].digest
