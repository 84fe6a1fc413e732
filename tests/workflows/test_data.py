"""The data types: what goes in comes out, and what is not valid does not go in."""

import io

import numpy as np
import pytest

from soso_core.errors import InputError
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel

pytestmark = [pytest.mark.aiida, pytest.mark.usefixtures("aiida_profile")]


def test_dataset_round_trip(pair_dataset):
    node = SosoDataset.from_dataset(pair_dataset).store()
    assert node.get_dataset().fingerprint == pair_dataset.fingerprint
    assert node.n_configurations == 6
    assert node.is_fully_labelled
    assert node.base.attributes.get("species") == ["Fe"]
    assert node.base.attributes.get("n_field_configurations") == 6


def test_configurations_without_labels(pair_dataset):
    node = SosoDataset.from_configurations([item.configuration for item in pair_dataset])
    assert node.base.attributes.get("n_energies") == 0
    assert not node.is_fully_labelled
    spins_ac = node.get_dataset()[0].configuration.spins_ac
    np.testing.assert_array_equal(spins_ac, pair_dataset[0].configuration.spins_ac)


@pytest.mark.parametrize("content", ["", "2\ntruncated", "not xyz at all"])
def test_an_invalid_dataset_is_refused(content):
    with pytest.raises(InputError):
        SosoDataset(io.StringIO(content))


def test_model_round_trip(model_file, pair_dataset):
    node = SosoModel(model_file).store()
    configuration = pair_dataset[0].configuration
    again = SosoModel(io.BytesIO(node.content))
    assert again.get_model().predict(configuration).energy == node.get_model().predict(configuration).energy
    assert node.base.attributes.get("n_configurations") == 6
    assert node.base.attributes.get("species") == ["Fe"]


def test_a_truncated_model_is_refused(model_file):
    content = model_file.read_bytes()
    with pytest.raises(InputError):
        SosoModel(io.BytesIO(content[: len(content) // 2]))
