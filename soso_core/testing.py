"""Finite differences for tests of derivatives; every entry is tested, and vanishing derivatives are an error."""

from collections.abc import Callable

import numpy as np

from soso_core.arrays import FloatArray


def finite_difference(function: Callable[[FloatArray], float], at: FloatArray, width: float) -> FloatArray:
    """Return the central difference of `function` by every entry of `at` (fourth order, error ~ width⁴).

    `function` takes an array of the shape of `at`; `width` is in the units of `at`.
    """
    slopes = np.zeros(at.size)
    for entry in range(at.size):
        samples = []
        for multiple in (-2, -1, 1, 2):
            moved = at.copy()
            moved.flat[entry] += multiple * width
            samples.append(function(moved))
        slopes[entry] = (samples[0] - 8.0 * samples[1] + 8.0 * samples[2] - samples[3]) / (12.0 * width)
    return slopes.reshape(at.shape)


def assert_derivative(
    function: Callable[[FloatArray], float], at: FloatArray, derivative: FloatArray, width: float, tolerance: float
) -> None:
    """Assert that `derivative` is that of `function` at `at`, every entry within `tolerance` of the largest one.

    Raises AssertionError that names the worst entry, and also when all derivatives are below 1e-8 in their units,
    because then nothing was tested.
    """
    numeric = finite_difference(function, at, width)
    largest = float(np.max(np.abs(numeric)))
    assert largest > 1e-8, f"every derivative is below 1e-8 (largest {largest:.1e}): nothing is tested here"
    deviation = np.abs(numeric - derivative)
    worst = np.unravel_index(int(np.argmax(deviation)), deviation.shape)
    assert deviation[worst] <= tolerance * largest, (
        f"entry {worst}: given {derivative[worst]:.8g}, finite difference {numeric[worst]:.8g}, largest {largest:.3g}"
    )
