"""A slow, readable twin of the three-body descriptor: SciPy's harmonics, explicit images and sums."""

import itertools

import numpy as np
from reference.pair_descriptor import images_within, overlap, root_of_overlaps, taper
from scipy.fft import dct
from scipy.special import eval_legendre, sph_harm_y


def real_harmonic(order, m, vector):
    """Real combination of the complex harmonics: cosines for m > 0, sines for m < 0, no Condon-Shortley sign."""
    x, y, z = vector / np.linalg.norm(vector)
    complex_one = (-1) ** m * sph_harm_y(order, abs(m), np.arccos(z), np.arctan2(y, x))
    if m == 0:
        return complex_one.real
    return np.sqrt(2) * (complex_one.real if m > 0 else complex_one.imag)


def radial_functions(r, p):
    centres = np.linspace(0.0, p.cutoff_angstrom, p.n_max)
    a = 0.5 / p.sigma_angstrom**2
    values = np.array([overlap(r, centre, a) for centre in centres])
    envelope = taper(r, p.cutoff_angstrom, p.taper_angstrom) * (2.5 / r) ** p.decay
    return envelope * np.linalg.solve(root_of_overlaps(tuple(centres), a), values)


def decoration(channel, e_i, e_j):
    """What neighbour j carries, as a list of components."""
    if channel == "vector":
        return e_j
    order = 0 if channel == "1" else int(channel.removeprefix("P"))
    if order and not (e_i.any() and e_j.any()):
        return np.zeros(1)
    return np.array([eval_legendre(order, e_i @ e_j)])


def mixing(species, n_channels):
    """W[k, s]: the identity, or the first rows of SciPy's orthonormal DCT-II over the ranks of the atomic numbers."""
    if n_channels is None:
        return np.eye(len(species))
    ranks = [sorted(species).index(z) for z in species]
    return dct(np.eye(len(species)), axis=0, norm="ortho")[:n_channels][:, ranks]


def density(configuration, p, species, channel):
    """A[i][component, k, n, (l, m)] of one channel, k the species or the element channel."""
    mix = mixing(species, p.element_channels)
    index = [species.index(z) for z in configuration.numbers_a]
    orders = [(order, m) for order in range(p.l_max + 1) for m in range(-order, order + 1)]
    n_components = 3 if channel == "vector" else 1
    a = np.zeros((len(configuration), n_components, len(mix), p.n_max, len(orders)))
    for i, j, vector in images_within(configuration, p.cutoff_angstrom):
        h = radial_functions(np.linalg.norm(vector), p)
        y = np.array([real_harmonic(order, m, vector) for order, m in orders])
        c = decoration(channel, configuration.spins_ac[i], configuration.spins_ac[j])
        for k, weight in enumerate(mix[:, index[j]]):
            a[i, :, k] += weight * c[:, None, None] * h[:, None] * y
    return a


def kernel(left, right, p, species, pair):
    """Σ_{x x' l} p_left p_right over the full, untrimmed power spectra of two configurations, (a, a')."""
    return full_spectrum(left, p, species, pair) @ full_spectrum(right, p, species, pair).T


def full_spectrum(configuration, p, species, pair):
    """p[i, (k n, k' n', l)] of one channel pair, every (k n), (k' n') kept."""
    a, b = (density(configuration, p, species, channel) for channel in pair)
    rows = list(itertools.product(range(a.shape[2]), range(p.n_max)))
    spectrum = []
    for i in range(len(configuration)):
        values = []
        for (s, n), (s2, n2), order in itertools.product(rows, rows, range(p.l_max + 1)):
            m = slice(order**2, (order + 1) ** 2)
            values.append(np.sum(a[i, :, s, n, m] * b[i, :, s2, n2, m]) / np.sqrt(2 * order + 1))
        spectrum.append(values)
    return np.array(spectrum)
