"""How a picture's budget is divided among the numbers that noise is drawn for.

The epsilon of a number is the mean epsilon times a share of its channel and a share of its place.
Both kinds of share have mean one, so the sum over a picture is that of equal parts whatever they
are. DCTDP (Ji et al., 2022, section 3.3) learns one share for every element; shares of channels
and of places are far fewer and can be learned from few pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from protocol.errors import DataError
from protocol.features.spec import EDGE

if TYPE_CHECKING:
    from numpy import float32, float64
    from numpy.typing import NDArray

__all__ = ["TOLERANCE", "Allocation"]

TOLERANCE: Final = 1e-5
_HALVINGS: Final = 40


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Public shares of a budget; learned from training pictures, and outside of the guarantee.

    Attributes:
        channels: share of each channel, float32 [F], mean 1.
        places: share of each place, float32 [S,S], mean 1; S is 112, or 112 / block for means of
            squares of pixels.

    Raises:
        DataError: wrong shapes, a share that is not positive, or a mean that is not one.
    """

    channels: NDArray[float32]
    places: NDArray[float32]

    def __post_init__(self) -> None:
        """Refuse shares that do not add up."""
        side = len(self.places)
        if self.channels.ndim != 1 or self.places.shape != (side, side) or not side:
            raise DataError("shares must be [F] and [S,S]", where="calibration.allocation")
        if EDGE % side:
            raise DataError(f"{side} places do not divide {EDGE}", where="calibration.allocation")
        for shares in (self.channels, self.places):
            if not (np.isfinite(shares).all() and (shares > 0).all()):
                raise DataError("shares must be positive", where="calibration.allocation")
            if abs(float(shares.mean(dtype=np.float64)) - 1) > TOLERANCE:
                raise DataError("shares must have mean 1", where="calibration.allocation")

    @classmethod
    def of_logits(
        cls, channels: NDArray[float64], places: NDArray[float64], largest: float
    ) -> Allocation:
        """Return softmax shares of logits [F] and [S,S], evened out until none exceeds `largest`.

        Evening out multiplies all logits by one number below one: the order of shares stays.
        """
        factor = _evened(channels, places, largest)
        return cls(_softmax(factor * channels), _softmax(factor * places))

    @property
    def extremes(self) -> tuple[float, float]:
        """Smallest and largest share of any number."""
        smallest = float(self.channels.min()) * float(self.places.min())
        return smallest, float(self.channels.max()) * float(self.places.max())

    @property
    def total(self) -> float:
        """Mean share of all numbers: one, up to rounding."""
        mean = self.channels.mean(dtype=np.float64) * self.places.mean(dtype=np.float64)
        return float(mean)

    def elements(self) -> NDArray[float32]:
        """Return the share of each element of the wire form, float32 [F,112,112]."""
        block = EDGE // len(self.places)
        places = self.places.repeat(block, axis=0).repeat(block, axis=1)
        return np.asarray(self.channels[:, None, None] * places)


def _evened(channels: NDArray[float64], places: NDArray[float64], largest: float) -> float:
    """Return the largest factor up to one at which no share exceeds `largest`, by bisection."""
    low, high = 0.0, 1.0
    if _largest(channels, places, high) <= largest:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _largest(channels, places, middle) <= largest:
            low = middle
        else:
            high = middle
    return low


def _largest(channels: NDArray[float64], places: NDArray[float64], factor: float) -> float:
    return float(_softmax(factor * channels).max()) * float(_softmax(factor * places).max())


def _softmax(logits: NDArray[float64]) -> NDArray[float32]:
    """Return positive shares of mean one."""
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.mean(), dtype=np.float32)
