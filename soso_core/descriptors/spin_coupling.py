"""How much each Legendre order λ weighs after smearing a spin by a von Mises-Fisher kernel."""

import numpy as np
from scipy.special import spherical_in

from soso_core.arrays import FloatArray


def spin_coupling(lambda_max: int, sigma_spin: float) -> FloatArray:
    """Return A_λ/A_0 = sqrt(2λ+1) (i_λ(x)/i_0(x))² with x = 1/sigma_spin², (l,).

    i_λ is the modified spherical Bessel function; both spins are smeared, hence the square
    (arXiv:2403.10769).  At sigma_spin 1.5, A_1/A_0 is 0.037.
    """
    order_l = np.arange(lambda_max + 1)
    bessel_l = spherical_in(order_l, 1.0 / sigma_spin**2)
    return np.asarray(np.sqrt(2.0 * order_l + 1.0) * (bessel_l / bessel_l[0]) ** 2)
