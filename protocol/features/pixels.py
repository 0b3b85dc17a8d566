"""Noise on the pixels themselves: every later number is computed from the noisy picture.

A block's 63 coefficients carry eight degrees of freedom, and colour patterns come from the same
pixels again: noise drawn per coefficient and per bit pays for each of them. Noise drawn once per
pixel value pays for 3 * 112 * 112 numbers, for a third of them where only luminance is sent, and
for fewer still when it is drawn for means of squares; its budget covers all that is sent.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from protocol.features.fusion import luminance
from protocol.features.noise import ratio_slack
from protocol.features.pipeline import laplace

if TYPE_CHECKING:
    from numpy import float32, float64, uint8
    from numpy.typing import NDArray

    from protocol.features.noise import NoiseSource

__all__ = [
    "PIXEL_RANGE",
    "noisy_pictures",
    "picture_pixel_slack",
    "pixel_laplace",
    "pixel_sampling_slack",
]

PIXEL_RANGE: Final = 255.0

_STAGE: Final = 16.0
"""A draw beyond this many scales is drawn on from here: the tail of a Laplace law is again one."""


def noisy_pictures(
    pictures: NDArray[uint8],
    epsilon: float | None,
    source: NoiseSource,
    *,
    block: int = 1,
    grey: bool = False,
    shares: NDArray[float32] | None = None,
) -> NDArray[uint8]:
    """Add Laplace noise of scale 255/epsilon to every value of uint8 [B,112,112,3] pictures.

    Rounding to whole grey levels and clamping to 0..255 come after the noise and cost nothing.

    Args:
        pictures: uint8 [B,112,112,3].
        epsilon: of each value; None for no noise.
        source: of the noise.
        block: side of the squares whose means are the values; each fills its square.
        grey: the values are luminance, and red, green and blue of the result are equal.
        shares: of the budget for each place, float32 [112/block,112/block]; `epsilon` is the mean.
    """
    each = np.float32(1) if shares is None else shares[..., None]
    noisy = np.empty_like(pictures)
    for picture, target in zip(pictures, noisy, strict=True):
        values = _means(luminance(picture)[..., None] if grey else picture, block)
        if epsilon is not None:
            draws = pixel_laplace(source, values.size).reshape(values.shape)
            values = values + np.float32(PIXEL_RANGE / epsilon) / each * draws
        codes = np.rint(np.clip(values, 0, PIXEL_RANGE)).astype(np.uint8)
        target[...] = codes.repeat(block, axis=0).repeat(block, axis=1)
    return noisy


def pixel_laplace(source: NoiseSource, count: int) -> NDArray[float32]:
    """Return unit Laplace draws whose tail is resolved however far out it is asked for."""
    draws = laplace(*source.laplace_words(count))
    size, start = np.abs(draws), _STAGE
    beyond = np.flatnonzero(size >= _STAGE)
    while beyond.size:
        further = np.abs(laplace(*source.laplace_words(beyond.size)))
        size[beyond] = np.float32(start) + further
        beyond, start = beyond[further >= _STAGE], start + _STAGE
    return np.copysign(size, draws)


def pixel_sampling_slack(epsilon: float, shares: tuple[float, float] = (1.0, 1.0)) -> float:
    """Bound how much finite resolution adds to epsilon per value.

    A grey level's probability is off by at most two steps of the 47-bit uniform in every stage
    of the draw and by the float32 error of its two edges, relative to the rarest level of a stage.
    `shares` are the smallest and the largest of the mean `epsilon`.
    """
    return float(_slack(epsilon * np.array(shares)).max())


def picture_pixel_slack(
    epsilon: float, values: int, places: NDArray[float32] | None = None
) -> float:
    """Bound how much finite resolution adds to epsilon of all values of a picture together.

    Args:
        epsilon: of a value; the mean where places have shares.
        values: of the picture; equally many for each place.
        places: share of each place.
    """
    shares = np.ones(1) if places is None else places.astype(np.float64).reshape(-1)
    return values * float(_slack(epsilon * shares).mean())


def _slack(epsilon: NDArray[float64]) -> NDArray[float64]:
    cell = epsilon / PIXEL_RANGE
    stages = 1.0 + epsilon / _STAGE
    rarest = 0.5 * math.exp(-_STAGE) * -np.expm1(-np.minimum(cell, 1.0))
    edge_error = 4.0 * float(np.finfo(np.float32).eps) * 2.0 * np.maximum(epsilon, 1.0)
    return ratio_slack(stages * 2.0 * 2.0**-47 / rarest + 2.0 * edge_error / cell)


def _means(values: NDArray[uint8] | NDArray[float32], block: int) -> NDArray[float32]:
    """Return the means of block x block squares, float32 [112/block,112/block,C]."""
    if block == 1:
        return values.astype(np.float32)
    rows, columns, channels = values.shape
    squares = values.reshape(rows // block, block, columns // block, block, channels)
    return np.asarray(squares.mean(axis=(1, 3), dtype=np.float32))
