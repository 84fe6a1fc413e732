"""What the CalcJobs write and call, without running anything."""

import pytest
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.orm import Dict, Int, StructureData
from aiida.plugins import CalculationFactory
from ase.build import bulk
from ase.io import read

from soso_core.settings import read_yaml
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel

pytestmark = pytest.mark.aiida


@pytest.fixture
def prepare(stand_in, tmp_path):
    """Return a function that prepares a calculation: (calc_info, folder)."""

    def factory(name: str, **inputs):
        runner = get_manager().get_runner()
        process = instantiate_process(runner, CalculationFactory(name), code=stand_in(tmp_path), **inputs)
        folder = SandboxFolder()
        return process.prepare_for_submission(folder), folder

    return factory


def test_fit(prepare, pair_dataset):
    dataset = SosoDataset.from_dataset(pair_dataset)
    info, folder = prepare("soso.fit", dataset=dataset, seed=Int(5), settings=Dict({"zeta": 3}))
    words = "fit train.extxyz -o model.soso --seed 5 --settings settings.yaml"
    assert info.codes_info[0].cmdline_params == words.split()
    assert read_yaml(folder.get_abs_path("settings.yaml")) == {"zeta": 3}
    assert info.local_copy_list == [(dataset.uuid, dataset.filename, "train.extxyz")]
    assert "model.soso" in info.retrieve_list


def test_fit_without_settings_lets_the_command_choose(prepare, pair_dataset):
    info, folder = prepare("soso.fit", dataset=SosoDataset.from_dataset(pair_dataset), seed=Int(5))
    assert "--settings" not in info.codes_info[0].cmdline_params
    assert folder.get_content_list() == []


@pytest.mark.parametrize("with_model", [False, True])
def test_explore(prepare, model_file, with_model):
    structure = StructureData(ase=bulk("Fe", "bcc", a=2.8512345678901, cubic=True))
    inputs = {"model": SosoModel(model_file)} if with_model else {}
    exploration = Dict({"n_candidates": 9})
    info, folder = prepare(
        "soso.explore", structure=structure, exploration=exploration, n_select=Int(3), seed=Int(4), **inputs
    )
    verb = ["explore", "model.soso"] if with_model else ["generate"]
    assert info.codes_info[0].cmdline_params == [*verb, "settings.yaml", "-o", "candidates.extxyz"]
    assert len(info.local_copy_list) == int(with_model)
    settings = read_yaml(folder.get_abs_path("settings.yaml"))
    expected = {"n_candidates": 9, "n_select": 3, "seed": 4, "structure": "POSCAR"}
    assert settings == expected
    assert read(folder.get_abs_path("POSCAR")).cell.array[0, 0] == 2.8512345678901


def test_explore_gets_the_files_of_the_user(prepare, pair_dataset):
    mine = SosoDataset.from_dataset(pair_dataset)
    structure = StructureData(ase=bulk("Fe", "bcc", a=2.85, cubic=True))
    exploration = Dict({"generators": [{"kind": "file", "file": "file_0.extxyz"}]})
    inputs = {"exploration": exploration, "n_select": Int(1), "seed": Int(0), "user_files": {"file_0": mine}}
    info, _ = prepare("soso.explore", structure=structure, **inputs)
    assert info.local_copy_list == [(mine.uuid, mine.filename, "file_0.extxyz")]


def test_explore_gets_the_labels_that_are_known(prepare, pair_dataset, model_file):
    known, model = SosoDataset.from_dataset(pair_dataset), SosoModel(model_file)
    inputs = {"structure": StructureData(ase=bulk("Fe", "bcc", a=2.85, cubic=True)), "exploration": Dict({})}
    inputs |= {"n_select": Int(1), "seed": Int(0), "model": model, "known": known}
    info, folder = prepare("soso.explore", **inputs)
    assert (known.uuid, known.filename, "known.extxyz") in info.local_copy_list
    settings = read_yaml(folder.get_abs_path("settings.yaml"))
    assert settings["known"] == "known.extxyz"


def test_fit_updates_a_model(prepare, pair_dataset, model_file):
    dataset, model = SosoDataset.from_dataset(pair_dataset), SosoModel(model_file)
    info, _ = prepare("soso.fit", dataset=dataset, seed=Int(5), model=model)
    words = "fit train.extxyz -o model.soso --seed 5 --update old.soso"
    assert info.codes_info[0].cmdline_params == words.split()
    assert (model.uuid, model.filename, "old.soso") in info.local_copy_list


def test_alternatives(prepare, pair_dataset, model_file):
    dataset, model = SosoDataset.from_dataset(pair_dataset), SosoModel(model_file)
    info, _ = prepare("soso.alternatives", dataset=dataset, model=model, seed=Int(2))
    words = "compare-models model.soso train.extxyz -o alternatives.json --seed 2"
    assert info.codes_info[0].cmdline_params == words.split()
    assert {name for _, _, name in info.local_copy_list} == {"model.soso", "train.extxyz"}


def test_label(prepare, pair_dataset):
    configuration = SosoDataset.from_configurations([pair_dataset[0].configuration])
    info, _ = prepare("soso.label.tight_binding", configuration=configuration)
    words = "label tight-binding configuration.extxyz -o labelled.extxyz"
    assert info.codes_info[0].cmdline_params == words.split()
    assert info.append_text == "echo $? > soso.exit"
