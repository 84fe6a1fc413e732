"""Anderson mixing: the next guess of a fixed-point iteration from the last few guesses and residuals."""

import numpy as np

from soso_core.arrays import FloatArray


class AndersonMixer:
    """Finds x with residual r(x) = 0, where `x + r(x)` is already a reasonable next guess.

    With differences ΔX, ΔR of the last `history` guesses and residuals, γ minimises |r - ΔR γ| and the next guess is
    `x + β r - (ΔX + β ΔR) γ`, no entry moving by more than `largest_step`.
    D. G. Anderson, J. ACM 12, 547 (1965).
    """

    def __init__(self, beta: float, history: int, largest_step: float) -> None:
        self.beta = beta
        self.history = history
        self.largest_step = largest_step
        self._guesses: list[FloatArray] = []
        self._residuals: list[FloatArray] = []

    def next_guess(self, guess: FloatArray, residual: FloatArray) -> FloatArray:
        """Return the next guess, of the same shape as `guess` and `residual`."""
        self._guesses = [*self._guesses[-self.history :], guess.ravel()]
        self._residuals = [*self._residuals[-self.history :], residual.ravel()]
        step = self.beta * residual.ravel()
        if len(self._guesses) > 1:
            delta_x = np.diff(self._guesses, axis=0).T
            delta_r = np.diff(self._residuals, axis=0).T
            gamma = np.linalg.lstsq(delta_r, residual.ravel(), rcond=1e-9)[0]
            step -= (delta_x + self.beta * delta_r) @ gamma
        largest = float(np.abs(step).max())
        return guess + (step * min(1.0, self.largest_step / max(largest, 1e-300))).reshape(guess.shape)
