"""A slow, readable twin of the covariance of environments, from the formula: x, block kernels, monomials."""

import itertools

import numpy as np
from reference.pair_descriptor import descriptor
from reference.three_body import full_spectrum

SHORTEST = 1e-3


def environments(configuration, pair, three_body, species):
    """x of every centre as one dictionary of blocks: d/|d|, and the channel pairs of p over |p(1, 1)|."""
    centres = [{} for _ in range(len(configuration))]
    if pair is not None:
        for x, d in zip(centres, descriptor(configuration, pair, species), strict=True):
            x["d"] = d.ravel() / np.sqrt(np.sum(d**2) + SHORTEST**2)
    if three_body is not None:
        spectra = {c: full_spectrum(configuration, three_body, species, c) for c in three_body.channel_pairs}
        for i, x in enumerate(centres):
            length = np.sqrt(np.sum(spectra["1", "1"][i] ** 2) + SHORTEST**2)
            for channels, p in spectra.items():
                x["-".join(channels)] = p[i] / length
    return centres


def columns(centres, species_a, points, species_b, zeta):
    """{name of the monomial: k (a, b)}: the product of the kernels of its blocks, zero between species."""
    found = {}
    for blocks in itertools.combinations_with_replacement(centres[0], zeta):
        k = np.zeros((len(centres), len(points)))
        for a, x in enumerate(centres):
            for b, point in enumerate(points):
                if species_a[a] == species_b[b]:
                    k[a, b] = np.prod([x[q] @ point[q] for q in blocks])
        found[" ".join(blocks)] = k
    return found
