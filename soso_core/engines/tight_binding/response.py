"""Linear response of charges and moments to the potentials of the sites, by perturbation theory on the bands."""

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.engines.tight_binding.crystal import ComplexArray
from soso_core.engines.tight_binding.functional import Solution
from soso_core.engines.tight_binding.slater_koster import N_ORBITALS

NEGLIGIBLE = 1e-8
"""Pairs of bands that are both filled or both empty to within this are left out."""

CHUNK_BYTES = 1e8


def site_response(
    solution: Solution, smearing: float, points: IntArray | None = None, negligible: float = NEGLIGIBLE
) -> FloatArray:
    """Return (4a, 4a), 1/eV: the second derivative of the electrons' free energy by the site potentials.

    Potentials are ordered (level, field x, y, z) as four blocks of a atoms, for a site Hamiltonian `v - B·σ`; the first
    derivatives are the charges and minus the moments.  The number of electrons is fixed.  The matrix is negative
    semidefinite, as the free energy is concave in the potentials.  `points` selects k-points.
    Pairs of bands that are both filled, or both empty, to within `negligible` are left out.
    """
    chosen = slice(None) if points is None else points
    bands_kb, states_kxb = solution.bands_kb[chosen], solution.states_kxb[chosen]
    occupations_kb = solution.filling.occupations_kb[chosen]
    n_points, n_basis, n_bands = states_kxb.shape
    n_sites = n_basis // (2 * N_ORBITALS)
    response_mm = np.zeros((4 * n_sites, 4 * n_sites))
    level_m, density_of_states = np.zeros(4 * n_sites), 0.0
    for bands_b, states_xb, filled_b in zip(bands_kb, states_kxb, occupations_kb, strict=True):
        states_saob = states_xb.reshape(2, n_sites, N_ORBITALS, n_bands)
        rows, columns = np.flatnonzero(filled_b > negligible), np.flatnonzero(filled_b < 1.0 - negligible)
        n_chunks = 1 + int(64.0 * n_sites * len(rows) * len(columns) / CHUNK_BYTES)
        for part in np.array_split(rows, n_chunks):
            weights_rc = _pair_weights(bands_b, filled_b, part, columns, smearing, negligible)
            elements_mrc = _site_elements(states_saob[..., part], states_saob[..., columns])
            response_mm += _contract(elements_mrc, weights_rc)
        slope_b = -filled_b * (1.0 - filled_b) / smearing
        level_m += _diagonal_elements(states_saob) @ slope_b
        density_of_states += float(slope_b.sum())
    if density_of_states < 0.0:
        response_mm -= np.outer(level_m, level_m) / density_of_states
    return np.asarray(response_mm / n_points)


def _pair_weights(
    bands_b: FloatArray, filled_b: FloatArray, rows: IntArray, columns: IntArray, smearing: float, negligible: float
) -> FloatArray:
    """Return (f_r - f_c)/(ε_r - ε_c), doubled where the pair occurs only once (one of the two is full or empty)."""
    gap_rc = bands_b[rows][:, None] - bands_b[columns][None, :]
    filled_r, filled_c = filled_b[rows][:, None], filled_b[columns][None, :]
    is_close_rc = np.abs(gap_rc) < 1e-5 * smearing
    slope_rc = -0.5 * (filled_r * (1.0 - filled_r) + filled_c * (1.0 - filled_c)) / smearing
    weights_rc = np.where(is_close_rc, slope_rc, (filled_r - filled_c) / np.where(is_close_rc, 1.0, gap_rc))
    met_twice_rc = (filled_r < 1.0 - negligible) & (filled_c > negligible)
    return np.asarray(np.where(met_twice_rc, weights_rc, 2.0 * weights_rc))


def _site_elements(left_saor: ComplexArray, right_saoc: ComplexArray) -> ComplexArray:
    """Return (4a, r, c) matrix elements of (1, -σx, -σy, -σz) on every site."""
    bra_saro = left_saor.conj().transpose(0, 1, 3, 2)
    up_up, up_down = bra_saro[0] @ right_saoc[0], bra_saro[0] @ right_saoc[1]
    down_up, down_down = bra_saro[1] @ right_saoc[0], bra_saro[1] @ right_saoc[1]
    return np.concatenate([up_up + down_down, -up_down - down_up, 1j * (up_down - down_up), down_down - up_up])


def _diagonal_elements(states_saob: ComplexArray) -> FloatArray:
    """Return (4a, b) expectation values of (1, -σx, -σy, -σz) on every site."""
    up_aob, down_aob = states_saob
    up_ab, down_ab = (np.abs(up_aob) ** 2).sum(axis=1), (np.abs(down_aob) ** 2).sum(axis=1)
    mixed_ab = (up_aob.conj() * down_aob).sum(axis=1)
    return np.concatenate([up_ab + down_ab, -2.0 * mixed_ab.real, -2.0 * mixed_ab.imag, down_ab - up_ab])


def _contract(elements_mrc: ComplexArray, weights_rc: FloatArray) -> FloatArray:
    """Return Re Σ_rc w_rc elements_mrc elements*_mrc for weights w that are not positive; overwrites the elements."""
    elements_mrc *= np.sqrt(np.maximum(-weights_rc, 0.0))
    # Real and imaginary parts side by side: a product of a matrix with its own transpose costs half.
    halves_mp = elements_mrc.reshape(len(elements_mrc), -1).view(float)
    return np.asarray(-(halves_mp @ halves_mp.T))
