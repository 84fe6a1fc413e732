"""Campaign files: what is right is read, what is wrong gets one line that names it."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from aiida.orm import Computer, InstalledCode
from ase.build import bulk

import soso_workchains
from soso_core.errors import InputError
from soso_core.formats import write_configurations, write_dataset
from soso_workflows.campaign.campaign_file import describe, read_campaign
from soso_workflows.campaign.launch import find_launch_problems
from soso_workflows.provenance import costs

pytestmark = pytest.mark.aiida

CAMPAIGNS = Path(soso_workchains.__file__).parent / "campaigns"
DEMO = CAMPAIGNS / "bcc_fe_demo.yaml"


@pytest.fixture
def written(tmp_path):
    """Return a function that writes the demo campaign with changes and returns its path."""

    def write(**changes) -> Path:
        values = {**yaml.safe_load(DEMO.read_text()), **changes}
        (tmp_path / "bcc_fe.cif").write_text((CAMPAIGNS / "bcc_fe.cif").read_text())
        path = tmp_path / "campaign.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not None}))
        return path

    return write


@pytest.mark.parametrize("path", sorted(CAMPAIGNS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_campaign_that_comes_with_the_package_is_valid(path):
    assert read_campaign(path).settings.name


@pytest.mark.usefixtures("aiida_profile")
def test_every_supercell_of_the_gpaw_demo_is_told():
    told = describe(read_campaign(CAMPAIGNS / "bcc_fe_gpaw.yaml"))
    assert [part.split(",")[0] for part in told["cell"].split("; ")] == ["Fe2", "Fe4"]
    assert told["k-points"] == "1 x 2 x 2"


@pytest.mark.usefixtures("aiida_profile")
def test_the_demo_is_what_the_documentation_says():
    told = describe(read_campaign(DEMO))
    assert told["labels at most"].startswith("30 ")
    assert told["cell"].startswith("Fe16, 16 atoms, 5.700 x 5.700 x 5.700")
    assert told["k-points"] == "3 x 3 x 3"
    assert told["target"] == "upper bound of the blind error (80% confidence) at or below 1 meV per spin"


@pytest.mark.usefixtures("aiida_profile")
def test_a_dry_run_shows_settings_as_lines_of_yaml(written):
    told = describe(read_campaign(written(fit={"zeta": 2}, policy={"target_field_meV": 5.0})))
    settings = read_campaign(written()).settings.exploration.model_dump(mode="json")
    assert yaml.safe_load(told["exploration"]) == settings
    assert told["fit"] == "\n  zeta: 2"
    assert "\n  k_mesh: " in told["engine settings"]
    assert told["target"].endswith(", that of the effective fields at or below 5 meV")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"structrue": "x.cif"}, "unknown key 'structrue'"),
        ({"structure": "nowhere.cif"}, "nowhere.cif: no such file"),
        ({"structure": "campaign.yaml"}, "cannot read structure "),
        ({"policy": {"max_labels": -4}}, "policy.max_labels"),
        ({"policy": {"max_labels": 4}}, "policy: max_labels (4) is smaller than n_initial (5)"),
        ({"policy": [1]}, "policy: expected keys and values"),
        ({"engine_settings": [1]}, "engine_settings: expected keys and values"),
        ({"seed": True}, "seed: true and false are not allowed"),
        ({"policy": {"max_lables": 4}}, "unknown key 'policy.max_lables'"),
        ({"seed": "tomorrow"}, "seed"),
        ({"engine": "crystal_ball"}, "'crystal_ball' is not installed; known: "),
        ({"engine_settings": {"k_mush": [1, 1, 1]}}, "unknown key 'k_mush'"),
        ({"exploration": {"supercell": [2, 2]}}, "exploration.supercell"),
        ({"name": None}, "name"),
    ],
)
def test_a_fault_gets_one_line_that_names_it(written, changes, words):
    path = written(**changes)
    with pytest.raises(InputError) as caught:
        read_campaign(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_is_no_campaign(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n")
    with pytest.raises(InputError, match="expected keys and values"):
        read_campaign(path)


VASP = {
    "engine": "vasp",
    "engine_code": "vasp@cluster",
    "engine_settings": {
        "protocol": "fast",
        "potential_family": "PBE.54",
        "potential_mapping": {"Fe": "Fe_pv"},
        "rwigs_angstrom": {"Fe": 1.302},
        "initial_moments_muB": {"Fe": 2.3},
        "field_scale": "measure",
    },
}


def vasp(**changes):
    return {**VASP, "engine_settings": {**VASP["engine_settings"], **changes}}


@pytest.mark.usefixtures("aiida_profile")
def test_a_dry_run_of_vasp_shows_incar_mesh_and_cost(written, monkeypatch):
    monkeypatch.setattr(costs, "_newest_with_cost", lambda *_: None)  # other tests label with VASP in this profile
    told = describe(read_campaign(written(**vasp())))
    assert told["engine code"] == "vasp@cluster"
    assert told["potentials"] == "PBE.54: Fe_pv"
    assert told["k-points"] == "3 x 3 x 3"
    assert told["constraint"] == "1 -> 10 eV/μB²"
    assert "  ENCUT = 300\n" in told["INCAR (first step)"]
    assert "  MAGMOM = 0 0 2.3 0 0 2.3 0 0 2.3 ... (48 numbers)\n" in told["INCAR (first step)"]
    assert told["cost"].startswith("unknown: this engine has no finished label yet")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (vasp(field_scale=None), "field_scale is missing"),
        (vasp(field_scale="guess"), "write measure, a number, or node:PK"),
        (vasp(field_scale=-1.0), "field_scale: must be positive"),
        (vasp(potential_family=None), "potential_family is missing"),
        (vasp(rwigs_angstrom={"Co": 1.3}), "rwigs_angstrom has no Fe"),
        (vasp(initial_moments_muB={}), "initial_moments_muB has no Fe"),
        (vasp(protocol="sloppy"), "protocol: unknown 'sloppy'; available: balanced, fast, stringent"),
        (vasp(overrides={"encut": 500}), "unknown key 'encut'"),
        (vasp(overrides={"spin_orbit": True}), "overrides: spin_orbit: must be false"),
        ({**vasp(), "engine_code": None}, "engine_code is missing; give the label of a code of VASP"),
        ({"engine_code": "vasp@cluster"}, "runs `soso`, no other code"),
    ],
)
def test_what_vasp_lacks_gets_one_line(written, changes, words):
    with pytest.raises(InputError) as caught:
        read_campaign(written(**changes))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("aiida_profile")
def test_what_a_launch_would_refuse_is_told_line_by_line(written):
    lacking = {"options": {"queue_nam": "long", "resources": 7}, "field_scale": "node:999999"}
    found = find_launch_problems(read_campaign(written(**vasp(**lacking))), "ghost@localhost")
    assert not any("\n" in line for line in found)
    begins = (
        "there is no code 'ghost@localhost' in this profile; run `verdi data soso setup`",
        "engine_code: there is no code 'vasp@cluster' in this profile",
        "potential_family: there is no 'PBE.54' in this profile",
        "options: unknown key 'queue_nam'",
        "options.resources: ",
        "field_scale: there is no node 999999",
    )
    assert len(found) == len(begins)
    for line, begin in zip(found, begins, strict=True):
        assert line.startswith(begin)


def test_a_code_of_two_computers_wants_its_computer(written, localhost, tmp_path):
    other = Computer("elsewhere", "localhost", "", "core.local", "core.direct", str(tmp_path)).store()
    for computer in (localhost, other):
        InstalledCode(computer=computer, filepath_executable="/bin/true", label="twice").store()
    found = find_launch_problems(read_campaign(written(**{**vasp(), "engine_code": "twice"})), "twice")
    said = "several codes have the label 'twice'; write twice@computer"
    assert found[:2] == [said, f"engine_code: {said}"]


def test_a_measurement_needs_no_field_scale_in_the_file(written):
    campaign = read_campaign(written(**vasp(field_scale=None)), measure="field_scale")
    assert campaign.engine_settings["field_scale"] == "measure"


def test_an_engine_without_a_field_scale_says_so(written):
    with pytest.raises(InputError, match=r"campaign.yaml: engine: tight_binding has no field scale to measure"):
        read_campaign(written(), measure="field_scale")


MIXED = {"kind": "monte-carlo", "temperatures_kelvin": [300]}, {"kind": "file", "file": "mine.extxyz", "weight": 0.5}


def test_files_of_the_user_travel_by_name_and_content(written, pair_dataset):
    """The path stays here: what is stored is a name, and the fingerprint follows the content."""
    path = written(exploration={"supercell": [2, 2, 2], "generators": list(MIXED)})
    write_dataset(path.parent / "mine.extxyz", pair_dataset.subset(range(2)))
    campaign = read_campaign(path)
    assert campaign.settings.exploration.files == {"file_1": path.parent / "mine.extxyz"}
    assert campaign.exploration.model_dump(mode="json")["generators"][1]["file"] == "file_1.extxyz"
    before = campaign.fingerprint
    write_dataset(path.parent / "mine.extxyz", pair_dataset.subset(range(3)))
    assert read_campaign(path).fingerprint != before


def test_a_file_that_is_missing_is_named(written):
    with pytest.raises(InputError, match=r"exploration.generators.1: cannot read .*mine.extxyz"):
        read_campaign(written(exploration={"generators": list(MIXED)}))


def test_labels_and_a_model_that_there_are(written, pair_dataset, model_file):
    path = written(dataset="mine.extxyz", model=str(model_file))
    write_dataset(path.parent / "mine.extxyz", pair_dataset)
    campaign = read_campaign(path)
    assert campaign.sources == {"dataset": path.parent / "mine.extxyz", "model": model_file}
    before = campaign.fingerprint
    write_dataset(path.parent / "mine.extxyz", pair_dataset.subset(range(3)))
    assert read_campaign(path).fingerprint != before


def sizes(n_candidates, **policy):
    return {"exploration": {"supercell": [2, 2, 2], "n_candidates": n_candidates}, "policy": policy}


def test_given_labels_count_by_their_grade(written, pair_dataset):
    """Two of them are of no use: the campaign may take two more candidates before there are too few."""
    n_given = len(pair_dataset)
    bad = [replace(item, info={**item.info, "label_grade": "D"}) for item in pair_dataset]
    path = written(dataset="mine.extxyz", **sizes(4, batch_size=9, max_labels=n_given + 3))
    write_dataset(path.parent / "mine.extxyz", pair_dataset)
    assert read_campaign(path)
    write_dataset(path.parent / "mine.extxyz", [*bad[:2], *pair_dataset.labelled[2:]])
    with pytest.raises(InputError, match=r"n_candidates: 4 is less than policy.batch_size needs, 5"):
        read_campaign(path)
    write_dataset(path.parent / "mine.extxyz", bad)
    with pytest.raises(InputError, match=r"dataset: no label has grade \w or better"):
        read_campaign(path)


def test_labels_that_there_are_stand_for_the_first_batch(written, pair_dataset):
    """No candidate is asked for a first batch; the later ones take what the labels leave of the budget."""
    path = written(dataset="mine.extxyz", **sizes(4, batch_size=4))
    write_dataset(path.parent / "mine.extxyz", pair_dataset)
    n_given = len(pair_dataset)
    assert read_campaign(path)
    assert read_campaign(written(dataset="mine.extxyz", **sizes(4, batch_size=9, max_labels=n_given + 4)))
    with pytest.raises(InputError, match=r"n_candidates: 4 is less than policy.batch_size needs, 5"):
        read_campaign(written(dataset="mine.extxyz", **sizes(4, batch_size=9, max_labels=n_given + 5)))


def test_an_extension_has_no_first_batch(written):
    path = written(**sizes(4, batch_size=4))
    with pytest.raises(InputError, match=r"n_candidates: 4 is less than policy.n_initial needs, 5"):
        read_campaign(path)
    assert read_campaign(path, n_existing=7)
    with pytest.raises(InputError, match=r"n_candidates: 4 is less than policy.batch_size needs, 6"):
        read_campaign(written(**sizes(4, batch_size=6)), n_existing=7)


@pytest.mark.usefixtures("aiida_profile")
def test_nodes_are_named_by_their_pk(written, pair_dataset, model_file):
    from soso_workflows.data.dataset import SosoDataset
    from soso_workflows.data.model import SosoModel

    dataset, model = SosoDataset.from_dataset(pair_dataset).store(), SosoModel(model_file).store()
    campaign = read_campaign(written(dataset=dataset.pk, model=f"node:{model.pk}"))
    assert campaign.sources == {"dataset": dataset.pk, "model": model.pk}
    assert campaign.fingerprint == read_campaign(written(dataset=f"node:{dataset.pk}", model=model.pk)).fingerprint
    with pytest.raises(InputError, match=r"dataset: node \d+ is a SosoModel, not a SosoDataset"):
        read_campaign(written(dataset=model.pk))
    with pytest.raises(InputError, match="model: there is no node 999999"):
        read_campaign(written(model=999999))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "nowhere.extxyz"}, "dataset: cannot read"),
        ({"model": "campaign.yaml"}, "model: "),
        ({"dataset": "bare.extxyz"}, "dataset: no configuration has an energy or fields"),
        ({"model": "pair.soso", "fit": {"zeta": 3}}, "fit: a model without its labels keeps its settings"),
        (
            {"model": "pair.soso", "structure": "cobalt.cif"},
            "contains Co, for which the model has no parameters",
        ),
    ],
)
def test_what_is_wrong_with_the_start_gets_one_line(written, pair_dataset, model_file, changes, words):
    path = written(**changes)
    write_configurations(path.parent / "bare.extxyz", [item.configuration for item in pair_dataset])
    (path.parent / "pair.soso").write_bytes(model_file.read_bytes())
    bulk("Co", "bcc", a=2.8, cubic=True).write(path.parent / "cobalt.cif")
    with pytest.raises(InputError) as caught:
        read_campaign(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"structure": "flat.extxyz"}, "pbc is [True, True, False]; only fully periodic cells are supported"),
        ({"structure": "cobalt.cif"}, "engine_settings: atom 0 is Co; `species` has parameters"),
        ({"exploration": {"magnetic_species": ["Ni"]}}, "exploration: "),
        ({"exploration": {"magnetic_species": []}}, "exploration: "),
        ({"exploration": {"generators": [{"kind": "cone", "magnetisations": []}]}}, "magnetisations is empty"),
        ({"exploration": {"generators": [{"kind": "monte-carlo"}]}}, "alone cannot begin, there is no model yet"),
        (
            {"structure": "one.cif", "exploration": {"supercell": [1, 1, 1], "generators": [{"kind": "collinear"}]}},
            "no antiferromagnetic order fits",
        ),
    ],
)
def test_what_cannot_begin_is_refused_before_it_is_launched(written, changes, words):
    path = written(**changes)
    flat = bulk("Fe", cubic=True)
    flat.pbc = (True, True, False)
    flat.write(path.parent / "flat.extxyz")
    bulk("Fe").write(path.parent / "one.cif")
    bulk("Co", "bcc", a=2.8, cubic=True).write(path.parent / "cobalt.cif")
    with pytest.raises(InputError) as caught:
        read_campaign(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
