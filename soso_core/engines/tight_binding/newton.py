"""Second-order step: the next guess from the residual of a guess and the response of the sites.

The functional of `evaluate` is concave in charges n and Lagrange fields b, for any moments M, because the electrons'
free energy is concave in its potentials; after that maximisation it is minimised over M.  The step is Newton's, with
the curvature along M made positive, so it leads away from saddles, unless symmetry holds it on one.
"""

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.engines.tight_binding.crystal import Crystal
from soso_core.voigt import symmetrise

SOFTEST = 0.02
"""Smallest curvature (eV/μB²) of a moment magnitude that is used."""

LARGEST_OTHER = 0.2
"""Largest change of a charge (e) or field (eV) in one step: states across a gap respond only once levels meet."""


def newton_step(
    crystal: Crystal, response_mm: FloatArray, residual_au: FloatArray, largest_moment_step: float
) -> FloatArray:
    """Return the (a, 5) change of moments (μB), charges (e) and fields (eV).

    `response_mm` is (4a, 4a) as from `site_response`; `residual_au` (a, 5) is that of `Solution`.
    """
    magnetic = np.flatnonzero(crystal.configuration.is_magnetic_a)
    n_atoms, n_moments = len(crystal.configuration), len(magnetic)
    frames_tac = _transverse_frames(crystal.configuration.spins_ac)
    jacobian_mz = _jacobian(crystal, magnetic, frames_tac)
    explicit_z = np.concatenate([0.5 * crystal.stoner_a[magnetic], -crystal.penalty_a, np.zeros(2 * n_moments)])
    hessian_zz = jacobian_mz.T @ response_mm @ jacobian_mz + np.diag(explicit_z)
    gradient_z = np.concatenate(
        [
            -0.5 * crystal.stoner_a[magnetic] * residual_au[magnetic, 0],
            crystal.penalty_a * residual_au[:, 1],
            *(np.sum(frame_ac * residual_au[:, 2:], axis=1)[magnetic] for frame_ac in frames_tac),
        ]
    )
    step_z = _saddle_step(hessian_zz, gradient_z, n_moments, largest_moment_step)
    step_au = np.zeros((n_atoms, 5))
    step_au[magnetic, 0] = step_z[:n_moments]
    step_au[:, 1] = step_z[n_moments : n_moments + n_atoms]
    for frame_ac, part in zip(frames_tac, step_z[n_moments + n_atoms :].reshape(2, n_moments), strict=True):
        step_au[magnetic, 2:] += part[:, None] * frame_ac[magnetic]
    return step_au


def _saddle_step(hessian_zz: FloatArray, gradient_z: FloatArray, n_moments: int, largest: float) -> FloatArray:
    """Return the step that goes up in all but the first `n_moments` variables and down in those."""
    m, k = slice(0, n_moments), slice(n_moments, None)
    concave_kk = hessian_zz[k, k] - 1e-9 * np.eye(len(gradient_z) - n_moments)
    solved = np.linalg.solve(concave_kk, np.column_stack([hessian_zz[k, m], gradient_z[k]]))
    reduced_mm = hessian_zz[m, m] - hessian_zz[m, k] @ solved[:, :-1]
    reduced_m = gradient_z[m] - hessian_zz[m, k] @ solved[:, -1]
    curvatures_m, modes_mm = np.linalg.eigh(symmetrise(reduced_mm))
    step_m = -modes_mm @ ((modes_mm.T @ reduced_m) / np.maximum(np.abs(curvatures_m), SOFTEST))
    step_m *= _fraction(step_m, largest)
    step_k = -solved[:, -1] - solved[:, :-1] @ step_m
    return _fraction(step_k, LARGEST_OTHER) * np.concatenate([step_m, step_k])


def _fraction(step: FloatArray, largest: float) -> float:
    """Return the fraction of a step that keeps every entry below `largest`."""
    return min(1.0, largest / max(float(np.abs(step).max(initial=0.0)), 1e-300))


def _jacobian(crystal: Crystal, magnetic: IntArray, frames_tac: FloatArray) -> FloatArray:
    """Return (4a, z): the site potentials' derivatives by moments, charges and fields along the two frame vectors."""
    n_atoms, n_moments = len(crystal.configuration), len(magnetic)
    jacobian_caz = np.zeros((4, n_atoms, 3 * n_moments + n_atoms))
    columns = np.arange(n_moments)
    along_ac = 0.5 * crystal.stoner_a[:, None] * crystal.configuration.spins_ac
    jacobian_caz[1:, magnetic, columns] = along_ac[magnetic].T
    jacobian_caz[0, np.arange(n_atoms), n_moments + np.arange(n_atoms)] = crystal.penalty_a
    for number, frame_ac in enumerate(frames_tac, start=1):
        jacobian_caz[1:, magnetic, n_atoms + number * n_moments + columns] = frame_ac[magnetic].T
    return jacobian_caz.reshape(4 * n_atoms, -1)


def _transverse_frames(spins_ac: FloatArray) -> FloatArray:
    """Return (2, a, 3): two unit vectors across each spin."""
    helper_ac = np.eye(3)[np.argmin(np.abs(spins_ac), axis=1)]
    first_ac = np.cross(spins_ac, helper_ac)
    first_ac /= np.maximum(np.linalg.norm(first_ac, axis=1, keepdims=True), 1e-12)
    return np.stack([first_ac, np.cross(spins_ac, first_ac)])
