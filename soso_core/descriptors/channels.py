"""The table of spin channels: what a neighbour j of centre i carries besides its place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.descriptors.spin_pairs import pair_legendre


@dataclass(frozen=True)
class Channel:
    """A function of the two spins: P_λ(e_i·e_j) of `legendre_order` λ, or the vector e_j when that is None."""

    legendre_order: int | None

    @property
    def n_components(self) -> int:
        """Number of densities this channel needs."""
        return 3 if self.legendre_order is None else 1


CHANNELS = {"1": Channel(0), "P1": Channel(1), "P2": Channel(2), "vector": Channel(None)}
"""Every channel by name.  Two of them can be paired when they turn alike under a rotation of all spins."""


@dataclass(frozen=True, eq=False)
class ChannelComponents:
    """The components t of some channels on pairs q: values c and slopes, (q, t), and axis_t (t,).

    axis_t < 0: c is a function of e_i·e_j, the slope its derivative.  Otherwise c is that Cartesian component
    of e_j, the slope is 1, or 0 where j has no spin.
    """

    values_qt: FloatArray
    slopes_qt: FloatArray
    axis_t: IntArray


def first_components(names: Sequence[str]) -> dict[str, int]:
    """Return the index of the first component of each channel when they are laid out in this order."""
    ends = np.cumsum([CHANNELS[name].n_components for name in names])
    return {name: int(end) - CHANNELS[name].n_components for name, end in zip(names, ends, strict=True)}


def evaluate_channels(
    configuration: Configuration, i_q: IntArray, j_q: IntArray, names: Sequence[str]
) -> ChannelComponents:
    """Return the components of the named channels for pairs (i, j).

    P_λ, λ > 0, needs a spin at both ends and is zero otherwise; the vector needs one at the neighbour.
    """
    channels = [CHANNELS[name] for name in names]
    highest = max((channel.legendre_order or 0 for channel in channels), default=0)
    values_ql, slopes_ql = pair_legendre(configuration, i_q, j_q, highest)
    e_qc = configuration.spins_ac[j_q]
    has_spin_qc = np.repeat(configuration.is_magnetic_a[j_q][:, None], 3, axis=1).astype(np.float64)
    values, slopes, axes = [], [], []
    for order in (channel.legendre_order for channel in channels):
        values.append(e_qc if order is None else values_ql[:, order, None])
        slopes.append(has_spin_qc if order is None else slopes_ql[:, order, None])
        axes += [0, 1, 2] if order is None else [-1]
    return ChannelComponents(
        np.ascontiguousarray(np.concatenate(values, axis=1)),
        np.ascontiguousarray(np.concatenate(slopes, axis=1)),
        np.array(axes, dtype=np.int64),
    )
