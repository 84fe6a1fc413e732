"""The engine `replay`: what it hands back, what it refuses, and how its file makes a campaign."""

from dataclasses import replace

import pytest
import yaml
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from aiida_fixtures import labelled_pair

from soso_core.dataset import Dataset
from soso_core.errors import InputError
from soso_core.formats import write_dataset
from soso_core.labels import LabelledConfiguration
from soso_workflows.campaign.campaign_file import describe, read_campaign
from soso_workflows.data.dataset import SosoDataset

pytestmark = pytest.mark.aiida

QUALITY = {"label_grade": "C", "angle_degree": 4.5}


@pytest.fixture
def asked(aiida_profile, pair_dataset):
    """Return a function that labels a configuration with five pairs as the pool: one of grade C, one an energy only."""
    items = list(pair_dataset.subset(range(5)))
    items[2] = replace(items[2], info={**QUALITY, "source": "mine"}, stress_cc=None)
    items[3] = LabelledConfiguration(items[3].configuration, energy=items[3].energy)
    pool = SosoDataset.from_dataset(items)

    def label(configuration, **info):
        node = SosoDataset.from_dataset([replace(pair_dataset[0], configuration=configuration, energy=None, info=info)])
        return run_get_node(WorkflowFactory("soso.label.replay"), configuration=node, pool=pool)

    return label


def test_the_label_is_that_of_the_pool(asked, pair_dataset):
    results, node = asked(pair_dataset[2].configuration, generator="file", label_grade="B")
    assert node.is_finished_ok, node.exit_message
    label = results["label"].get_dataset()[0]
    assert label.digest == replace(pair_dataset[2], info=QUALITY, stress_cc=None).digest
    assert {**QUALITY, "source": "mine", "generator": "file"}.items() <= label.info.items()
    assert QUALITY.items() <= results["quality"].get_dict().items()


def test_a_label_without_a_grade_is_an_a(asked, pair_dataset):
    results, _ = asked(pair_dataset[0].configuration)
    assert results["label"].get_dataset()[0].info["label_grade"] == results["quality"]["label_grade"] == "A"


def test_an_energy_is_enough(asked, pair_dataset):
    results, node = asked(pair_dataset[3].configuration)
    assert node.is_finished_ok, node.exit_message
    label = results["label"].get_dataset()[0]
    assert label.energy == pair_dataset[3].energy
    assert label.exchange_fields_ac is label.forces_ac is label.moment_magnitudes_a is None


def test_what_is_not_in_the_pool_has_an_exit_code_of_its_own(asked, pair_dataset):
    results, node = asked(pair_dataset[5].configuration)
    assert node.exit_status == 480
    assert "not in the labelled pool" in node.exit_message
    assert len(node.exit_message.splitlines()) == 1
    assert "label" not in results


@pytest.fixture
def written(tmp_path, pair_dataset):
    """Return a function that writes a rehearsal, its pool beside it, and returns its path."""

    def write(pool=pair_dataset, folder="here", generator=None, policy=None, n_candidates=200, **settings):
        path = tmp_path / folder / "campaign.yaml"
        path.parent.mkdir(exist_ok=True)
        (path.parent / "fe.xyz").write_text('1\nLattice="3 0 0 0 3 0 0 0 3" pbc="T T T"\nFe 0 0 0\n')
        write_dataset(path.parent / "pool.extxyz", pool)
        write_dataset(path.parent / "asked.extxyz", pair_dataset)
        generators = [{"kind": "file", "file": "asked.extxyz", **(generator or {})}]
        values = {
            "name": "rehearsal",
            "structure": "fe.xyz",
            "engine": "replay",
            "engine_settings": {"dataset": "pool.extxyz", **settings},
            "exploration": {"generators": generators, "n_candidates": n_candidates},
            "policy": policy or {},
        }
        path.write_text(yaml.safe_dump(values))
        return path

    return write


def test_its_file_starts_at_the_campaign_file_and_is_known_by_its_content(written, pair_dataset):
    here, there = read_campaign(written()), read_campaign(written(folder="there"))
    assert here.engine_settings != there.engine_settings
    before = here.fingerprint
    assert there.fingerprint == before
    assert read_campaign(written([*pair_dataset, labelled_pair(6)])).fingerprint != before
    told = describe(there)
    assert told["pool"].endswith("there/pool.extxyz: 6 labels, 6 with fields, 6 with forces")
    assert told["cost"].startswith("none")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "nowhere.extxyz"}, r"engine_settings: dataset: cannot read .*nowhere.extxyz"),
        (
            {"policy": {"n_initial": 8}, "n_candidates": 7},
            "exploration.n_candidates: 7 is less than policy.n_initial",
        ),
        (
            {"policy": {"batch_size": 9}, "n_candidates": 8},
            "exploration.n_candidates: 8 is less than policy.batch_size",
        ),
        ({"datset": "pool.extxyz"}, "unknown key 'datset'; known keys: dataset"),
        ({"generator": {"strain": 0.01}}, "generators.0: configurations generated by file have no label in the pool"),
        (
            {"generator": {"kind": "random", "file": None}},
            "configurations generated by random have no label in the pool",
        ),
    ],
)
def test_what_cannot_be_rehearsed_gets_one_line(written, changes, words):
    path = written(**changes)
    with pytest.raises(InputError, match=words):
        read_campaign(path)


def test_the_file_of_a_generator_may_hold_nothing_but_the_pool(written, pair_dataset):
    """A part of the pool is well; the first configuration that nobody has labelled is named."""
    assert read_campaign(written([*pair_dataset, labelled_pair(6)]))
    with pytest.raises(InputError, match=r"generators.0: .*asked.extxyz, configuration 4: .*not in the labelled pool"):
        read_campaign(written(pair_dataset.subset([0, 1, 2, 3, 5])))


def test_a_pool_needs_energies(written, pair_dataset):
    pool = Dataset((pair_dataset[0], replace(pair_dataset[1], energy=None)))
    with pytest.raises(InputError, match="configuration 1: there is no energy"):
        read_campaign(written(pool))
