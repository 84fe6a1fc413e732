"""The policy: rules in their order, pooled blind errors, and that it is a pure function."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soso_core.active.policy import Action, BatchRecord, PolicySettings, decide, pooled_blind_error

SETTINGS = PolicySettings(
    target_energy_meV_per_spin=1.0, max_labels=40, n_initial=5, batch_size=5, min_blind=8, patience=3
)


def history(*errors, per_batch=5, field=None, n_failed=0):
    """A first batch without a blind test, then one batch of five for every error."""
    records = [BatchRecord(batch=0, n_labels=per_batch, n_failed=n_failed)]
    for number, error in enumerate(errors, 1):
        records.append(
            BatchRecord(
                batch=number,
                n_labels=per_batch * (number + 1),
                n_failed=n_failed,
                n_blind=per_batch,
                energy_rmse_meV_per_spin=error,
                field_rmse_meV=field,
            )
        )
    return records


def test_the_budget_holds_the_first_batch():
    with pytest.raises(ValueError, match=r"max_labels \(4\) is smaller than n_initial \(5\)"):
        PolicySettings(max_labels=4, n_initial=5)
    assert PolicySettings(max_labels=5, n_initial=5).max_labels == 5


def test_goes_on_before_anything_was_tested_blind():
    decision = decide(history(), SETTINGS)
    assert (decision.action, decision.n_next) == (Action.CONTINUE, 5)
    assert decision.blind_energy_rmse_meV_per_spin is None


def test_one_small_batch_is_not_enough_to_stop_on():
    assert decide(history(0.1), SETTINGS).action is Action.CONTINUE
    assert decide(history(0.1, 0.1), SETTINGS).action is Action.TARGET_MET


def test_the_error_is_pooled_over_the_newest_batches():
    energy, field = pooled_blind_error(history(9.0, 3.0, 1.0), min_blind=8)
    assert energy == pytest.approx(((9.0 + 1.0) / 2) ** 0.5)
    assert field is None
    assert decide(history(9.0, 3.0, 1.0), SETTINGS).action is Action.CONTINUE


def test_both_targets_must_be_met():
    both = SETTINGS.model_copy(update={"target_field_meV": 5.0})
    assert decide(history(0.5, 0.5, field=4.0), both).action is Action.TARGET_MET
    assert decide(history(0.5, 0.5, field=6.0), both).action is Action.CONTINUE
    assert decide(history(0.5, 0.5), both).action is Action.CONTINUE


def test_the_last_batch_fits_the_budget():
    tight = SETTINGS.model_copy(update={"max_labels": 17})
    assert decide(history(5.0, 4.0), tight).n_next == 2
    stopped = decide(history(5.0, 4.0, 3.0), tight)
    assert (stopped.action, stopped.n_next) == (Action.BUDGET_EXHAUSTED, 0)


def test_a_target_met_with_the_last_label_is_met():
    assert decide(history(0.5, 0.5), SETTINGS.model_copy(update={"max_labels": 15})).action is Action.TARGET_MET


def test_no_progress():
    roomy = SETTINGS.model_copy(update={"max_labels": 1000})
    assert decide(history(3.0, 2.0, 2.0, 2.0, 2.0, 2.0), roomy).action is Action.NO_PROGRESS
    assert decide(history(3.0, 2.8, 2.6, 2.4, 2.2, 2.0), roomy).action is Action.CONTINUE


def test_too_many_failures():
    assert decide([BatchRecord(batch=0, n_labels=0, n_failed=5)], SETTINGS).action is Action.TOO_MANY_FAILURES
    assert decide(history(n_failed=6), SETTINGS).action is Action.TOO_MANY_FAILURES
    assert decide(history(n_failed=5), SETTINGS).action is Action.CONTINUE


@given(st.lists(st.floats(0.01, 100.0), max_size=12), st.integers(0, 30), st.integers(1, 60))
def test_always_selects_or_stops(errors, n_failed, max_labels):
    """Never loops without selecting, never asks for more than the budget, says the same twice."""
    settings = SETTINGS.model_copy(update={"max_labels": max_labels})
    records = history(*errors, n_failed=n_failed)
    decision = decide(records, settings)
    assert (decision.n_next > 0) == (decision.action is Action.CONTINUE)
    assert decision.n_next == 0 or records[-1].n_labels + decision.n_next <= max_labels
    assert decision == decide(list(records), settings)


def test_labels_below_the_minimum_grade_count_with_the_failed():
    """They cost a run each; a campaign that gets nothing else should stop, not go on for ever."""
    settings = PolicySettings(max_failed_fraction=0.5)
    good = BatchRecord(batch=0, n_labels=5, n_failed=2, n_below_grade=3)
    assert decide([good], settings).action is Action.CONTINUE
    bad = decide([BatchRecord(batch=0, n_labels=5, n_failed=2, n_below_grade=4)], settings)
    assert bad.action is Action.TOO_MANY_FAILURES
    assert bad.reason == "2 of 11 labels failed, 4 came below the minimum grade"
