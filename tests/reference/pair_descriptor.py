"""A slow, readable twin of descriptor and pair part: quadrature, explicit images, SciPy polynomials."""

import itertools
from functools import cache

import numpy as np
from scipy.integrate import quad
from scipy.linalg import sqrtm
from scipy.special import eval_legendre, spherical_in


def images_within(configuration, cutoff):
    """Yield (i, j, vector from i to the image of j) for every pair closer than the cutoff, without a neighbour list."""
    cell = np.asarray(configuration.cell_vc)
    heights = configuration.volume / np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    # Atoms may lie outside the cell, so reach one cell further than the cutoff does.
    reach = [int(np.ceil(cutoff / height)) + 1 for height in heights]
    n_atoms = len(configuration)
    for i, j in itertools.product(range(n_atoms), range(n_atoms)):
        for shift in itertools.product(*(range(-n, n + 1) for n in reach)):
            vector = configuration.positions_ac[j] + np.array(shift) @ cell - configuration.positions_ac[i]
            if 1e-9 < np.linalg.norm(vector) < cutoff:
                yield i, j, vector


def taper(r, cutoff, width):
    if r >= cutoff:
        return 0.0
    return 1.0 if r <= cutoff - width else 0.5 * (1 + np.cos(np.pi * (r - cutoff + width) / width))


def overlap(r, centre, a):
    """∫₀^∞ x² exp(-a(x-centre)²) exp(-a(x-r)²) dx by quadrature."""
    top = max(r, centre) + 12 / np.sqrt(a)
    points = [r, centre]
    return quad(lambda x: x * x * np.exp(-a * ((x - centre) ** 2 + (x - r) ** 2)), 0, top, points=points, epsabs=1e-13)[
        0
    ]


@cache
def root_of_overlaps(centres, a):
    return np.real(sqrtm(np.array([[overlap(x, y, a) for x in centres] for y in centres])))


def radial_functions(r, p):
    centres = np.linspace(0.0, p.cutoff_angstrom, p.n_max)
    a = 0.5 / p.sigma_atom_angstrom**2
    values = np.array([overlap(r, centre, a) for centre in centres])
    return taper(r, p.cutoff_angstrom, p.taper_angstrom) * np.linalg.solve(root_of_overlaps(tuple(centres), a), values)


def descriptor(configuration, p, species):
    """d_i[s, n, λ] = Σ_j h_n(r) A_λ P_λ(e_i·e_j), plus h_n(0) of the centre at λ = 0."""
    orders = np.arange(p.lambda_max + 1)
    bessel = spherical_in(orders, 1 / p.sigma_spin**2)
    coupling = np.sqrt(2 * orders + 1) * (bessel / bessel[0]) ** 2
    index = [species.index(z) for z in configuration.numbers_a]
    d = np.zeros((len(configuration), len(species), p.n_max, p.lambda_max + 1))
    for i, j, vector in images_within(configuration, p.cutoff_angstrom):
        h = radial_functions(np.linalg.norm(vector), p)
        e_i, e_j = configuration.spins_ac[i], configuration.spins_ac[j]
        for order in orders:
            if order and not (e_i.any() and e_j.any()):
                continue
            d[i, index[j], :, order] += h * coupling[order] * eval_legendre(order, e_i @ e_j)
    for i, s in enumerate(index):
        d[i, s, :, 0] += radial_functions(0.0, p)
    return d


def pair_energy(configuration, settings, species, weights):
    """Σ over pairs, each once, of Σ_λn w[λ, u, n] f_c(r) (2.5/r)^decay exp(-(r-r_n)²/2σ²) P_λ(e_i·e_j)."""
    n_species = len(species)
    pairs = [(a, b) for a in range(n_species) for b in range(a, n_species)]
    w = weights.reshape(settings.lambda_max + 1, len(pairs), settings.n_max)
    centres = np.linspace(1.5, settings.cutoff_angstrom, settings.n_max)
    index = [species.index(z) for z in configuration.numbers_a]
    energy = 0.0
    for i, j, vector in images_within(configuration, settings.cutoff_angstrom):
        r = np.linalg.norm(vector)
        shape = np.exp(-0.5 * ((r - centres) / settings.sigma_angstrom) ** 2) * (2.5 / r) ** settings.decay
        shape *= taper(r, settings.cutoff_angstrom, settings.taper_angstrom)
        u = pairs.index(tuple(sorted((index[i], index[j]))))
        e_i, e_j = configuration.spins_ac[i], configuration.spins_ac[j]
        for order in range(settings.lambda_max + 1):
            if order == 0 or (e_i.any() and e_j.any()):
                energy += 0.5 * w[order, u] @ shape * eval_legendre(order, e_i @ e_j)
    return energy
