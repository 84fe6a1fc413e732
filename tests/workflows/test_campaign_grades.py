"""Grades in the records of a campaign, energies against fields batch by batch."""

from dataclasses import replace

import pytest
from aiida.orm import Dict, Int, Str
from aiida_fixtures import labelled_pair

from soso_core.active.stopping.records import BelowGrade, FieldConsistency, History
from soso_core.dataset import Dataset
from soso_core.quality import LabelQuality
from soso_workflows.data.dataset import SosoDataset
from soso_workflows.data.model import SosoModel
from soso_workflows.functions import loop as functions
from soso_workflows.functions.label_warnings import below_grade_lines, field_warning
from soso_workflows.views.progress import Progress
from soso_workflows.views.table import COLUMNS, LEGEND, row_of

pytestmark = [pytest.mark.aiida, pytest.mark.usefixtures("aiida_profile")]

BAD = LabelQuality({"angle_degree": 30.0, "scf_change_meV_per_atom": 0.05})


def node(*items) -> SosoDataset:
    return SosoDataset.from_dataset(Dataset(items))


def bad(seed):
    return replace(labelled_pair(seed), info=BAD.as_info())


def recorded(min_grade="C", **nodes):
    return functions.read_history(functions.record_batch(min_grade=Str(min_grade), **nodes)).batches


def cell(batch, name):
    return dict(zip([column for column, _ in COLUMNS], row_of(batch), strict=True))[name]


def test_the_legend_explains_the_columns_in_lines_of_a_terminal():
    assert max(map(len, LEGEND.splitlines())) <= 80
    explained = ("low grade", "blind E", "blind field", "sigma E", "pair E", "pair field", "pooled E", "E/field")
    assert set(explained) < {name for name, _ in COLUMNS}
    assert all(name in LEGEND for name in explained)


def test_merging_leaves_bad_labels_out():
    labels = {
        "label_000": node(labelled_pair(0)),
        "label_001": node(bad(1)),
        "label_initial": node(bad(2), labelled_pair(3)),
    }
    merged = functions.merge_labels(Str("C"), dataset=node(labelled_pair(4)), **labels).get_dataset()
    assert [item.digest for item in merged] == [labelled_pair(seed).digest for seed in (4, 0, 3)]
    assert len(functions.merge_labels(Str("D"), **labels).get_dataset()) == 4
    assert not functions.is_usable(labels["label_001"], "C")
    assert functions.is_usable(labels["label_initial"], "C")


def test_blind_tests_leave_bad_labels_out(model_file):
    labels = {"label_000": node(labelled_pair(10)), "label_001": node(bad(11))}
    model = SosoModel(model_file)
    blind = functions.test_blind(model, Str("C"), **labels)
    assert blind["evaluation"]["n_configurations"] == 1
    found, expected = blind["predictions"], model.get_model().predict(labelled_pair(10).configuration)
    assert found.get_array("energy_label") == pytest.approx([500.0 * labelled_pair(10).energy])
    assert found.get_array("energy") == pytest.approx([500.0 * expected.energy])
    assert found.get_array("energy_std") == pytest.approx([500.0 * expected.energy_std])
    assert found.get_array("field_label") == pytest.approx(1e3 * labelled_pair(10).effective_fields_ac.ravel())
    assert found.get_array("field") == pytest.approx(1e3 * expected.effective_fields_ac.ravel(), rel=1e-4)


def test_a_batch_is_recorded_with_what_was_not_good_enough():
    first = {
        "label_000": node(labelled_pair(0)),
        "label_001": node(bad(1)),
        "configuration_002": node(labelled_pair(2)),
    }
    (batch,) = recorded(**first)
    assert (batch.n_labels, batch.n_failed, batch.n_below_grade) == (1, 1, 1)
    assert batch.failed == (2,)
    assert batch.below_grade == (BelowGrade(label="001", grade="D", limited_by="angle_degree", value=30.0),)
    (line,) = below_grade_lines(batch)
    assert line == "label 001 of batch 0 has grade D (angle_degree 30) and was excluded from training"
    history = Dict(History(batches=(batch,)).model_dump(mode="json"))
    _, second = recorded(history=history, label_initial=node(labelled_pair(4), bad(5)))
    assert (second.n_labels, second.n_failed, second.n_below_grade) == (2, 1, 2)
    assert second.below_grade[0].label == "initial 1"
    assert cell(second, "low grade") == "2"
    said = []
    progress = Progress(said.append)
    progress.print_batch(second)
    assert said[1] == "  label initial 1 of batch 1 has grade D (angle_degree 30) and was excluded from training"


def test_core_hours_are_running_totals():
    cost = Dict({"core_hours": {"one": 1.5, "other": 0.5}, "wall_hours": 1.0})
    history = functions.record_batch(min_grade=Str("C"), label_000=node(labelled_pair(0)), cost=cost)
    later = Dict({"core_hours": {"third": 3.0}, "wall_hours": 4.0})
    first, second = recorded(history=history, label_000=node(labelled_pair(1)), cost=later)
    assert (first.core_hours, second.core_hours) == (2.0, 5.0)
    assert (first.wall_hours, second.wall_hours) == (1.0, 4.0)


def test_a_grade_without_numbers_is_shown_as_that():
    item = replace(labelled_pair(0), info={"label_grade": "D"})
    (batch,) = recorded(label_000=node(item))
    assert "has grade D (no numbers given)" in below_grade_lines(batch)[0]


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_energies_against_fields_are_recorded_and_a_factor_warned_of(factor):
    labels = [labelled_pair(seed) for seed in range(10)]
    scaled = [replace(x, exchange_fields_ac=factor * x.exchange_fields_ac) for x in labels]
    (batch,) = recorded(label_000=node(labels[0]), dataset=node(*scaled))
    found = batch.field_scale
    assert found.value == pytest.approx(1.0 / factor, rel=0.05)
    assert found.disagrees == (factor != 1.0)
    assert cell(batch, "E/field").endswith("!") == (factor != 1.0)
    warning = field_warning(batch)
    assert (warning is None) == (factor == 1.0)
    if warning is not None:
        assert "effective fields from the energies are 2.0" in warning


def test_what_is_found_is_written_to_the_last_batch():
    """The decision is then a function of the history: it is the same when it is asked again."""
    suspect = {"n_failed": 0, "n_blind": 2, "energy_rmse_meV_per_spin": 1e3}
    batches = [
        {
            "batch": k,
            "n_labels": 2 + 2 * k,
            "n_failed": 0,
            **({"energy_model_std_meV_per_spin": 90.0 / k, **suspect} if k else {}),
        }
        for k in range(4)
    ]
    history, policy = Dict({"batches": batches}), Dict({"max_labels": 20, "min_blind": 2})
    assert functions.decide_next(history, policy, Int(1))["decision"]["needs_learning_curve"]
    learning = {"energy_rmse_meV_per_spin": 1.0, "half_energy_rmse_meV_per_spin": 2.0}
    advised = functions.decide_next(
        history, policy, Int(1), alternatives=Dict({"learning_curve": learning, "alternatives": []})
    )
    assert (advised["decision"]["action"], advised["n_select"].value) == ("continue", 5)
    written = advised["history"]["batches"][-1]["learning_curve"]
    assert {key: written[key] for key in learning} == learning
    again = functions.decide_next(advised["history"], policy, Int(1))
    assert again["history"].get_dict() == advised["history"].get_dict()


@pytest.mark.slow
def test_the_report_shows_grades_and_the_warning(finished_campaign, monkeypatch):
    from soso_workflows.campaign.state import CampaignState
    from soso_workflows.views.report import report_html

    state = CampaignState(finished_campaign)
    assert "<h2>Labels below the minimum grade</h2><p>None.</p>" in report_html(state)
    below = (BelowGrade(label="001", grade="D", limited_by="angle_degree", value=30.0),)
    wrong = FieldConsistency(value=2.01, error=0.02, n_configurations=12, disagrees=True)
    batches = [batch.model_copy(update={"below_grade": below, "field_scale": wrong}) for batch in state.batches]
    monkeypatch.setattr(CampaignState, "batches", property(lambda _: batches))
    html = report_html(state)
    assert "<td>001</td><td>D</td><td>angle_degree 30</td>" in html
    assert "<strong>warning: up to batch 1, effective fields from the energies are 2.01 ± 0.02 times" in html
