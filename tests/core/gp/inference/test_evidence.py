"""Evidence and posterior against the multivariate normal they abbreviate."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from soso_core.gp.inference.evidence import Hyperprior, log_evidence, maximise_evidence, posterior
from soso_core.gp.model.hyperparameters import Hyperparameters
from soso_core.gp.model.normal_equations import NormalEquations
from soso_core.testing import assert_derivative

BLOCKS = {"a": slice(0, 2), "b": slice(2, 5)}


def problem(seed=0, n_energy=6, n_field=9):
    rng = np.random.default_rng(seed)
    rows = {"energy": rng.normal(size=(n_energy, 5)), "field": rng.normal(size=(n_field, 5))}
    values = {name: rng.normal(size=len(block)) for name, block in rows.items()}
    return rows, values, {name: NormalEquations.from_rows(rows[name], values[name]) for name in rows}


def hyperparameters(logs):
    a, b, energy, field = np.exp(logs)
    return Hyperparameters({"a": a, "b": b}, {"energy": energy, "field": field})


LOGS = np.array([0.3, -0.4, -1.0, 0.2])


def test_evidence_is_the_density_of_the_data():
    rows, values, equations = problem()
    given = hyperparameters(LOGS)
    phi, y = np.concatenate(list(rows.values())), np.concatenate(list(values.values()))
    prior = np.repeat([given.prior["a"], given.prior["b"]], [2, 3]) ** 2
    noise = np.repeat([given.noise["energy"], given.noise["field"]], [6, 9]) ** 2
    expected = multivariate_normal(np.zeros(15), phi * prior @ phi.T + np.diag(noise)).logpdf(y)
    assert log_evidence(equations, BLOCKS, given)[0] == pytest.approx(expected, rel=1e-10)


def test_evidence_slopes():
    _, _, equations = problem()
    slopes = log_evidence(equations, BLOCKS, hyperparameters(LOGS))[1]
    given = np.array([slopes.prior["a"], slopes.prior["b"], slopes.noise["energy"], slopes.noise["field"]])
    assert_derivative(lambda at: log_evidence(equations, BLOCKS, hyperparameters(at))[0], LOGS, given, 1e-3, 1e-8)


def test_posterior_is_ridge_regression():
    rows, values, equations = problem()
    given = hyperparameters(LOGS)
    weights, lower = posterior(equations, BLOCKS, given)
    precision = np.diag(np.repeat([given.prior["a"], given.prior["b"]], [2, 3]) ** -2.0)
    precision += sum(rows[t].T @ rows[t] / given.noise[t] ** 2 for t in rows)
    np.testing.assert_allclose(lower @ lower.T, precision, rtol=1e-10)
    right = sum(rows[t].T @ values[t] / given.noise[t] ** 2 for t in rows)
    np.testing.assert_allclose(weights, np.linalg.solve(precision, right), rtol=1e-9)


def test_maximum_is_one_and_finds_the_noise():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(400, 5))
    truth = rng.normal(size=5) * np.array([1, 1, 0.1, 0.1, 0.1])
    equations = {"energy": NormalEquations.from_rows(rows, rows @ truth + 0.05 * rng.normal(size=400))}
    start = Hyperprior(Hyperparameters({"a": 1.0, "b": 1.0}, {"energy": 0.3}))
    found = maximise_evidence(equations, BLOCKS, start).hyperparameters
    # 400 rows fix the noise to 1/sqrt(800) = 4 %; three standard deviations.
    assert found.noise["energy"] == pytest.approx(0.05, rel=0.11)
    assert found.prior["a"] > 2.0 * found.prior["b"]
    kept = maximise_evidence(equations, BLOCKS, start, frozenset({"b"})).hyperparameters
    assert kept.prior["b"] == 1.0


def test_normal_equations_add_up():
    rows, values, equations = problem()
    both = NormalEquations.from_rows(rows["energy"][:2], values["energy"][:2])
    both = both + NormalEquations.from_rows(rows["energy"][2:], values["energy"][2:])
    np.testing.assert_allclose(both.gram_mm, equations["energy"].gram_mm, atol=1e-13)
    weights = np.arange(5.0)
    direct = np.sum((values["energy"] - rows["energy"] @ weights) ** 2)
    misfit = both.yty - 2.0 * weights @ both.projection_m + weights @ both.gram_mm @ weights
    assert misfit == pytest.approx(direct, rel=1e-12)


COMPLETE = {"energy": 5, "field": 8, "force": 7, "stress": 4}


FACTORS = {target: np.resize([1.0, 4.0, 2.0, 8.0], n) for target, n in COMPLETE.items()}
"""Noise factors of labels of mixed grades."""


def complete_problem(field_scale, factors=None):
    rng = np.random.default_rng(4)
    rows = {target: rng.normal(size=(n, 5)) for target, n in COMPLETE.items()}
    values = {target: rng.normal(size=n) for target, n in COMPLETE.items()}
    given = Hyperparameters(
        {"a": 1.3, "b": 0.7}, {"energy": 0.4, "field": 1.2, "force": 0.9, "stress": 0.6}, field_scale=field_scale
    )
    if factors is None:
        return rows, values, {name: NormalEquations.from_rows(rows[name], values[name]) for name in rows}, given
    equations = {
        name: NormalEquations.from_rows(rows[name] / s[:, None], values[name] / s, s) for name, s in factors.items()
    }
    return rows, values, equations, given


@pytest.mark.parametrize("factors", [None, FACTORS], ids=["ungraded", "graded"])
@pytest.mark.parametrize("field_scale", [1.0, 1.04, 2.1])
def test_evidence_of_every_target_is_the_density_of_the_data(field_scale, factors):
    """Labels of fields are rows over c: their covariance has 1/c² within, 1/c with the other targets."""
    rows, values, equations, given = complete_problem(field_scale, factors)
    phi = np.concatenate([rows[t] / (field_scale if t == "field" else 1.0) for t in rows])
    prior = np.repeat([given.prior["a"], given.prior["b"]], [2, 3]) ** 2
    noise = np.concatenate([np.full(n, given.noise[t] ** 2) for t, n in COMPLETE.items()])
    noise *= np.concatenate(list((factors or {"all": np.ones(len(phi))}).values())) ** 2
    density = multivariate_normal(np.zeros(len(phi)), phi * prior @ phi.T + np.diag(noise))
    expected = density.logpdf(np.concatenate(list(values.values())))
    assert log_evidence(equations, BLOCKS, given)[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("factors", [None, FACTORS], ids=["ungraded", "graded"])
@pytest.mark.parametrize("field_scale", [1.04, 2.1])
def test_evidence_slopes_of_every_scale(field_scale, factors):
    _, _, equations, given = complete_problem(field_scale, factors)
    names = [*given.prior, *given.noise]

    def hyperparameters_at(logs):
        at = dict(zip(names, np.exp(logs[:-1]), strict=True))
        return Hyperparameters({n: at[n] for n in given.prior}, {n: at[n] for n in given.noise}, np.exp(logs[-1]))

    logs = np.log([*given.prior.values(), *given.noise.values(), field_scale])
    slopes = log_evidence(equations, BLOCKS, given)[1]
    expected = np.array([*slopes.prior.values(), *slopes.noise.values(), slopes.field_scale])
    assert abs(slopes.field_scale) > 0.1
    assert_derivative(lambda at: log_evidence(equations, BLOCKS, hyperparameters_at(at))[0], logs, expected, 1e-3, 1e-8)


@pytest.mark.parametrize("factors", [None, FACTORS], ids=["ungraded", "graded"])
def test_posterior_with_a_field_scale_is_ridge_regression(factors):
    rows, values, equations, given = complete_problem(1.3, factors)
    weights, lower = posterior(equations, BLOCKS, given)
    noise = {t: given.noise[t] * np.reshape(1.0 if factors is None else factors[t], (-1, 1)) for t in rows}
    scaled = {t: rows[t] / (1.3 if t == "field" else 1.0) / noise[t] for t in rows}
    precision = np.diag(np.repeat([given.prior["a"], given.prior["b"]], [2, 3]) ** -2.0)
    precision += sum(phi.T @ phi for phi in scaled.values())
    np.testing.assert_allclose(lower @ lower.T, precision, rtol=1e-10)
    right = sum(scaled[t].T @ (values[t] / noise[t].ravel()) for t in rows)
    np.testing.assert_allclose(weights, np.linalg.solve(precision, right), rtol=1e-9)


def test_planted_field_scale_and_noise_are_found():
    rng = np.random.default_rng(6)
    weights = rng.normal(size=5) * np.array([1, 1, 0.1, 0.1, 0.1])
    rows = {"energy": rng.normal(size=(60, 5)), "field": rng.normal(size=(300, 5))}
    factor, noise = {"energy": 1.0, "field": 1 / 1.04}, {"energy": 0.02, "field": 0.05}
    equations = {}
    for t, phi in rows.items():
        labels = factor[t] * phi @ weights + noise[t] * rng.normal(size=len(phi))
        equations[t] = NormalEquations.from_rows(phi, labels)
    start = Hyperprior(Hyperparameters({"a": 1.0, "b": 1.0}, {"energy": 0.3, "field": 0.3}))
    found = maximise_evidence(equations, BLOCKS, start).hyperparameters
    # Its uncertainty is that of the ratio of slopes: 0.05/sqrt(300) and 0.02/sqrt(60) of |w| ~ 1, so 0.4 %.
    assert found.field_scale == pytest.approx(1.04, abs=0.012)
    # 60 and 300 rows less five weights: 9.5 % and 4 %; three standard deviations.
    assert found.noise["energy"] == pytest.approx(0.02, rel=0.29)
    assert found.noise["field"] == pytest.approx(0.05, rel=0.12)
    alone = maximise_evidence({"field": equations["field"]}, BLOCKS, start).hyperparameters
    assert alone.field_scale == 1.0
