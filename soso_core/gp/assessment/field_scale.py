"""Compare the energies and the fields of labels: c in -∂E/∂e = c · (field of the labels), with an error.

A model is fitted to energies and fields with a wide hyperprior on c: first the pair part alone, which is fast.  Its
model-form error may bias c.  If energies and fields disagree by it, a small GP is added and its estimate is used, when
there are enough labels.  Fields of the wrong sign would count as noise, so the reversed fields are fitted, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from soso_core.dataset import Dataset
from soso_core.gp.inference.calibration import pick_evenly
from soso_core.gp.inference.defaults import choose_settings
from soso_core.gp.inference.evidence import curvature, list_free, slopes_of
from soso_core.gp.inference.hyperparameters import (
    FIXED_BLOCKS,
    Equations,
    FittedHyperparameters,
    fit_hyperparameters,
)
from soso_core.gp.inference.regression import DECISIVE, build_basis
from soso_core.gp.inference.sums import equations_of, merge_sums
from soso_core.gp.inference.targets import find_references
from soso_core.gp.model.basis import ModelBasis, centre_columns
from soso_core.labels import LabelledConfiguration
from soso_core.threads import one_blas_thread

TOLERATED = 0.10
"""Fields of good labels differ from the derivative of the energy by several per cent."""
SIGNIFICANT = 2.0
"""Number of standard errors from which a disagreement is significant."""
OPEN_WIDTH = 1.0
"""Width of the hyperprior on log c: factors of 2 and one half are nearly as probable as 1."""
FEWEST, FEWEST_FOR_GP = 6, 10
"""Configurations.  With four, c of good labels was seen from 0.6 to 1.7, and beyond its error; with six and eight a GP
can explain the energies by itself and call the fields noise."""
LEFT_OUT = 0.15
"""Error of log c from the form of the pair part, where labels are too few for a GP: of eight labels of displaced
cells whose fields are exact, with stated errors of 0.03 and 0.06, one set gave 0.82 and another 1.18."""
N_INDUCING = 15
"""Inducing points of the GP.  With 15 labels of rattled iron cells it brings c from 1.16 to within 2 % of 1; 40 points
do no better in four times the time."""
MOST_CONFIGURATIONS = 100
"""So many determine c to about 1 %; from a larger set they are picked evenly."""


@dataclass(frozen=True)
class FieldScale:
    """c and its standard error, from `n_configurations` with energy and fields; c < 0: fields of the wrong sign."""

    value: float
    error: float
    n_configurations: int

    @property
    def disagrees(self) -> bool:
        """True when energies and fields differ by more than 10 % and by more than two standard errors."""
        return abs(self.value - 1.0) > max(TOLERATED, SIGNIFICANT * self.error)

    def sentence(self) -> str:
        """Return a sentence with c and its error."""
        sign = ", which have the wrong sign" if self.value < 0.0 else ""
        return f"-∂E/∂e from the energies is {self.value:.2f} ± {self.error:.2f} times the fields of the labels{sign}"


def field_scale_of(dataset: Dataset, rng: np.random.Generator) -> FieldScale | None:
    """Return c of the labels that have energy and fields; None where there are too few.

    Its error is the larger of two: that of a normal distribution about the most probable hyperparameters (Laplace's
    approximation), and the scatter of c when one configuration after the other is left out (the jackknife).
    `rng` draws the environments of the GP.
    """
    both = [item for item in dataset.without_repeats() if _has_both(item)]
    if len(both) < FEWEST + len(dataset.species) - 1:  # the constants of the species take an energy each
        return None
    usable = Dataset(tuple(replace(i, forces_ac=None, stress_cc=None) for i in pick_evenly(both, MOST_CONFIGURATIONS)))
    with one_blas_thread():
        fit, reversed_fields = _Fit.of_pairs(usable), Dataset(tuple(map(_reverse_fields, usable)))
        other = _Fit.of_pairs(reversed_fields)
        if other.fitted.best.log_evidence > fit.fitted.best.log_evidence + DECISIVE:
            found = _add_gp_where_needed(other, reversed_fields, rng)
            return replace(found, value=-found.value)
        return _add_gp_where_needed(fit, usable, rng)


def _add_gp_where_needed(fit: "_Fit", usable: Dataset, rng: np.random.Generator) -> FieldScale:
    """Return c; the fit gets a GP where energies and fields disagree by the pair part alone."""
    found = fit.field_scale()
    if len(usable) < FEWEST_FOR_GP:
        return replace(found, error=float(np.hypot(found.error, LEFT_OUT * found.value)))
    return fit.add_gp(usable, rng).field_scale() if found.disagrees else found


@dataclass(frozen=True, eq=False)
class _Fit:
    """A model's columns, the sums of each configuration, and the hyperparameters of highest evidence."""

    basis: ModelBasis
    parts: Sequence[Equations]
    fitted: FittedHyperparameters

    @classmethod
    def of_pairs(cls, dataset: Dataset) -> "_Fit":
        """Return the fit of the pair part alone."""
        bare = ModelBasis.build(choose_settings(dataset), dataset.species, None)
        basis = centre_columns(bare, [item.configuration for item in dataset], [None] * len(dataset))
        return cls._fit(dataset, basis, basis, None)

    def add_gp(self, dataset: Dataset, rng: np.random.Generator) -> "_Fit":
        """Return the fit with a GP beside the pair part."""
        settings = self.basis.settings.model_copy(update={"n_inducing": N_INDUCING})
        return self._fit(dataset, build_basis(dataset, settings, rng), self.basis, self.fitted)

    @classmethod
    def _fit(
        cls, dataset: Dataset, basis: ModelBasis, pairs: ModelBasis, start: FittedHyperparameters | None
    ) -> "_Fit":
        references = find_references(dataset)
        sums = [equations_of([item], basis, references) for item in dataset]
        parts = [{target: each[target] for target in ("energy", "field")} for each in sums]
        return cls(basis, parts, fit_hyperparameters(_total(parts), basis.blocks, pairs.blocks, start, OPEN_WIDTH))

    def field_scale(self) -> FieldScale:
        """Return c with the larger of its two errors."""
        total, blocks, hyperparameters, n = (
            _total(self.parts),
            self.basis.blocks,
            self.fitted.best.hyperparameters,
            len(self.parts),
        )
        names = list_free(total, blocks, FIXED_BLOCKS)
        along_k = np.linalg.inv(curvature(total, blocks, self.fitted.hyperprior, hyperparameters, names))[-1]
        slopes_k = slopes_of(total, blocks, hyperparameters, names)
        others = (slopes_of(_subtract(total, part), blocks, hyperparameters, names) for part in self.parts)
        shifts = np.array([along_k @ (other_k - slopes_k) for other_k in others])  # one Newton step each
        jackknife = np.sqrt((n - 1) / n * np.sum((shifts - np.mean(shifts)) ** 2))
        error = max(float(jackknife), float(np.sqrt(along_k[-1])))
        return FieldScale(hyperparameters.field_scale, hyperparameters.field_scale * error, n)


def _has_both(item: LabelledConfiguration) -> bool:
    return item.energy is not None and item.effective_fields_ac is not None and item.configuration.n_magnetic > 0


def _reverse_fields(item: LabelledConfiguration) -> LabelledConfiguration:
    assert item.exchange_fields_ac is not None
    return replace(item, exchange_fields_ac=-item.exchange_fields_ac)


def _total(parts: Sequence[Equations]) -> Equations:
    total: Equations = {}
    for part in parts:
        total = merge_sums(total, part)
    return total


def _subtract(total: Equations, part: Equations) -> Equations:
    return {target: equation - part[target] for target, equation in total.items()}
