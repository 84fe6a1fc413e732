"""The fit of the hyperparameters of a model: first of its pair part alone, then of the whole model."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from soso_core.gp.inference.evidence import (
    FIELD_SCALE,
    FIELD_SCALE_WIDTH,
    EvidenceMaximum,
    Hyperprior,
    maximise_evidence,
)
from soso_core.gp.inference.hyperprior import build_hyperprior, extend_hyperprior_to_gp, free_energy_noise
from soso_core.gp.model.hyperparameters import Hyperparameters
from soso_core.gp.model.normal_equations import NormalEquations

FIXED_BLOCKS = frozenset({"species"})
"""Blocks whose prior width is not fitted."""
LEFT_OUT = 1e-3
"""Prior widths of a GP that is left out, relative to those that would explain the residuals of the pair part."""

Equations = Mapping[str, NormalEquations]


@dataclass(frozen=True, eq=False)
class FittedHyperparameters:
    """Hyperparameters of highest evidence of the whole model, `best`, and of its pair part alone, `baseline`.

    hyperprior: that of `best`.  has_gp: whether the GP of `best` contributes; without it, `best` is `baseline` itself.
    """

    best: EvidenceMaximum
    baseline: EvidenceMaximum
    hyperprior: Hyperprior
    has_gp: bool


def fit_hyperparameters(
    equations: Equations,
    blocks: Mapping[str, slice],
    pair_blocks: Mapping[str, slice],
    start: FittedHyperparameters | None = None,
    field_scale_width: float = FIELD_SCALE_WIDTH,
) -> FittedHyperparameters:
    """Return the hyperparameters of highest evidence, first of the pair part, then of the whole model.

    Parameters: `equations`, the normal equations of every energy target over m columns; `blocks`, name and columns of
    every block; `pair_blocks`, those of the pair part, which come first (equal to `blocks` in a model without a GP);
    `start`, the result for similar data, where the searches begin; `field_scale_width`, the width of the hyperprior on
    the logarithm of the field scale.
    """
    small = restrict_columns(equations, max(block.stop for block in pair_blocks.values()))
    hyperprior = build_hyperprior(small, pair_blocks)
    hyperprior = replace(hyperprior, log_width={FIELD_SCALE: field_scale_width})
    first = None if start is None else start.baseline.hyperparameters
    baseline = maximise_evidence(small, pair_blocks, hyperprior, FIXED_BLOCKS, first)
    if blocks.keys() == pair_blocks.keys():
        return FittedHyperparameters(baseline, baseline, hyperprior, has_gp=False)
    hyperprior = extend_hyperprior_to_gp(hyperprior, equations, blocks, pair_blocks, baseline.hyperparameters)
    first = start.best.hyperparameters if start is not None and start.has_gp else None
    best = maximise_evidence(equations, blocks, hyperprior, FIXED_BLOCKS, first)
    if first is not None and best.log_evidence < baseline.log_evidence:
        # The pair part alone does better: the search stayed at a maximum for fewer data, such as noise near zero.
        best = maximise_evidence(equations, blocks, hyperprior, FIXED_BLOCKS)
    if equations.keys() != {"energy"}:
        return FittedHyperparameters(best, baseline, hyperprior, has_gp=True)
    return _select_noise_model(equations, blocks, FittedHyperparameters(best, baseline, hyperprior, has_gp=True))


def restrict_columns(equations: Equations, n_columns: int) -> dict[str, NormalEquations]:
    """Return the sums for the first columns only."""
    return {target: equation.restrict(n_columns) for target, equation in equations.items()}


def _select_noise_model(
    equations: Equations, blocks: Mapping[str, slice], precise: FittedHyperparameters
) -> FittedHyperparameters:
    """Compare three hypotheses on energies without derivatives: precise labels, free noise, and no GP.

    The hyperprior of precise labels alone would make a flexible GP explain the error of the model form.  With fields or
    forces the data decide without this comparison.
    """
    hyperprior, baseline = precise.hyperprior, precise.baseline
    free = maximise_evidence(equations, blocks, free_energy_noise(hyperprior, equations), FIXED_BLOCKS)
    left_out = {name: LEFT_OUT * width for name, width in hyperprior.centre.prior.items()}
    without_gp = Hyperparameters(
        {**left_out, **baseline.hyperparameters.prior},
        baseline.hyperparameters.noise,
        baseline.hyperparameters.field_scale,
    )
    hypotheses = (EvidenceMaximum(without_gp, baseline.log_evidence), free, precise.best)
    best = max(hypotheses, key=lambda each: each.log_evidence)
    return replace(precise, best=best, has_gp=best is not hypotheses[0])
