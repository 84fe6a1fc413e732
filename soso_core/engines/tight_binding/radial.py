"""Distance dependence of hoppings and repulsion: a power law that ends smoothly at the cutoff."""

from dataclasses import dataclass

import numpy as np

from soso_core.arrays import FloatArray


@dataclass(frozen=True)
class TaperedPower:
    """`(reference / r)^exponent` times a taper that falls from 1 to 0 over the last `width` before `cutoff` (Å).

    The taper is the quintic `1 - t³ (10 - 15 t + 6 t²)`, so that value, slope and curvature are continuous everywhere.
    """

    reference: float
    exponent: float
    cutoff: float
    width: float

    def __call__(self, distances_p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (p,) values and (p,) derivatives with respect to the distance (1/Å)."""
        power_p = (self.reference / distances_p) ** self.exponent
        t_p = np.clip((distances_p - self.cutoff + self.width) / self.width, 0.0, 1.0)
        taper_p = 1.0 - t_p**3 * (10.0 - 15.0 * t_p + 6.0 * t_p**2)
        taper_slope_p = -30.0 * t_p**2 * (1.0 - t_p) ** 2 / self.width
        slope_p = power_p * (taper_slope_p - self.exponent * taper_p / distances_p)
        return power_p * taper_p, slope_p
