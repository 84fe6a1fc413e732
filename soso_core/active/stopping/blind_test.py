"""The blind test: every batch is predicted before the model is fitted to it.

The target is about the population of candidates, with the present model.  A batch is chosen by uncertainty in part, so
its errors are larger than those of the population; and the test of one batch is small, so older batches, tested by
older models, are needed as well.  Errors are therefore standardised: each is divided by its predicted standard
deviation, and the root mean square of the ratios is multiplied by the standard deviation of the population,

    error² = (1/n Σ_k (e_k / s_k)²) · <s²>.

| symbol | variable |
| --- | --- |
| e_k, s_k | error of a blind prediction, and its standard deviation, noise included |
| (1/n Σ (e_k/s_k)²)^½ of a batch | `energy_standardised_rmse` |
| <s²>^½ of all candidates, newest model | `population_std_meV_per_spin` |

Random picks keep the ratios representative of the population.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import chdtri  # scipy.stats takes half a second to import, in every job

from soso_core.active.stopping.records import BatchRecord


@dataclass(frozen=True)
class BlindTest:
    """The pooled blind test of the newest batches: `n` configurations and the root mean square error of the population.

    Energies are in meV per spin, fields in meV per component.  `energy_bound` and `field_bound` are the upper ends of
    the confidence interval.  `model_share` is the share of the mean square error of the batches that the predicted
    variance, without noise, accounts for.  Each is None while there are too few tests, or when a pooled batch has no
    such value.
    """

    n: int
    energy: float | None
    field: float | None
    energy_bound: float | None
    field_bound: float | None
    model_share: float | None


def pool_blind_tests(batches: Sequence[BatchRecord], min_blind: int, confidence: float) -> BlindTest:
    """Return the blind test of the newest `batches` (oldest first) that hold `min_blind` configurations or more.

    Batches of given labels have no standard deviations; their raw errors are pooled.
    """
    tested: list[BatchRecord] = []
    for record in reversed(batches):
        if record.n_blind and record.energy_rmse_meV_per_spin is not None:
            tested.append(record)
        if sum(item.n_blind for item in tested) >= min_blind:
            break
    else:
        return BlindTest(0, None, None, None, None, None)
    n = sum(item.n_blind for item in tested)

    def pool(key: str) -> float | None:
        return pool_errors([item.n_blind for item in tested], [getattr(item, key) for item in tested])

    raw, model_std, ratio = (
        pool(key) for key in ("energy_rmse_meV_per_spin", "energy_model_std_meV_per_spin", "energy_standardised_rmse")
    )
    population, field = tested[0].population_std_meV_per_spin, pool("field_rmse_meV")
    energy = raw if ratio is None or population is None else ratio * population
    bounds = [None if error is None else upper_bound(error, n, confidence) for error in (energy, field)]
    share = None if raw is None or model_std is None else model_std**2 / max(raw**2, 1e-12)
    return BlindTest(n, energy, field, bounds[0], bounds[1], share)


def pool_errors(weights: Sequence[int], errors: Sequence[float | None]) -> float | None:
    """Return the root mean square of errors of several batches, weighted by their sizes; None when one is missing."""
    known = [error for error in errors if error is not None]
    if not errors or len(known) < len(errors):
        return None
    total = sum(weight * error**2 for weight, error in zip(weights, known, strict=True))
    return float((total / sum(weights)) ** 0.5)


def upper_bound(rmse: float, n: int, confidence: float) -> float:
    """Return the upper confidence bound on the true error, given the root mean square of n normal errors.

    n rmse²/σ² follows the chi-square distribution with n degrees of freedom.  Field components of one configuration are
    not independent and count as one error, which makes their bound wide rather than narrow.
    """
    return float(rmse * (n / chdtri(n, confidence)) ** 0.5)


def lower_bound(rmse: float, n: int, confidence: float) -> float:
    """Return the lower confidence bound on the true error."""
    return float(rmse * (n / chdtri(n, 1.0 - confidence)) ** 0.5)
