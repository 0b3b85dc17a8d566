"""What noisy grey values say after they were clamped to what a pixel can be.

A client clamps to 0..255 after the noise. That costs it nothing, but the sent value is then no
longer the true one plus the noise that was drawn: at epsilon 1 the noise has a deviation of 361
grey levels, what is sent one of some 110, and a difference of two true values arrives as a third
of it. An adversary who knows the law of the noise knows both. This module gives the best straight
line: sent = slope * true + shift + error, with every grey level equally likely beforehand.

For a Laplace draw of scale b around x and bounds l <= x <= h, with p = exp(-(x - l) / b) and
q = exp(-(h - x) / b), the clamped value v has

    E v = x + b/2 (p - q),    E v^2 = x^2 + 2 b^2 + b (l - b) p - b (h + b) q.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Clamped"]

LOW: Final = -128.0
HIGH: Final = 127.0
"""A grey value minus 128 is between these two."""
LEVELS: Final = 64
"""True values the line is fitted to; both laws are smooth between them."""


class Clamped(NamedTuple):
    """The line through clamped values, minus 128, and what is left of them.

    Attributes:
        slope: of the sent value in the true one.
        shift: of the sent value where the true one is 0.
        noise: variance of one sent value about its mean.
        bend: variance of this mean about the line, the same in every upload of a picture.
    """

    slope: NDArray[np.float64]
    shift: NDArray[np.float64]
    noise: NDArray[np.float64]
    bend: NDArray[np.float64]

    @classmethod
    def of(cls, scale: ArrayLike) -> Clamped:
        """Return the lines for Laplace noise of a scale, or of each of many."""
        b = np.asarray(scale, dtype=np.float64)[..., None]
        true = LOW + (HIGH - LOW) * (np.arange(LEVELS) + 0.5) / LEVELS
        low, high = np.exp(-(true - LOW) / b), np.exp(-(HIGH - true) / b)
        mean = true + b / 2 * (low - high)
        square = true**2 + 2 * b**2 + b * (LOW - b) * low - b * (HIGH + b) * high
        centred = true - true.mean()
        slope = (mean * centred).mean(axis=-1) / (centred**2).mean()
        shift = mean.mean(axis=-1) - slope * true.mean()
        bend = mean - slope[..., None] * true - shift[..., None]
        return cls(slope, shift, (square - mean**2).mean(axis=-1), (bend**2).mean(axis=-1))

    def undone(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return sent values [B,...], or means of several, in units of the true ones."""
        return np.asarray((values - self.shift) / self.slope, dtype=np.float32)

    def variance(self, uploads: int = 1) -> NDArray[np.float64]:
        """Return the variance about the true values of what `undone` makes of so many uploads."""
        return np.asarray((self.noise / uploads + self.bend) / self.slope**2)
