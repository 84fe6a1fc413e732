"""The table of spin channels: functions of the spins of a centre i and its neighbour j that decorate the density.

To add a channel that is a Legendre polynomial of e_i·e_j, add its entry to `CHANNELS`; any other function of
e_i·e_j also needs its value and slope in `kernels.channels.channel_value`.  Fits, compiled models and Monte Carlo take
both from there.  A channel that depends on e_i alone or on the direction r̂ needs a new `Dependence`, and derivatives by
it in the kernels that now distinguish e_i·e_j from e_j.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from soso_core.arrays import FloatArray, IntArray
from soso_core.configuration import Configuration
from soso_core.kernels.channels import channel_components

Dependence = Literal["e_i.e_j", "e_j"]


@dataclass(frozen=True)
class Channel:
    """A function of the two spins.

    depends_on : the argument of the function, by which its derivatives are taken
    kinds : one number for each component, see `kernels.channels`
    """

    depends_on: Dependence
    kinds: tuple[int, ...]

    @property
    def n_components(self) -> int:
        """Number of densities this channel needs."""
        return len(self.kinds)


CHANNELS = {
    "1": Channel("e_i.e_j", (0,)),
    "P1": Channel("e_i.e_j", (1,)),
    "P2": Channel("e_i.e_j", (2,)),
    "vector": Channel("e_j", (-1, -2, -3)),
}
"""Every channel by name.  Two of them can be paired when they transform alike under a rotation of all spins."""


@dataclass(frozen=True, eq=False)
class ChannelComponents:
    """The components t of some channels on pairs q: values c and slopes, (q, t), and kinds_t (t,).

    The slope is by e_i·e_j, or for kinds_t < 0 by the component -1 - kind of e_j; 0 where j has no spin.
    """

    values_qt: FloatArray
    slopes_qt: FloatArray
    kinds_t: IntArray


def first_components(names: Sequence[str]) -> dict[str, int]:
    """Return the index of the first component of each channel when they are laid out in this order."""
    ends = np.cumsum([CHANNELS[name].n_components for name in names])
    return {name: int(end) - CHANNELS[name].n_components for name, end in zip(names, ends, strict=True)}


def component_kinds(names: Sequence[str]) -> IntArray:
    """Return the kind of every component of these channels, (t,)."""
    return np.array([kind for name in names for kind in CHANNELS[name].kinds], dtype=np.int64)


def evaluate_channels(
    configuration: Configuration, i_q: IntArray, j_q: IntArray, names: Sequence[str]
) -> ChannelComponents:
    """Return the components of the named channels for pairs (i, j).

    P_λ, λ > 0, needs a spin at both ends and is zero otherwise; the vector needs one at the neighbour.
    """
    kinds_t = component_kinds(names)
    components = channel_components(i_q, j_q, kinds_t, configuration.spins_ac, configuration.is_magnetic_a)
    return ChannelComponents(*components, kinds_t)
