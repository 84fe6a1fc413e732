"""Hyperpriors: Gaussians on the logarithms of the hyperparameters, set from the size of the data."""

from collections.abc import Mapping

import numpy as np
from scipy.linalg import cho_solve

from soso_core.arrays import FloatArray
from soso_core.gp.inference.evidence import Hyperprior, posterior
from soso_core.gp.model.hyperparameters import Hyperparameters
from soso_core.gp.model.normal_equations import NormalEquations

SPECIES_PRIOR = 1.0
"""eV per atom around the least-squares reference energies; so wide that it does not shrink them."""
TYPICAL_SIZE = 0.05
"""eV per spin: expected variation of energies when there are too few of them to estimate it."""
SMALLEST_SIZE = 1e-3
"""eV: energies and fields are not expected to vary by less."""
NOISE_FRACTION = 0.05
"""Centre of the noise, relative to the size of the data."""
LABEL_NOISE = 1e-3
"""eV per sqrt(spin): how well a converged electronic-structure calculation repeats an energy.

With some tens of energies alone, the evidence cannot separate noise from the error of the model form and assigns all of
it to noise.  The hyperprior on the noise is therefore narrow there (LABEL_NOISE_WIDTH); with derivatives it is wide.
"""
LABEL_NOISE_WIDTH = 0.2
GP_WIDTH = 2.0
"""Width of the hyperprior on the logarithm of a GP amplitude with energies only; GP_WIDTH_DERIVATIVES otherwise."""
GP_WIDTH_DERIVATIVES = 1.0
VANISHING = 1e-9
"""Rows smaller than the data by this factor are rounding noise: the data do not determine that block."""


def build_hyperprior(equations: Mapping[str, NormalEquations], blocks: Mapping[str, slice]) -> Hyperprior:
    """Centre all hyperparameters on the data: each block alone would explain their size, noise a fraction of it."""
    size = _sizes(equations, blocks)
    visibility_m = _visibility(equations, size)
    prior = {name: _amplitude(visibility_m[block]) for name, block in blocks.items()}
    prior["species"] = SPECIES_PRIOR
    noise = {target: NOISE_FRACTION * s for target, s in size.items()}
    return Hyperprior(Hyperparameters(prior, noise))


def extend_hyperprior_to_gp(
    hyperprior: Hyperprior,
    equations: Mapping[str, NormalEquations],
    blocks: Mapping[str, slice],
    baseline_blocks: Mapping[str, slice],
    baseline_hyperparameters: Hyperparameters,
) -> Hyperprior:
    """Return the hyperprior with a GP that would explain the residuals of the pair part, and no more.

    Only the part of the GP columns that the pair part cannot express counts (the pair columns, under their prior, are
    projected out): near a rigid lattice it is a small part, on displaced cells a large one.  All monomials together
    explain the residuals, each an equal share.
    """
    n_other = max(block.stop for block in baseline_blocks.values())
    left_m = np.zeros(max(block.stop for block in blocks.values()))
    for target, equation in equations.items():
        left_m = np.maximum(left_m, _left_over(target, equation, n_other, baseline_blocks, baseline_hyperparameters))
    names = [name for name in blocks if name not in baseline_blocks]
    prior = {**hyperprior.centre.prior}
    for name in names:
        prior[name] = _amplitude(left_m[blocks[name]]) / np.sqrt(len(names))
    if equations.keys() <= {"energy"}:
        widths = dict.fromkeys(names, GP_WIDTH) | {"energy": LABEL_NOISE_WIDTH}
        return Hyperprior(Hyperparameters(prior, {"energy": LABEL_NOISE}), {**hyperprior.log_width, **widths})
    widths = dict.fromkeys(names, GP_WIDTH_DERIVATIVES)
    return Hyperprior(Hyperparameters(prior, hyperprior.centre.noise), {**hyperprior.log_width, **widths})


def free_energy_noise(hyperprior: Hyperprior, equations: Mapping[str, NormalEquations]) -> Hyperprior:
    """Return the hyperprior with the noise of energies centred on the data, and wide."""
    size = max(float(np.sqrt(equations["energy"].yty / equations["energy"].effective_count)), SMALLEST_SIZE)
    noise = {**hyperprior.centre.noise, "energy": NOISE_FRACTION * size}
    widths = {name: width for name, width in hyperprior.log_width.items() if name != "energy"}
    return Hyperprior(Hyperparameters(hyperprior.centre.prior, noise, hyperprior.centre.field_scale), widths)


def _sizes(equations: Mapping[str, NormalEquations], blocks: Mapping[str, slice]) -> dict[str, float]:
    """Return the root mean square of each target, eV, eV/Å or μB."""
    size = {t: max(float(np.sqrt(e.yty / e.effective_count)), SMALLEST_SIZE) for t, e in equations.items()}
    if "energy" in size and equations["energy"].n_rows <= blocks["species"].stop:
        # The species constants explain so few energies exactly; fields give their size.
        size["energy"] = size.get("field", TYPICAL_SIZE)
    elif "energy" in size:
        size["energy"] = max(size["energy"], size.get("field", 0.0))
    return size


def _visibility(equations: Mapping[str, NormalEquations], size: Mapping[str, float]) -> FloatArray:
    """Return, for every column, the mean square of its rows over that of the data, largest over the targets, (m,)."""
    ratios = [np.diag(e.gram_mm) / e.effective_count / size[target] ** 2 for target, e in equations.items()]
    return np.asarray(np.max(ratios, axis=0))


def _left_over(
    target: str, equation: NormalEquations, n_other: int, blocks: Mapping[str, slice], hyperparameters: Hyperparameters
) -> FloatArray:
    """Return the mean square of the rows of every column, over the noise, that the other columns cannot express."""
    gram_mm, noise = equation.gram_mm, hyperparameters.noise[target]
    alone = {target: equation.restrict(n_other)}
    _, cholesky_mm = posterior(alone, blocks, hyperparameters)
    shared_mm = cho_solve((cholesky_mm, True), gram_mm[:n_other]) * hyperparameters.factor(target) ** 2
    left_m = np.diag(gram_mm) - np.sum(gram_mm[:n_other] * shared_mm, axis=0) / noise**2
    floor_m = VANISHING * np.diag(gram_mm)
    return np.asarray(np.maximum(left_m, floor_m) / equation.effective_count / noise**2)


def _amplitude(visibility_m: FloatArray) -> float:
    """Return the prior width with which a block alone explains the data; 1 where its rows vanish."""
    total = float(np.sum(visibility_m))
    return 1.0 / np.sqrt(total) if total > VANISHING**2 else 1.0
