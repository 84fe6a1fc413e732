"""The replay of a policy: a pure loop, whose fits are those of `soso fit`, that looks at no label before its time."""

from dataclasses import replace

import numpy as np
import pytest
from spin_cells import heisenberg_label, random_spins, rigid_iron

from soso_core.active.offline import replay as replay_module
from soso_core.active.offline.pool import (
    energy_errors,
    field_errors,
    fit_part,
    make_pool,
    prior_uncertainty,
    uncertainty,
)
from soso_core.active.offline.replay import replay
from soso_core.active.offline.study import StudySettings, groups, held_out, labels_to_reach, pool_data, summary
from soso_core.active.selection.acquisition import ACQUISITIONS
from soso_core.active.selection.uncertainty import candidate_rows
from soso_core.active.stopping.policy import PolicySettings, decide
from soso_core.active.stopping.records import Action
from soso_core.configuration import Configuration
from soso_core.dataset import Dataset
from soso_core.engines.replay import ReplayOracle
from soso_core.errors import InputError
from soso_core.gp.inference import hyperparameters
from soso_core.gp.inference.regression import fit
from soso_core.gp.model.settings import FitSettings

SMALL = FitSettings.model_validate(
    {
        "pair": {"cutoff_angstrom": 3.5, "n_max": 4, "lambda_max": 2},
        "descriptor": {"cutoff_angstrom": 3.5, "n_max": 3, "lambda_max": 2, "sigma_spin": 1.0},
        "zeta": 2,
        "n_inducing": 64,
    }
)
POLICY = PolicySettings(n_initial=3, batch_size=2, max_labels=9, min_blind=4, target_energy_meV_per_spin=0.5)


def cells(n, seed=0):
    rng = np.random.default_rng(seed)
    return [rigid_iron(random_spins(8, rng)) for _ in range(n)]


@pytest.fixture(scope="module")
def dataset():
    return Dataset(tuple(heisenberg_label(cell) for cell in cells(14)))


@pytest.fixture(scope="module")
def pool(dataset):
    return make_pool(dataset, SMALL, np.random.default_rng(0))


def test_a_fit_of_the_whole_pool_is_that_of_the_regression(dataset, pool):
    """Same inducing points, same evidence: columns turned within their blocks change nothing but rounding.

    The climb ends where the evidence is flat to 1e-7, so hyperparameters agree to a per cent and predictions better.
    """
    model = fit(dataset, SMALL, np.random.default_rng(0))
    fitted = fit_part(pool, range(len(dataset)))
    predictions = [model.predict(item.configuration) for item in dataset]
    errors_k = [(p.energy - item.energy) / 8 for p, item in zip(predictions, dataset, strict=True)]
    spread = np.std([item.energy / 8 for item in dataset])
    np.testing.assert_allclose(energy_errors(pool, fitted), errors_k, atol=1e-3 * spread)
    assert fitted.hyperparameters.field_scale == pytest.approx(model.hyperparameters.field_scale, rel=1e-3)
    rows, expected = uncertainty(pool, fitted), candidate_rows(model, [item.configuration for item in dataset])
    np.testing.assert_allclose(
        np.linalg.norm(rows.energies_km, axis=1), np.linalg.norm(expected.energies_km, axis=1), rtol=0.1
    )
    field = field_errors(pool, fitted)[3]
    direct = predictions[3].effective_fields_ac / model.hyperparameters.field_scale - dataset[3].effective_fields_ac
    assert np.sum(field**2) == pytest.approx(np.sum(direct**2), abs=1e-3 * np.sum(dataset[3].effective_fields_ac ** 2))


def test_a_climb_that_got_stuck_begins_again_at_the_centre(pool, monkeypatch):
    """Seen on a pool of four kinds: from the hyperparameters of fewer labels it ended far below the pair part alone."""
    starts, climb = [], hyperparameters.maximise_evidence

    def stuck(equations, blocks, belief, fixed, start=None):
        if blocks.keys() == pool.pair_blocks.keys():
            return climb(equations, blocks, belief, fixed, start)
        starts.append(start)
        found = climb(equations, blocks, belief, fixed)
        return found if start is None else replace(found, log_evidence=-1e4)

    before = fit_part(pool, range(6))
    monkeypatch.setattr(hyperparameters, "maximise_evidence", stuck)
    after = fit_part(pool, range(8), before)
    assert starts == [before.hyperparameters, None]
    found = after.fitted
    assert found.best.log_evidence >= found.baseline.log_evidence > -1e4
    np.testing.assert_allclose(after.weights_m, fit_part(pool, range(8)).weights_m, rtol=1e-3, atol=1e-6)


def test_labels_of_others_do_not_matter(dataset, pool):
    """A label that was not chosen must not be seen: with all the others wrong the model is the same."""
    chosen = [1, 4, 5, 9]
    wrong = Dataset(
        tuple(item if k in chosen else replace(item, energy=item.energy + 7.0) for k, item in enumerate(dataset))
    )
    other = make_pool(wrong, SMALL, np.random.default_rng(0))
    np.testing.assert_array_equal(fit_part(pool, chosen).weights_m, fit_part(other, chosen).weights_m)
    first = prior_uncertainty(pool).energies_km
    np.testing.assert_array_equal(first, prior_uncertainty(other).energies_km)


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_runs_reproduce_and_choose_nothing_twice(pool, acquisition):
    run = replay(pool, acquisition, POLICY, 5)
    assert run == replay(pool, acquisition, POLICY, 5)
    assert [step.n_labels for step in run.steps] == [3, 5, 7, 9]
    assert len(set(run.picks)) == 9
    assert run.picks[0] == replay(pool, "random", POLICY, 5).picks[0]
    assert run.steps[-1].action is not Action.CONTINUE


def test_a_run_chooses_as_a_campaign_does_and_tests_every_batch_blind(pool, monkeypatch):
    """One function chooses every batch; the record holds what the estimate of the population's error needs."""
    requests, histories, choose = [], [], replay_module.choose_batch

    def noted(rows, request, rng):
        requests.append(request)
        return choose(rows, request, rng)

    def decided(history, policy):
        histories.append(history)
        return decide(history, policy)

    monkeypatch.setattr(replay_module, "choose_batch", noted)
    monkeypatch.setattr(replay_module, "decide", decided)
    replay(pool, "energy-variance", POLICY, 5)
    assert [item.variance_fraction for item in requests] == [1.0, 0.5, 0.5, 0.5]
    assert [item.n_blind for item in histories[-1].batches] == [0, 2, 2, 2]
    for record in histories[-1].batches[1:]:
        assert record.energy_standardised_rmse > 0.0
        assert 0.0 < record.population_std_meV_per_spin < 100.0


def test_held_out_is_never_chosen_and_always_tested_on(dataset):
    """Labels held out are moved by 4 eV, half an eV per spin: that is the error, whatever was learnt."""
    out = held_out(len(dataset), StudySettings(held_out=0.3), 2)
    assert len(out) == 4
    moved = Dataset(
        tuple(replace(item, energy=item.energy + 4.0) if k in out else item for k, item in enumerate(dataset))
    )
    run = replay(make_pool(moved, SMALL, np.random.default_rng(0)), "mean-variance", POLICY, 2, held_out=out)
    assert set(out).isdisjoint(run.picks)
    assert run.steps[-1].energy == pytest.approx(500.0, rel=1e-3)


def test_groups_divide_the_error(dataset, pool):
    names = ["odd" if k % 2 else "even" for k in range(len(pool))]
    run = replay(pool, "random", POLICY, 2, groups_k=names)
    assert all(step.energy_by_group == {} for step in replay(pool, "random", POLICY, 2).steps)
    for step in run.steps:
        left = [name for k, name in enumerate(names) if k not in run.picks[: step.n_labels]]
        squares = {name: left.count(name) * error**2 for name, error in step.energy_by_group.items()}
        assert squares.keys() == {"even", "odd"}
        assert sum(squares.values()) == pytest.approx(len(left) * step.energy**2)
        assert step.worst_group == max(step.energy_by_group.values())
    assert summary("fields", [run], StudySettings(policy=POLICY)).at[1].worst_group.mean == run.steps[1].worst_group


def test_the_fact_to_group_by_must_be_there(dataset):
    named = Dataset(tuple(replace(item, info={"half": k % 2}) for k, item in enumerate(dataset)))
    assert groups(named, "half")[:3] == ("0", "1", "0")
    assert groups(named, None) == ()
    with pytest.raises(InputError, match="configuration 0 has no 'quarter' to group by; it has half"):
        groups(named, "quarter")


def test_a_pool_smaller_than_the_budget_is_used_up_to_the_last(pool):
    run = replay(pool, "random", POLICY.model_copy(update={"max_labels": 100}), 0)
    assert run.steps[-1].n_labels == len(pool) - 1


def test_one_of_each_symmetry_class_is_labelled(dataset):
    """Seven configurations, each twice with all spins turned: the first seven labels are seven different ones."""
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    seven = [item.configuration for item in dataset.subset(range(7))]
    doubled = [*seven, *(cell.with_spins(cell.spins_ac @ turn) for cell in seven)]
    labelled = Dataset(tuple(heisenberg_label(cell) for cell in doubled))
    pool = make_pool(labelled, SMALL, np.random.default_rng(0))
    for acquisition in ACQUISITIONS:
        run = replay(pool, acquisition, POLICY, 1, np.arange(14) % 7)
        assert sorted(pick % 7 for pick in run.picks) == list(range(7)), acquisition


def test_energies_alone(dataset):
    bare = pool_data(dataset, "energies")
    pool = make_pool(bare, SMALL, np.random.default_rng(0))
    run = replay(pool, "mean-variance", POLICY, 0)
    assert run.steps[0].field is None
    assert not len(pool.fields_rm)


def test_stopping_raises_through(pool):
    def no():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(pool, "random", POLICY, 0, go_on=no)


def test_summary_counts(pool):
    settings = StudySettings(policy=POLICY, targets=(1e-9, 1e9), n_seeds=3)
    runs = [replay(pool, "random", POLICY, seed) for seed in range(3)]
    found = summary("fields", runs, settings)
    assert [(item.n_reached, item.labels.mean) for item in found.needed] == [(0, 9.0), (3, 3.0)]
    assert labels_to_reach(runs[0], 1e9) == 3
    assert sum(found.stops.reasons.values()) == 3
    assert found.stops.n_right <= found.stops.n_met
    assert found.at[0].energy.mean == pytest.approx(np.mean([run.steps[0].energy for run in runs]))


def test_the_oracle_knows_its_pool_and_nothing_else(dataset):
    oracle = ReplayOracle(dataset)
    where = dataset[3].configuration
    assert oracle.label(where.with_spins(where.spins_ac + 0.0)) is dataset[3]
    with pytest.raises(InputError, match="not in the labelled pool"):
        oracle.label(where.with_spins(-where.spins_ac))


def test_what_the_pool_lacks_is_said(dataset):
    """A strain changes cell and positions, and is told by the cell."""
    oracle, where = ReplayOracle(dataset), dataset[3].configuration
    shifted_ac = where.positions_ac + 1e-5 * np.eye(len(where), 3)
    strained = Configuration(where.numbers_a, 1.01 * where.positions_ac, 1.01 * where.cell_vc, where.spins_ac)
    said = {
        "none has the same elements in the same order": Configuration(
            where.numbers_a + 1, where.positions_ac, where.cell_vc, where.spins_ac
        ),
        "none with the same elements has the same cell": strained,
        "none with the same elements and cell has the same positions": where.with_positions(shifted_ac),
        "none with the same elements, cell and positions has the same spins": where.with_spins(-where.spins_ac),
    }
    for words, strange in said.items():
        with pytest.raises(InputError, match=f"not in the labelled pool.*{words}$"):
            oracle.label(strange)


def test_policy_of_a_run_is_the_policy(pool):
    run = replay(pool, "random", POLICY, 4)
    assert run.steps[0].reason == "too few blind tests yet"


def test_a_suspicion_is_looked_into_until_the_run_would_stop(pool, monkeypatch):
    """A policy that suspects the form from seven labels on: where labels help the run goes on, where not it stops."""
    asked, real = [], replay_module.learning_curve_check

    def suspicious(history, policy):
        found, learning = decide(history, policy), history.batches[-1].learning_curve
        if history.batches[-1].n_labels < 7 or (learning is not None and learning.energy_rmse_meV_per_spin == 0.0):
            return found
        said = {"needs_learning_curve": True} if learning is None else {"action": Action.MODEL_FORM}
        return found.model_copy(update=said)

    def learning(pool, fitted, order, rng):
        asked.append(sorted(order.tolist()))
        found = real(pool, fitted, order, rng)
        return found.model_copy(update={"energy_rmse_meV_per_spin": 0.0}) if len(asked) == 1 else found

    goes_on = {"max_labels": 13, "target_energy_meV_per_spin": 1e-9, "diagnose_model_form": False}
    monkeypatch.setattr(replay_module, "decide", suspicious)
    monkeypatch.setattr(replay_module, "learning_curve_check", learning)
    run = replay(pool, "mean-variance", POLICY.model_copy(update=goes_on), 1)
    assert asked == [sorted(run.picks[:7]), sorted(run.picks[:9])]
    assert [step.action is Action.MODEL_FORM for step in run.steps][:4] == [False, False, False, True]
    assert run.stop == 3
