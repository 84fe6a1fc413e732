"""Monte Carlo of spins, slowly: every proposal has the energy of the whole cell summed anew.

Random numbers are drawn in the order of `soso_core.kernels.monte_carlo.proposals`, so that both follow the same chain.
"""

import numpy as np


def legendre_energy(bonds, couplings, field_ac, e_ac):
    """Σ_bonds Σ_λ J_λ P_λ(e_i·e_j) - Σ_i b_i·e_i."""
    total = -sum(float(b_c @ e_c) for b_c, e_c in zip(field_ac, e_ac, strict=True))
    for (i, j), j_l in zip(bonds, couplings, strict=True):
        total += np.polynomial.legendre.legval(float(e_ac[i] @ e_ac[j]), j_l)
    return float(total)


def gaussian_direction(e_c, width, rng):
    v_c = e_c + width * np.array([rng.standard_normal() for _ in range(3)])
    return v_c / np.sqrt(v_c @ v_c)


def direction_in_a_field(b_c, rng):
    """Draw from exp(b·e): the cosine w by inverting (e^{κw} - e^{-κ}) / (e^κ - e^{-κ}), then an angle about b."""
    kappa, xi, turn = np.sqrt(b_c @ b_c), rng.random(), 2 * np.pi * rng.random()
    n_c = b_c / kappa
    w = np.log(np.exp(kappa) - xi * (np.exp(kappa) - np.exp(-kappa))) / kappa
    first_c, second_c = frame(n_c)
    return w * n_c + np.sqrt(1 - w**2) * (np.cos(turn) * first_c + np.sin(turn) * second_c)


def frame(n_c):
    """Two unit vectors perpendicular to n and to each other, those of Duff et al., JCGT 6, 1 (2017)."""
    x, y, z = n_c
    sign = 1.0 if z >= 0 else -1.0
    a, b = -1 / (sign + z), -x * y / (sign + z)
    return np.array([1 + sign * x * x * a, sign * b, -sign * x]), np.array([b, sign + y * y * a, -y])


def chain(energy, linear_field, e_ac, sites, kt, width, n_updates, rng):
    """Return the spins after n updates, and how many were accepted.

    energy(e_ac) in eV.  linear_field(i, e_ac): the field, eV, of the heat bath; None: Gaussian proposals.
    """
    e_ac, n_accepted = np.array(e_ac), 0
    for _ in range(n_updates):
        i = sites[int(rng.random() * len(sites))]
        new_ac, log_ratio = e_ac.copy(), 0.0
        if linear_field is None:
            new_ac[i] = gaussian_direction(e_ac[i], width, rng)
        else:
            b_c = linear_field(i, e_ac) / kt
            new_ac[i] = direction_in_a_field(b_c, rng)
            log_ratio = float(b_c @ (e_ac[i] - new_ac[i]))
        if rng.random() < np.exp(log_ratio - (energy(new_ac) - energy(e_ac)) / kt):
            e_ac, n_accepted = new_ac, n_accepted + 1
    return e_ac, n_accepted
