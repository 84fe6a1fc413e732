"""Mixing of species into element channels, so that descriptors do not grow with the square of their number."""

import numpy as np

from soso_core.arrays import FloatArray


def element_mixing(species: tuple[int, ...], n_channels: int | None) -> FloatArray:
    """Return W, the weight of a neighbour of species s in the density of channel k, (k, s).

    None keeps a channel for each species: W = 1.  Otherwise the rows are the first `n_channels` of the orthonormal
    cosine basis (DCT-II) over the rank of the atomic number: the first treats all species alike, the next ones
    resolve smaller differences.  There are at most as many as species; with as many, W is orthogonal, and
    dot products of power spectra are those of W = 1.
    Source of the idea: Willatt et al., Phys. Chem. Chem. Phys. 20, 29661 (2018).
    """
    n_species = len(species)
    if n_channels is None:
        return np.eye(n_species)
    rank_s = np.argsort(np.argsort(species))
    order_k = np.arange(min(n_channels, n_species))
    cosine_ks = np.cos(np.pi * order_k[:, None] * (rank_s + 0.5) / n_species)
    return np.asarray(cosine_ks * np.sqrt(np.where(order_k, 2.0, 1.0) / n_species)[:, None])
