"""Energies against fields: a planted factor is found, with an error that holds it; true labels raise no alarm."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from spin_cells import complete_dataset, graded, iron_germanium, skewed_iron

from soso_core import Dataset
from soso_core.formats import read_dataset
from soso_core.gp.assessment.field_scale import FEWEST, FieldScale, field_scale_of
from soso_core.gp.inference.evidence import FIELD_SCALE, Hyperprior, curvature, list_free, log_evidence
from soso_core.gp.model.hyperparameters import Hyperparameters
from soso_core.gp.model.normal_equations import NormalEquations

SHARED = Path(__file__).parents[5] / "shared" / "data"


def published(name):
    path = SHARED / f"{name}.extxyz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return read_dataset(path)


def scaled(dataset, factor):
    return Dataset(tuple(replace(x, exchange_fields_ac=factor * x.exchange_fields_ac) for x in dataset))


def noisy(dataset, width):
    rng = np.random.default_rng(0)
    return Dataset(
        tuple(
            replace(
                x,
                energy=x.energy + width * rng.normal(),
                exchange_fields_ac=x.exchange_fields_ac + width * rng.normal(size=x.exchange_fields_ac.shape),
            )
            for x in dataset
        )
    )


def measured(dataset):
    return field_scale_of(dataset, np.random.default_rng(0))


@pytest.mark.parametrize("planted", [0.5, 0.8, 1.0, 1.04, 1.3, 2.0])
def test_a_planted_factor_is_found(planted):
    labels = noisy(complete_dataset([skewed_iron(seed) for seed in range(12)], field_scale=planted), 1e-3)
    found = measured(labels)
    # Three standard errors, which must themselves be small enough to tell.
    assert abs(found.value - planted) < 3.0 * found.error < 0.2 * planted
    assert found.n_configurations == 12
    assert found.disagrees == (abs(planted - 1.0) > 0.1)


@pytest.mark.parametrize(
    ("name", "value"), [("bcc_fe_paramagnetic_60", (1.0, 1.1)), ("bcc_fe_gpaw_lda_28", (0.95, 1.1))]
)
def test_published_labels_agree_and_their_halved_fields_do_not(name, value):
    dataset = published(name)
    found, halved = measured(dataset), measured(scaled(dataset, 0.5))
    assert not found.disagrees, found.sentence()
    assert value[0] < found.value < value[1]
    assert halved.disagrees, halved.sentence()
    assert halved.value == pytest.approx(2.0, abs=max(3.0 * halved.error, 0.1))


@pytest.mark.parametrize("n_labels", [6, 8, 10, 15])
def test_part_of_the_published_labels_raises_no_alarm_either(n_labels):
    """Displaced atoms are what the pair part describes badly; with 15 of them it needs the GP."""
    dataset = published("bcc_fe_gpaw_lda_28").subset(range(n_labels))
    assert not measured(dataset).disagrees
    assert measured(scaled(dataset, 0.5)).disagrees


def test_nothing_is_said_of_few_labels_or_of_one_kind():
    cells = [iron_germanium(seed) for seed in range(FEWEST)]
    assert measured(complete_dataset(cells)) is None  # two species take two energies
    more = complete_dataset([*cells, iron_germanium(50)])
    assert measured(more) is not None
    assert measured(Dataset(tuple(replace(item, energy=None) for item in more))) is None
    assert measured(Dataset(tuple(replace(item, exchange_fields_ac=None) for item in more))) is None


def test_repeats_and_bad_grades_count_little():
    labels = noisy(complete_dataset([skewed_iron(seed) for seed in range(10)]), 1e-3)
    wrong = scaled(noisy(complete_dataset([skewed_iron(seed) for seed in range(20, 24)]), 1e-3), 0.5)
    assert measured(labels + labels).n_configurations == 10
    trusted, doubted = measured(labels + wrong), measured(labels + graded(wrong, "D"))
    assert abs(doubted.value - 1.0) < 0.5 * abs(trusted.value - 1.0)


@pytest.mark.parametrize(
    ("value", "error", "disagrees"),
    [(1.09, 0.001, False), (1.11, 0.001, True), (1.2, 0.11, False), (1.25, 0.11, True), (0.85, 0.05, True)],
)
def test_both_conditions_must_hold(value, error, disagrees):
    assert FieldScale(value, error, 20).disagrees == disagrees


def test_the_curvature_is_that_of_the_evidence():
    """Against second differences of the value, on a problem of two blocks and two targets."""
    rng = np.random.default_rng(1)
    blocks = {"a": slice(0, 2), "b": slice(2, 5)}
    equations = {
        t: NormalEquations.from_rows(rng.normal(size=(n, 5)), rng.normal(size=n))
        for t, n in (("energy", 6), ("field", 9))
    }
    hyperparameters = Hyperparameters({"a": 1.2, "b": 0.7}, {"energy": 0.5, "field": 0.8}, 1.3)
    belief = Hyperprior(hyperparameters, {FIELD_SCALE: 1.0})
    names = list_free(equations, blocks, frozenset({"a"}))
    assert names == ["b", "energy", "field", FIELD_SCALE]

    def value(log_k):
        b, energy, field, c = np.exp(log_k)
        return log_evidence(
            equations, blocks, Hyperparameters({"a": 1.2, "b": b}, {"energy": energy, "field": field}, c)
        )[0]

    at_k, h = np.log([0.7, 0.5, 0.8, 1.3]), 1e-3
    expected = np.diag([0.25, 0.25, 0.25, 1.0])
    for i in range(4):
        for j in range(4):
            corners = [
                (s, t, value(at_k + h * (s * np.eye(4)[i] + t * np.eye(4)[j]))) for s in (1, -1) for t in (1, -1)
            ]
            expected[i, j] -= sum(s * t * each for s, t, each in corners) / (4.0 * h**2)
    found = curvature(equations, blocks, belief, hyperparameters, names)
    # Second differences of a value of order 10 carry rounding of 1e-15 * 10 / h² = 1e-8, and h² from the fourth order.
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.abs(found).max() > 0.5


@pytest.mark.parametrize("factor", [-1.0, -2.0])
def test_fields_of_the_wrong_sign_are_named(factor):
    """c is positive in the fit: such fields would pass for noise."""
    labels = noisy(complete_dataset([skewed_iron(seed) for seed in range(12)]), 1e-3)
    found = measured(scaled(labels, factor))
    assert found.disagrees
    assert abs(found.value - 1.0 / factor) < 3.0 * found.error < 0.2
    assert found.sentence().endswith("which have the wrong sign")


@pytest.mark.parametrize("n_labels", [8, 20])
@pytest.mark.parametrize("name", ["bcc_fe_paramagnetic_60", "bcc_fe_gpaw_lda_28"])
def test_published_fields_turned_round_are_found_out(name, n_labels):
    dataset = published(name).subset(range(n_labels))
    assert measured(scaled(dataset, -1.0)).value == pytest.approx(-measured(dataset).value, rel=1e-9)
