"""The fit of the moment magnitudes: a second output, with hyperparameters from the evidence of its own labels."""

from collections.abc import Mapping

import numpy as np

from soso_core.gp.inference.evidence import Hyperprior, maximise_evidence, posterior
from soso_core.gp.inference.hyperprior import build_hyperprior
from soso_core.gp.model.hyperparameters import MOMENT, Hyperparameters
from soso_core.gp.model.moments import MomentModel
from soso_core.gp.model.normal_equations import NormalEquations


def fit_moment_model(equation: NormalEquations, blocks: Mapping[str, slice]) -> MomentModel:
    """Return the model of moment magnitudes of highest evidence."""
    return solve_moment_model(
        equation, blocks, maximise_evidence({MOMENT: equation}, blocks, _hyperprior(equation, blocks)).hyperparameters
    )


def solve_moment_model(
    equation: NormalEquations, blocks: Mapping[str, slice], hyperparameters: Hyperparameters
) -> MomentModel:
    """Return the model of moment magnitudes with given hyperparameters."""
    return MomentModel(*posterior({MOMENT: equation}, blocks, hyperparameters), hyperparameters)


def _hyperprior(equation: NormalEquations, blocks: Mapping[str, slice]) -> Hyperprior:
    """Let all blocks together explain the magnitudes; the species constants correct the mean of each species."""
    centre = build_hyperprior({MOMENT: equation}, blocks).centre
    share = 1.0 / np.sqrt(len(blocks))
    return Hyperprior(Hyperparameters({name: share * width for name, width in centre.prior.items()}, centre.noise))
